import type { Page } from 'playwright-core';
import { beforeAll, expect, test } from 'vitest';
import { axe, forgive, screenshot, server, visit } from './harness.ts';

const s = await server();
let uuid = '';

const script = '#!/usr/bin/env bash\necho "hello {{.Machine.Name}}"\necho {{.Param "greeting/word"}} {{.Param "bmc/password"}}\ncurl -H "Authorization: Bearer {{.GenerateToken}}" {{.ApiURL}}\n';

const pack = (version: string, more: object = {}) => ({
  meta: { Name: 'greeting', Version: version, Description: 'Greets whoever comes', Icon: 'handshake', Color: 'teal', Documentation: 'Set greeting/word, then run the task greet.' },
  sections: {
    tasks: { greet: { Name: 'greet', Description: 'Says hello', Templates: [{ Name: 'greet.sh', Contents: script }] } },
    params: { 'greeting/word': { Name: 'greeting/word', Schema: { type: 'string', default: 'hi' } } },
    ...more,
  },
});

const file = (name: string, doc: unknown) => ({ name, mimeType: 'application/octet-stream', buffer: Buffer.from(typeof doc === 'string' ? doc : JSON.stringify(doc)) });
const choose = (page: Page, label: string, ...files: ReturnType<typeof file>[]) => page.getByLabel(label, { exact: true }).and(page.locator('input')).setInputFiles(files);
const transfer = (page: Page, name: string) => page.getByRole('group', { name: `Upload of ${name}` });

beforeAll(async () => {
  await s.api('POST', '/params', { Name: 'bmc/password', Secure: true, Schema: { type: 'string' } });
  const m = await s.api<{ Uuid: string }>('POST', '/machines', { Name: 'web1.example.com', Address: '192.168.124.10', Params: { 'bmc/password': 'hunter22' } });
  uuid = m.Uuid;
  await s.api('POST', '/templates', { ID: 'shared.tmpl', Contents: 'fine' });
  await s.api('POST', '/tasks', { Name: 'shares', Templates: [{ Name: 'a.sh', ID: 'shared.tmpl' }] });
});

const write = async (page: Page, text: string) => {
  await page.getByRole('textbox', { name: 'Template' }).click();
  await page.keyboard.press('ControlOrMeta+a');
  await page.keyboard.press('Backspace');
  await page.keyboard.insertText(text);
};

test('packs are uploaded in the order they need, refused ones say why, a replacement tells what changes', async () => {
  const page = await visit(s, '#/contents');
  forgive(page, /status of 422/);
  const more = { meta: { Name: 'manners', Version: 'v1.0.0', Prerequisites: 'greeting: >=1.0.0' }, sections: { profiles: { polite: { Name: 'polite' } } } };
  await choose(page, 'Upload packs', file('manners.json', more), file('greeting.json', pack('v1.0.0')), file('broken.yaml', 'meta: ['), file('bad.json', { meta: { Name: 'bad' }, sections: { machines: { x: 1 } } }));
  await transfer(page, 'manners.json').getByText('is loaded').waitFor();
  await transfer(page, 'greeting.json').getByText('is loaded').waitFor();
  await transfer(page, 'broken.yaml').getByText('The file is neither JSON nor YAML').waitFor();
  await transfer(page, 'bad.json').getByRole('alert').waitFor();
  await page.getByRole('link', { name: 'manners', exact: true }).waitFor();
  expect(await axe(page)).toEqual([]);
  await screenshot(page, 'contents-uploads');

  const changed = pack('v1.1.0', { params: {}, stages: { greeted: { Name: 'greeted', Tasks: ['greet'] } } });
  changed.sections.tasks.greet.Description = 'Says hello to all';
  await choose(page, 'Upload packs', file('greeting.json', changed));
  const replacing = page.getByRole('group', { name: 'Upload of greeting.json' }).filter({ hasText: 'v1.1.0' });
  await replacing.getByText('It takes the place of greeting v1.0.0: 1 added, 1 changed, 1 removed.').waitFor();
  expect(await replacing.getByRole('list').innerText()).toMatch(/− params greeting\/word\s+\+ stages greeted\s+~ tasks greet/);
  await screenshot(page, 'contents-replace');
  await replacing.getByRole('button', { name: 'Keep what is there' }).click();
  expect((await s.api<{ meta: { Version: string } }>('GET', '/contents/greeting')).meta.Version).toBe('v1.0.0');

  const kept = pack('v1.2.0', { stages: { greeted: { Name: 'greeted', Tasks: ['greet'] } } });
  await choose(page, 'Upload packs', file('greeting.json', kept));
  const again = page.getByRole('group', { name: 'Upload of greeting.json' }).filter({ hasText: 'v1.2.0' });
  await again.getByRole('button', { name: 'Replace' }).click();
  await again.getByText('is loaded').waitFor();
  await page.getByRole('row', { name: /greeting.*v1\.2\.0/ }).waitFor();

  await page.getByRole('link', { name: 'greeting', exact: true }).click();
  await page.getByRole('heading', { name: 'greeting' }).waitFor();
  await page.getByRole('link', { name: 'greet', exact: true }).waitFor();
  await page.getByText('Set greeting/word, then run').waitFor();
  await page.getByRole('link', { name: 'manners' }).waitFor();
  expect(await axe(page)).toEqual([]);
  await screenshot(page, 'contents-pack');

  // What others require does not go, and says so; what nobody requires does.
  await page.getByRole('button', { name: 'Actions of greeting' }).click();
  await page.getByRole('menuitem', { name: 'Remove…' }).click();
  await page.getByText('Packs that require it: manners.').waitFor();
  await page.getByRole('button', { name: 'Remove', exact: true }).click();
  await page.getByText('greeting was not removed').waitFor();
  await page.goto(s.url + '/ui/#/contents');
  await page.getByRole('button', { name: 'Actions of manners' }).click();
  const download = page.waitForEvent('download');
  await page.getByRole('menuitem', { name: 'Download as YAML' }).click();
  expect((await download).suggestedFilename()).toBe('manners.yaml');
  await page.getByRole('button', { name: 'Actions of manners' }).click();
  await page.getByRole('menuitem', { name: 'Remove…' }).click();
  await page.getByRole('button', { name: 'Remove', exact: true }).click();
  await page.getByRole('link', { name: 'manners', exact: true }).waitFor({ state: 'detached' });
  await page.close();
});

test('packs are dropped; writable objects give way to one when that is wanted', async () => {
  await s.api('POST', '/profiles', { Name: 'mine', Description: 'written by hand' });
  const page = await visit(s, '#/contents');
  forgive(page, /status of 422/);
  const text = JSON.stringify({ meta: { Name: 'taking', Version: 'v1.0.0' }, sections: { profiles: { mine: { Name: 'mine', Description: 'of the pack' } } } });
  const data = await page.evaluateHandle((content) => {
    const d = new DataTransfer();
    d.items.add(new File([content], 'taking.json'));
    return d;
  }, text);
  const target = page.getByText('or drop .yaml and .json files');
  await target.dispatchEvent('drop', { dataTransfer: data });
  const group = transfer(page, 'taking.json');
  await group.getByText('profiles:mine in layer dynamic-taking would override layer writable-BackingStore').waitFor();
  await group.getByRole('button', { name: 'Load it in place of the writable objects' }).click();
  await group.getByText('is loaded').waitFor();
  expect((await s.api<{ Description: string }>('GET', '/profiles/mine')).Description).toBe('of the pack');
  await page.close();
});

test('a preview is what the machine would get, follows its source, and shows an error at its line', async () => {
  const page = await visit(s, '#/preview?key=greet&machine=web1.example.com');
  const shown = page.getByRole('region', { name: 'greet.sh' });
  await shown.getByText('hello web1.example.com').waitFor();
  await shown.getByText('hi (hidden)').waitFor();
  await shown.getByText(`(token of machine ${uuid})`).waitFor();
  expect(await axe(page)).toEqual([]);
  await screenshot(page, 'preview');
  await page.getByLabel('Secure params in the clear').check();
  await shown.getByText('hi hunter22').waitFor();
  expect(page.url()).not.toContain('hunter22');

  await page.getByText('Free text').click();
  await page.getByRole('textbox', { name: 'Template' }).waitFor();
  await write(page, 'one\ntwo {{.Param "nowhere"}}\n');
  await page.getByText('param nowhere: not set anywhere and has no default').first().waitFor();
  await page.getByText(/line 2, column \d+/).first().waitFor();
  await page.locator('.cm-lint-marker-error').waitFor();
  await write(page, '{{.Machine.Address}}');
  await page.getByRole('region', { name: 'text' }).getByText('192.168.124.10').waitFor();

  await page.goto(`${s.url}/ui/#/preview?key=shares&machine=${uuid}`);
  await page.getByRole('region', { name: 'a.sh' }).getByText('fine').waitFor();
  const source = Array.from({ length: 60 }, (_, i) => `echo ${i + 1}`);
  source[41] = '{{.Machine.Nonsense}}';
  await s.api('PATCH', '/templates/shared.tmpl', [{ op: 'replace', path: '/Contents', value: source.join('\n') }]);
  await page.getByRole('link', { name: 'template shared.tmpl' }).waitFor();
  await page.locator('.cm-line', { hasText: '{{.Machine.Nonsense}}' }).waitFor();
  await page.getByText(/line 42, column \d+/).waitFor();
  expect(await axe(page)).toEqual([]);
  await screenshot(page, 'preview-error');
  await page.close();
});

test('a provider is uploaded under its name, and what is none is refused in words', async () => {
  const page = await visit(s, '#/plugins');
  forgive(page, /status of 4\d\d/);
  await choose(page, 'Upload a provider', file('herd.amd64.linux', '#!/bin/sh\nexit 1\n'));
  const group = transfer(page, 'herd.amd64.linux');
  expect(await group.getByLabel('Name of the provider').inputValue()).toBe('herd');
  await group.getByRole('button', { name: 'Upload' }).click();
  await group.getByText('The provider was not loaded').waitFor();
  await screenshot(page, 'plugins-refused');
  await group.getByRole('button', { name: 'Cancel' }).click();
  await page.close();
});
