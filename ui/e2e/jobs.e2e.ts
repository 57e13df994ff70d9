import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Page } from 'playwright-core';
import { forgive, server, visit } from './harness.ts';

const s = await server();
const file = (name: string) => join(s.root, name);

interface Job {
  Uuid: string;
  State: string;
  Task: string;
}

/** A machine with its runner, whose only task runs a script. What the test wants of the script, it says through files. */
async function machine(name: string, script: string) {
  await s.api('POST', '/tasks', { Name: name, Meta: { 'feature-flags': 'sane-exit-codes' }, Templates: [{ Name: `${name}.sh`, Contents: `#!/bin/bash\n${script}` }] });
  await s.api('POST', '/stages', { Name: name, Tasks: [name] });
  await s.api('POST', '/workflows', { Name: name, Stages: [name] });
  const m = await s.api<{ Uuid: string }>('POST', '/machines', { Name: `${name}.example.com`, Workflow: name });
  await s.runner(m.Uuid);
  return m.Uuid;
}

const jobsOf = (task: string) => s.api<Job[]>('GET', `/jobs?Task=${task}&sort=StartTime`);

async function jobIn(task: string, state: string): Promise<Job> {
  await expect.poll(async () => (await jobsOf(task)).at(-1)?.State, { timeout: 30_000 }).toBe(state);
  return (await jobsOf(task)).at(-1)!;
}

const go = (page: Page, hash: string) => page.evaluate((h) => void (location.hash = h), hash);
const until = (name: string) => `until [ -e '${file(name)}' ]; do sleep 0.05; done`;

test('a log comes line by line, in its colours, while the job runs', async () => {
  await machine('paint', `printf 'the \\033[31mfirst\\033[0m line\\n'\n${until('second')}\necho 'the second line'\n${until('end')}`);
  await jobIn('paint', 'running');
  const page = await visit(s, '#/jobs?state=running');
  await page.getByRole('link', { name: 'paint', exact: true }).first().click();
  const log = page.getByRole('log');
  const red = log.getByText('first', { exact: true });
  await red.waitFor();
  const colours = await red.evaluate((el) => [getComputedStyle(el).color, getComputedStyle(el.parentElement!).color]);
  expect(colours[0]).not.toBe(colours[1]);
  expect(await log.getByText('the second line').count()).toBe(0);
  writeFileSync(file('second'), '');
  await log.getByText('the second line').waitFor();
  await page.getByText('live', { exact: false }).first().waitFor();
  writeFileSync(file('end'), '');
  await log.getByText('paint.sh exits with 0').waitFor();
  await page.getByRole('heading', { name: 'paint' }).locator('../..').getByText('finished').waitFor();

  // Looking for a text marks it, and a line of its own can be linked to.
  await page.getByRole('textbox', { name: 'Search the log' }).fill('second');
  await log.locator('mark').filter({ hasText: 'second' }).waitFor();
  await log.locator('a', { hasText: /^2$/ }).click();
  await expect.poll(() => page.url()).toContain('line=2');
  await page.context().close();
});

test('a failed job says why on top, and a retry after mending makes it succeed', async () => {
  await machine('mend', `echo 'Looking for the part'\n[ -e '${file('part')}' ] || { echo 'error: the part is missing' >&2; echo bye; exit 7; }`);
  const failed = await jobIn('mend', 'failed');
  const page = await visit(s, `#/jobs/${failed.Uuid}`);
  const why = page.getByRole('status').filter({ hasText: 'exit status 7' });
  await why.getByText('error: the part is missing').waitFor();
  expect(await why.getByText('bye').count()).toBe(0);
  writeFileSync(file('part'), '');
  await page.getByRole('button', { name: 'Retry' }).click();
  await page.getByRole('link', { name: 'Attempt 2, finished' }).click();
  await page.getByRole('heading', { name: 'mend' }).locator('../..').getByText('finished').waitFor();
  expect((await jobsOf('mend')).map((j) => j.State)).toEqual(['failed', 'finished']);
  await page.context().close();
});

test('a running job is cancelled: its script ends, and who did it is told', async () => {
  await machine('endless', `echo $$ > '${file('pid')}.new' && mv '${file('pid')}.new' '${file('pid')}'\nwhile :; do sleep 0.1; done`);
  const job = await jobIn('endless', 'running');
  await expect.poll(() => existsSync(file('pid'))).toBe(true);
  const pid = Number(readFileSync(file('pid'), 'utf8'));
  const page = await visit(s, `#/jobs/${job.Uuid}`);
  await page.getByRole('button', { name: 'Cancel', exact: true }).click();
  await page.getByRole('textbox', { name: 'Why' }).fill('wrong disk');
  await page.getByRole('button', { name: 'Cancel the job' }).click();
  await page.getByText('Cancelled: wrong disk (rocketskates)', { exact: true }).waitFor();
  await expect.poll(() => alive(pid), { timeout: 20_000 }).toBe(false);
  expect((await jobsOf('endless')).map((j) => j.State)).toEqual(['failed']);
  await page.context().close();
});

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test('changes are seen as they happen and in history, and can be taken back', async () => {
  await s.api('POST', '/profiles', { Name: 'shelf', Description: 'before' });
  const page = await visit(s, '#/events?filter=profiles');
  await page.getByText('Waiting for events').waitFor();
  await page.getByText('profiles.*.*: 0 shown').waitFor();
  await s.api('PATCH', '/profiles/shelf', [{ op: 'replace', path: '/Description', value: 'after' }]);
  await page.getByRole('log').getByText('Description: "before" → "after"').waitFor();

  await go(page, '#/history?kind=profiles&key=shelf');
  await page.locator('ins', { hasText: 'after' }).waitFor();
  await page.getByRole('button', { name: /^Undo revision/ }).first().click();
  const dialog = page.getByRole('dialog');
  await dialog.locator('ins', { hasText: 'before' }).waitFor();
  await dialog.getByRole('button', { name: 'Take back 1 change' }).click();
  await page.getByText('undoes revision').waitFor();
  expect(await s.api('GET', '/profiles/shelf')).toMatchObject({ Description: 'before' });

  // What has been overwritten since cannot be taken back, and the page says who did it.
  await s.api('PATCH', '/profiles/shelf', [{ op: 'replace', path: '/Description', value: 'later' }]);
  const first = (await s.api<{ Rev: number }[]>('GET', '/history?kind=profiles&key=shelf&oldest=true'))[1].Rev;
  forgive(page, /status of 409/);
  await page.getByRole('button', { name: `Undo revision ${first}` }).click();
  await dialog.getByText(/was changed since/).waitFor();
  await page.context().close();
});

test('old jobs are purged after it was told how many', async () => {
  const page = await visit(s, '#/jobs');
  await page.getByRole('button', { name: 'Purge old jobs' }).click();
  await page.getByRole('textbox', { name: 'Failed jobs go after' }).fill('1s');
  const before = (await s.api<Job[]>('GET', '/jobs')).length;
  const purge = page.getByRole('button', { name: /^Delete \d+ job/ });
  const told = Number(/\d+/.exec((await purge.textContent())!)![0]);
  await purge.click();
  await expect.poll(async () => (await s.api<Job[]>('GET', '/jobs')).length).toBe(before - told);
  await page.context().close();
});
