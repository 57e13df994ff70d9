import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { beforeAll, expect, test } from 'vitest';
import { axe, screenshot, server, visit } from './harness.ts';

const s = await server();
const gate = (name: string) => join(s.root, `gate-${name}`);
const opens = (name: string) => writeFileSync(gate(name), '');
const waits = (name: string) => `while [ ! -e ${gate(name)} ]; do sleep 0.1; done`;

/** The ways on which a task does something that is seen, and goes on when the test lets it. */
const scripts: Record<string, string> = {
  prepare: 'echo preparing',
  hold: `printf 'first \\033[32mgreen\\033[0m words\\n'\n${waits('words')}\necho second words\n${waits('end')}`,
  check: 'echo checking',
  finish: 'echo finishing',
  last: 'echo all done',
  picky: `test -e ${gate('picky')}`,
};

/** A plugin provider with one action on machines, profiles and the server, which answers what it was given. */
const greeter = `#!${process.execPath}
const { createServer } = require('node:http');
const about = { Name: 'greeter', Version: 'v1.0.0', PluginVersion: 4, AutoStart: true, AvailableActions: ['machines', 'profiles', 'system'].map((Model) => ({ Model, Command: 'greet', RequiredParams: ['city'] })) };
if (process.argv[2] === 'define') console.log(JSON.stringify(about));
if (process.argv[2] === 'listen') {
  createServer((req, res) => {
    let body = '';
    req.on('data', (part) => (body += part));
    req.on('end', () => {
      if (req.url.endsWith('/stop')) process.exit();
      res.setHeader('Content-Type', 'application/json');
      res.end(req.url.endsWith('/action') ? JSON.stringify('hello from ' + JSON.parse(body).Params.city) : '{"Code":200}');
    });
  }).listen(process.argv[3], () => console.log('READY!'));
}
`;

interface Machine {
  Uuid: string;
  Name: string;
  Tasks: string[];
}

const post = <T = unknown>(kind: string, body: object) => s.api<T>('POST', '/' + kind, body);
const patch = (m: Machine, ops: object[]) => s.api('PATCH', `/machines/${m.Uuid}`, ops);
const machine = (name: string, more: object = {}) => post<Machine>('machines', { Name: name, ...more });
const at = (m: Machine, tab = '') => `#/machines/${m.Uuid}${tab && '?tab=' + tab}`;

beforeAll(async () => {
  const provider = join(s.root, 'greeter');
  writeFileSync(provider, greeter);
  chmodSync(provider, 0o755);
  await s.drp('plugin_providers', 'upload', provider);
  for (const [Name, Contents] of Object.entries(scripts)) {
    await post('tasks', { Name, Templates: [{ Name: 'script', Contents: '#!/bin/bash\n' + Contents }] });
  }
  await post('params', { Name: 'city', Description: 'Where it stands', Schema: { type: 'string', enum: ['Bonn', 'Oslo', 'Turin'], default: 'Turin' } });
  await post('params', { Name: 'bmc/password', Secure: true, Schema: { type: 'string' } });
  await post('params', { Name: 'ntp-servers', Schema: { type: 'array', items: { type: 'string' } } });
  await post('profiles', { Name: 'inner', Params: { 'ntp-servers': ['time.example.com'] } });
  await post('profiles', { Name: 'rack', Profiles: ['inner'], Params: { city: 'Bonn', 'bmc/password': 'hunter22', row: { from: 1, to: 12 } } });
  await post('stages', { Name: 'install', Tasks: ['prepare', 'hold', 'finish'], Params: { row: { from: 0 } } });
  await post('stages', { Name: 'deliver', Tasks: ['last'] });
  await post('stages', { Name: 'try', Tasks: ['picky'] });
  await post('workflows', { Name: 'build', Stages: ['install', 'deliver'] });
});

const box = (page: Page, name: string | RegExp) => page.getByRole('group', { name: 'Task list' }).getByRole('button', { name });

test('the strip fills in as tasks run, the log streams, and what has not run can be changed', async () => {
  const m = await machine('worker.example.com', { Workflow: 'build', Address: '192.168.124.10', Meta: { icon: 'ship', color: 'blue' }, Profiles: ['rack'], HardwareAddrs: ['52:54:00:12:34:56'] });
  const page = await visit(s, at(m, 'tasks'));
  await box(page, 'hold: to come').waitFor();
  await s.runner(m.Uuid);
  await box(page, 'hold: runs').waitFor();
  await box(page, /^prepare: done in/).waitFor();

  await page.getByRole('button', { name: 'Change finish' }).click();
  await page.getByRole('menuitem', { name: 'Add a task before it' }).click();
  await page.getByRole('combobox', { name: 'Task' }).click();
  await page.getByRole('option', { name: 'check' }).click();
  await box(page, 'check: to come').waitFor();
  await page.getByRole('button', { name: 'Change check' }).click();
  await page.getByRole('menuitem', { name: 'Move it down' }).click();
  await expect.poll(async () => (await s.api<Machine>('GET', `/machines/${m.Uuid}`)).Tasks.slice(-4)).toEqual(['finish', 'check', 'stage:deliver', 'last']);
  await screenshot(page, 'machine-tasks');

  await page.getByRole('tab', { name: 'Log' }).click();
  const log = page.getByRole('region', { name: 'Log' });
  await log.getByText('green').waitFor();
  expect(await log.getByText('second words', { exact: true }).count()).toBe(0);
  opens('words');
  await log.getByText('second words', { exact: true }).waitFor();
  await screenshot(page, 'machine-log');

  await page.getByRole('tab', { name: 'Tasks' }).click();
  opens('end');
  await box(page, /^last: done in/).waitFor();
  await box(page, /^check: done in/).waitFor();
  await page.getByText('done', { exact: true }).first().waitFor();
  await page.getByRole('tab', { name: 'Jobs' }).click();
  await page.getByRole('cell', { name: 'finished' }).nth(4).waitFor();
  await screenshot(page, 'machine-jobs');
  await page.context().close();
});

test('an override changes the origin, here and by others, and secrets stay sealed until they are asked for', async () => {
  const m = await machine('params.example.com', { Workflow: 'build', Profiles: ['rack'] });
  const page = await visit(s, at(m, 'params'));
  const row = (name: string) => page.locator(`[data-param="${name}"]`);
  await row('city').getByText('profile rack').waitFor();
  await row('city').getByRole('button').first().click();
  await row('city').getByRole('combobox').click();
  await page.getByRole('option', { name: 'Oslo' }).click();
  await screenshot(page, 'machine-params');
  await page.getByRole('button', { name: 'Save on this machine' }).click();
  await row('city').getByText('this machine').waitFor();
  await row('city').getByText('over 2 others').waitFor();
  await row('city').getByRole('button').first().click();
  await page.getByRole('button', { name: 'Remove the override' }).click();
  await row('city').getByText('profile rack').first().waitFor();

  await s.api('POST', `/machines/${m.Uuid}/params/row`, { from: 7 });
  await row('row').getByText('this machine').waitFor();

  await row('bmc/password').getByRole('button').first().click();
  await row('bmc/password').getByText('sealed').first().waitFor();
  expect(await page.getByText('hunter22').count()).toBe(0);
  await row('bmc/password').getByRole('button', { name: /Reveal/ }).click();
  await row('bmc/password').getByText('hunter22').waitFor();
  await page.context().close();
});

test('an edit of the name that comes in between is told of, and each of the two can win', async () => {
  const m = await machine('before.example.com');
  const page = await visit(s, at(m));
  await page.getByRole('button', { name: 'Rename' }).click();
  await page.getByRole('textbox', { name: 'Name of the machine' }).fill('mine.example.com');
  await patch(m, [{ op: 'replace', path: '/Name', value: 'theirs.example.com' }]);
  await page.getByRole('alert').getByText('renamed it to theirs.example.com').waitFor();
  await screenshot(page, 'machine-conflict');
  await page.getByRole('button', { name: 'Rename to mine.example.com' }).click();
  await page.getByRole('heading', { name: 'mine.example.com' }).waitFor();
  await page.context().close();
});

test('a change is taken back, and the machine is seen as it was', async () => {
  const m = await machine('history.example.com', { Description: 'as it was' });
  await patch(m, [{ op: 'replace', path: '/Description', value: 'as it should not be' }]);
  const page = await visit(s, at(m, 'history'));
  const panel = page.getByRole('tabpanel');
  await panel.getByText('"as it was"').waitFor();
  await panel.getByRole('button', { name: /^Undo revision/ }).first().click();
  await page.getByRole('button', { name: 'Take back 1 change' }).click();
  await expect.poll(async () => (await s.api<{ Description: string }>('GET', `/machines/${m.Uuid}`)).Description).toBe('as it was');
  await panel.getByText('undoes').waitFor();
  await screenshot(page, 'machine-history');
  await page.getByRole('button', { name: 'See it as it was' }).click();
  await page.getByRole('button', { name: 'Older' }).click();
  await page.getByLabel('Loading').waitFor({ state: 'detached' });
  await screenshot(page, 'machine-as-of');
  await page.getByText('should not be', { exact: true }).waitFor();
  await page.context().close();
});

test('the whole machine is edited as text, with what others change taken in', async () => {
  const m = await machine('edit.example.com', { Description: 'before' });
  const page = await visit(s, at(m, 'edit'));
  const editor = page.getByRole('tabpanel').getByRole('textbox').first();
  await editor.getByText('before').click();
  await page.keyboard.press('End');
  await page.keyboard.type(' and after');
  await page.getByText('Not saved: Description').waitFor();
  await patch(m, [{ op: 'replace', path: '/Address', value: '192.168.124.77' }]);
  await page.getByText('meanwhile: Address').waitFor();
  await screenshot(page, 'machine-edit');
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await expect.poll(() => s.api('GET', `/machines/${m.Uuid}`)).toMatchObject({ Description: 'before and after', Address: '192.168.124.77' });
  await page.context().close();
});

test('a machine is steered: profiles, stage, retry, a plugin, lock, token, and deleted by those who can say its name', async () => {
  const m = await machine('steered.example.com', { Profiles: ['rack'] });
  const page = await visit(s, at(m));
  const menu = async (item: string | RegExp) => {
    await page.getByRole('button', { name: 'More actions' }).click();
    await page.getByRole('menuitem', { name: item }).click();
  };
  const now = () => s.api<{ Profiles: string[]; Stage: string; Locked: boolean }>('GET', `/machines/${m.Uuid}`);

  await menu('Profiles');
  await page.getByRole('combobox', { name: 'Add a profile' }).click();
  await page.getByRole('option', { name: 'inner' }).click();
  await page.getByRole('button', { name: 'Move inner up' }).click();
  await screenshot(page, 'machine-profiles');
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await expect.poll(async () => (await now()).Profiles).toEqual(['inner', 'rack']);

  await menu('Set the stage');
  await page.getByRole('combobox', { name: 'Stage' }).click();
  await page.getByRole('option', { name: 'try' }).click();
  await page.getByRole('button', { name: 'Set the stage' }).click();
  await expect.poll(async () => (await now()).Stage).toBe('try');
  await s.runner(m.Uuid);
  await page.getByText('picky has failed').waitFor();
  await page.getByText(/exit status|exited/i).first().waitFor();
  await screenshot(page, 'machine-failed');
  await page.getByRole('tab', { name: 'Tasks' }).click();
  await box(page, /^picky: failed/).waitFor();
  expect(await axe(page)).toEqual([]);
  opens('picky');
  await page.getByRole('button', { name: 'Retry picky' }).click();
  await box(page, /^picky: done in/).waitFor();

  await menu(/greet/);
  await page.getByRole('button', { name: 'Give another value' }).click();
  await page.getByRole('combobox', { name: 'city' }).click();
  await page.getByRole('option', { name: 'Oslo' }).click();
  await page.getByRole('button', { name: 'Run it' }).click();
  await page.getByText('hello from Oslo').waitFor();
  await screenshot(page, 'machine-action');
  await page.getByRole('button', { name: 'Close', exact: true }).last().click();

  await menu('Lock');
  await page.getByText('locked', { exact: true }).waitFor();
  expect(await page.getByRole('button', { name: 'Workflow' }).isDisabled()).toBe(true);
  await menu('Unlock');
  await page.getByText('locked', { exact: true }).waitFor({ state: 'detached' });

  await menu('Make a token');
  await page.getByRole('button', { name: 'Make a token' }).click();
  const token = await page.getByRole('dialog').locator('pre').textContent();
  expect(await s.api('GET', `/machines/${m.Uuid}`, undefined, token ?? '')).toMatchObject({ Name: m.Name });
  await page.keyboard.press('Escape');

  await menu('Delete');
  const gone = page.getByRole('button', { name: 'Delete it' });
  expect(await gone.isDisabled()).toBe(true);
  await page.getByRole('textbox', { name: 'To delete it' }).fill(m.Name);
  await gone.click();
  await page.getByRole('alert').getByText('has been deleted').waitFor();
  await page.context().close();
});

test('plugins act on whatever they offer actions for, and on the server as a whole', async () => {
  const page = await visit(s, '#/objects/profiles/rack');
  await page.getByRole('button', { name: 'Plugin actions' }).click();
  await page.getByRole('menuitem', { name: 'greet' }).click();
  await page.getByRole('button', { name: 'Run it' }).click();
  await page.getByText('hello from Bonn').waitFor(); // the value that is in force
  await page.goto(`${s.url}/ui/#/system`);
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'greet' }).click();
  await page.getByRole('button', { name: 'Give another value' }).click();
  await page.getByRole('combobox', { name: 'city' }).click();
  await page.getByRole('option', { name: 'Oslo' }).click();
  await page.getByRole('button', { name: 'Run it' }).click();
  await page.getByText('hello from Oslo').waitFor();
});

test('a task is given to a machine that has none, and what several places set is composed', async () => {
  const m = await machine('m-bare', { Profiles: ['rack'], Params: { 'ntp-servers': ['time.example.org'] }, Runnable: false });
  const page = await visit(s, at(m, 'tasks'));
  await page.getByRole('button', { name: 'Add a task to this stage' }).click();
  await page.getByRole('combobox', { name: 'Task' }).fill('picky');
  await page.getByRole('option', { name: 'picky' }).click();
  await expect.poll(async () => (await s.api<Machine>('GET', `/machines/${m.Uuid}`)).Tasks).toEqual(['picky']);
  await page.evaluate((h) => void (location.hash = h), at(m, 'params'));
  await page.locator('[data-param=ntp-servers] button').first().click();
  await page.getByRole('button', { name: 'Compose all values' }).click();
  const composed = page.getByRole('status', { name: 'Composed of all values' });
  expect(JSON.parse((await composed.textContent())!)).toEqual(await s.api('GET', `/machines/${m.Uuid}/params/ntp-servers?aggregate=true&compose=true`));
  expect(JSON.parse((await composed.textContent())!)).toEqual(['time.example.org', 'time.example.com']);
});

test('a machine is made with params, and its page says what it waits for', async () => {
  const page = await visit(s, '#/machines');
  await page.getByRole('button', { name: 'Create', exact: false }).first().click();
  await page.getByRole('textbox', { name: 'Name' }).fill('made.example.com');
  await page.getByLabel('Add a param').first().fill('ntp-servers');
  await page.getByRole('button', { name: 'Add', exact: true }).click();
  await page.locator('[data-param=ntp-servers]').waitFor();
  await screenshot(page, 'machines-create');
  await page.getByRole('dialog').getByRole('button', { name: 'Create', exact: true }).click();
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  const m = await s.api<Machine & { Params: object }>('GET', '/machines/Name:made.example.com');
  expect(m.Params).toEqual({ 'ntp-servers': [] });

  const { Token } = await s.api<{ Token: string }>('GET', `/machines/${m.Uuid}/token`);
  const waiting = s.api('POST', '/wait', { For: { Kind: 'machines', Key: m.Uuid, Tests: [{ op: 'test', path: '/Description', value: 'go' }] }, Timeout: '60s' }, Token);
  await page.evaluate((h) => void (location.hash = h), at(m));
  await page.getByText('Waits for', { exact: true }).waitFor();
  await patch(m, [{ op: 'replace', path: '/Description', value: 'go' }]);
  await waiting;
  await page.getByText('Waits for', { exact: true }).waitFor({ state: 'detached' });
});

test('the icon is chosen among all, and a machine that is deleted meanwhile says so', async () => {
  const m = await machine('icon.example.com', { Description: 'A machine for a short time' });
  const page = await visit(s, at(m));
  await page.getByRole('button', { name: /Change the icon/ }).click();
  await page.getByRole('textbox', { name: 'Icon' }).fill('chess king');
  await page.getByRole('button', { name: 'chess king', exact: true }).click();
  await page.getByRole('button', { name: 'purple' }).click();
  await expect.poll(async () => (await s.api<{ Meta: object }>('GET', `/machines/${m.Uuid}`)).Meta).toMatchObject({ icon: 'chess king', color: 'purple' });
  await screenshot(page, 'machine-icon');
  await page.keyboard.press('Escape');
  await s.api('DELETE', `/machines/${m.Uuid}`);
  await page.getByRole('alert').getByText('has been deleted').waitFor();
  await screenshot(page, 'machine-deleted');
  await page.context().close();
});
