import { expect, test } from 'vitest';
import { axe, screenshot, server, visit } from './harness.ts';

const s = await server();

test('an empty server tells how machines join; then the overview follows what happens', async () => {
  const page = await visit(s, '#/');
  await page.getByText('No machines yet').waitFor();
  await page.getByRole('region', { name: 'Server' }).getByText('ready', { exact: true }).waitFor();
  expect(await axe(page)).toEqual([]);

  // the commands that are shown
  const commands = await page.locator('pre').allInnerTexts();
  const drp = async (command: string) => s.drp(...(command.match(/'[^']*'|\S+/g) ?? []).slice(1).map((word) => word.replace(/^'|'$/g, '')));
  await drp(commands[0]);
  for (const command of commands[3].trim().split('\n')) await drp(command);
  const m = await s.api<{ Uuid: string }>('GET', '/machines/Name:m1.example.com');
  await page.getByText('1 machine', { exact: true }).waitFor();

  // its job fails with a line that tells why
  await s.api('PATCH', '/tasks/hello', [{ op: 'replace', path: '/Templates/0/Contents', value: '#!/bin/bash\necho the disk is full\nexit 1\n' }]);
  const runner = await s.runner(m.Uuid);
  const failures = page.getByRole('region', { name: '1 machine failed' });
  await failures.getByRole('link', { name: 'm1.example.com' }).waitFor();
  await failures.getByText('the disk is full').waitFor();
  await page.getByText('1 failed in 45 minutes').waitFor();
  await page.getByRole('region', { name: 'Events' }).getByText('failed').first().waitFor();
  expect(await page.locator('section').first().getAttribute('aria-label')).toBe('1 machine failed');
  await screenshot(page, 'overview-failure');

  // mended and tried again, it is no failure any more
  await s.api('PATCH', '/tasks/hello', [{ op: 'replace', path: '/Templates/0/Contents', value: '#!/bin/bash\ntrue\n' }]);
  await s.api('PATCH', `/machines/${m.Uuid}`, [{ op: 'replace', path: '/Runnable', value: true }]);
  await failures.waitFor({ state: 'detached' });
  await page.getByRole('link', { name: /^done\s*1$/ }).waitFor();
  await runner.stop();
  await page.context().close();
});

test('what happens while the list of events is paused comes when it goes on', async () => {
  const page = await visit(s, '#/');
  const events = page.getByRole('region', { name: 'Events' });
  await events.getByRole('button', { name: 'Pause' }).click();
  await s.api('POST', '/profiles', { Name: 'unseen' });
  await events.getByRole('button', { name: /Go on \(1 more\)/ }).click();
  await events.getByRole('link', { name: 'unseen' }).waitFor();
  await page.context().close();
});
