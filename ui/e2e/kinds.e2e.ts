import { readFileSync } from 'node:fs';
import type { Locator, Page, Request } from 'playwright-core';
import { expect, test } from 'vitest';
import { axe, forgive, login, open, screenshot, server, visit } from './harness.ts';

const s = await server();

interface Schema {
  properties: Record<string, { readOnly?: boolean }>;
}
interface Description {
  paths: Record<string, { get?: { responses: Record<string, { content: Record<string, { schema: { items?: { $ref: string } } }> }> } }>;
  components: { schemas: Record<string, Schema> };
}

const description = JSON.parse((await s.ask('GET', '/swagger.json')).text) as Description;

// A plugin provider that defines a kind of its own. It runs no plugin here.
const provider = `#!/bin/sh
[ "$1" = define ] && echo '{"Name": "herder", "Version": "v1.0.0", "PluginVersion": 4, "StoreObjects": {"cows": {"Spotted": {"type": "boolean"}, "Legs": {"type": "integer", "minimum": 1}}}}'
exit 0
`;

// What it takes to make one object of each kind that a fresh server has none of.
const samples: Record<string, object> = {
  catalog_items: { Id: 'one', ContentType: 'ContentPackage', Name: 'one', Version: 'v1.0.0' }, contexts: { Name: 'box' }, endpoints: { Id: 'north' }, params: { Name: 'site/colour', Schema: { type: 'string' } },
  plugins: { Name: 'herding', Provider: 'herder' }, pools: { Id: 'workers' }, profiles: { Name: 'rack-7' }, reservations: { Addr: '192.168.124.5', Token: '52:54:00:12:34:56', Strategy: 'MAC' },
  roles: { Name: 'watcher', Claims: [{ scope: 'machines', action: 'list,get', specific: '*' }] }, stages: { Name: 'greet', Tasks: ['hello'] }, tasks: { Name: 'hello', Templates: [{ Name: 'hello.sh', Contents: 'echo {{.Machine.Name}}\n' }] },
  subnets: { Name: 'lan', Subnet: '192.168.124.0/24', ActiveStart: '192.168.124.10', ActiveEnd: '192.168.124.99' }, templates: { ID: 'greeting.tmpl', Contents: 'echo hello\n' }, tenants: { Name: 'acme' }, users: { Name: 'ann' },
  version_sets: { Id: 'stable' }, workflows: { Name: 'greeting', Stages: ['greet'] }, bootenvs: { Name: 'sky' }, machines: { Name: 'm1.example.com', Workflow: 'greeting' }, cows: { Id: 'Elsie', Legs: 4 },
  leases: { Addr: '192.168.124.7', Token: '52:54:00:12:34:57', Strategy: 'MAC', State: 'ACK', ExpireTime: '2099-01-01T00:00:00Z' },
};

const componentOf = (kind: string) => description.paths[`/api/v3/${kind}`]?.get?.responses['200'].content['application/json'].schema.items?.$ref.replace('#/components/schemas/', '') ?? 'Custom';

// The header shows these, in words; nobody fills in the last.
const elsewhere = new Set(['Validated', 'Available', 'Errors', 'ReadOnly', 'Bundle', 'Endpoint', 'Partial', 'PasswordHash']);
const tabs: Record<string, string> = { Params: 'Params', Templates: 'Templates' };

test('every kind of /objects has a list and a page with all its fields, and a description is changed by one patch with a test', async () => {
  await s.api('POST', '/plugin_providers/herder', provider);
  const kinds = [...(await s.api<string[]>('GET', '/objects')), 'interfaces', 'plugin_providers'].filter((k) => k !== 'preferences');
  expect(kinds).toContain('cows');
  for (const [kind, sample] of Object.entries(samples)) await s.api('POST', `/${kind}`, sample);
  const machine = (await s.api<{ Uuid: string }[]>('GET', '/machines'))[0].Uuid;
  await s.api('POST', '/jobs', { Machine: machine });

  const page = await visit(s, '#/objects');
  for (const kind of kinds) await page.getByRole('main').getByRole('link', { name: kind, exact: true }).waitFor();
  let described = 0;
  for (const kind of kinds) {
    const objects = await s.api<Record<string, unknown>[]>('GET', `/${kind}`);
    const keyField = ['Uuid', 'Addr', 'Id', 'ID', 'Name'].find((f) => f in objects[0])!;
    const mine = objects.find((o) => o[keyField] === (samples[kind] as Record<string, unknown> | undefined)?.[keyField]) ?? objects.find((o) => o.ReadOnly === false) ?? objects[0];
    const key = String(mine[keyField]);
    await go(page, `#/objects/${kind}`);
    await page.getByRole('heading', { level: 1, name: kind, exact: true }).waitFor();
    await page.getByRole('grid').getByText(key, { exact: true }).first().waitFor();

    await go(page, `#/objects/${kind}/${key.split('/').map(encodeURIComponent).join('/')}?tab=form`);
    await page.getByRole('heading', { level: 1, name: key, exact: true }).waitFor();
    await page.locator('[data-field]').first().waitFor();
    const shown = new Set(await page.locator('[data-field]').evaluateAll((all) => all.map((e) => e.getAttribute('data-field')!)));
    for (const field of Object.keys(description.components.schemas[componentOf(kind)].properties)) {
      if (elsewhere.has(field) || (field === 'Type' && ['cows', 'catalog_items'].includes(kind))) continue; // it is the kind
      if (field in tabs) expect(await page.getByRole('tab', { name: tabs[field] }).count(), `${kind}: tab ${field}`).toBe(1);
      else expect(shown.has(field), `${kind}: field ${field}`).toBe(true);
    }
    if (kind === 'cows') expect([...shown]).toEqual(expect.arrayContaining(['Spotted', 'Legs']));
    if (mine.ReadOnly !== false || !('Description' in mine)) continue;
    described++;
    await describe(page, kind, key, `what ${kind} are for`);
  }
  expect(described).toBeGreaterThan(15);
  await page.context().close();
});

// The page is the same one, so that its cache is tried too.
const go = (page: Page, hash: string) => page.evaluate((h) => void (location.hash = h), hash);

async function describe(page: Page, kind: string, key: string, text: string) {
  const patches: Request[] = [];
  const note = (r: Request) => r.method() === 'PATCH' && patches.push(r);
  page.on('request', note);
  await page.getByRole('textbox', { name: 'Description' }).fill(text);
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.getByRole('region', { name: 'Unsaved changes' }).waitFor({ state: 'detached' });
  page.off('request', note);
  expect(patches.map((r) => r.postDataJSON() as unknown), kind).toEqual([[{ op: 'test', path: '/Description', value: '' }, { op: 'replace', path: '/Description', value: text }]]);
  const path = `/${kind}/${key.split('/').map(encodeURIComponent).join('/')}`;
  expect(await s.api('GET', path), kind).toMatchObject({ Description: text });
  await s.api('PATCH', path, [{ op: 'replace', path: '/Description', value: `${text}, as others say` }]);
  await expect.poll(() => page.getByRole('textbox', { name: 'Description' }).inputValue(), { message: kind }).toBe(`${text}, as others say`);
}

test('when two change the same fields, one chooses for each; what only one has changed is kept by itself', async () => {
  await s.api('POST', '/profiles', { Name: 'shared', Description: 'before', Documentation: 'before', Meta: { icon: 'server' } });
  const page = await visit(s, '#/objects/profiles/shared');
  forgive(page, /status of 409/);
  await page.getByRole('textbox', { name: 'Description' }).fill('mine');
  await page.getByRole('textbox', { name: 'Documentation' }).fill('mine as well');
  await page.getByRole('textbox', { name: 'Name of a new entry of Meta' }).fill('color');
  await page.getByRole('button', { name: 'Add to Meta' }).click();
  await page.getByRole('textbox', { name: 'color' }).fill('red');
  await s.api('PATCH', '/profiles/shared', [
    { op: 'replace', path: '/Description', value: 'theirs' }, { op: 'replace', path: '/Documentation', value: 'theirs as well' },
    { op: 'add', path: '/Meta/title', value: 'of others' }, { op: 'add', path: '/Params/of~1others', value: 1 },
  ]);

  const bar = page.getByRole('region', { name: 'Unsaved changes' });
  await bar.getByText('Changed by rocketskates meanwhile').waitFor();
  expect(await page.getByRole('textbox', { name: 'title' }).inputValue()).toBe('of others');
  expect(await page.getByRole('textbox', { name: 'Description' }).inputValue()).toBe('mine');
  await page.getByRole('button', { name: 'Save', exact: true }).click();

  const dialog = page.getByRole('dialog');
  const choice = (path: string) => dialog.locator(`[data-conflict="${path}"]`);
  expect(await choice('/Description').locator('pre').allTextContents()).toEqual(['mine', 'theirs', 'before']);
  expect(await choice('/Documentation').locator('pre').allTextContents()).toEqual(['mine as well', 'theirs as well', 'before']);
  expect(await dialog.locator('[data-conflict]').count()).toBe(2);
  expect(await s.api('GET', '/profiles/shared')).toMatchObject({ Description: 'theirs' }); // nothing was written over
  await choice('/Description').getByLabel('Theirs', { exact: true }).check();
  await choice('/Documentation').getByLabel('Mine', { exact: true }).check();
  await screenshot(page, 'kinds-conflict');
  expect(await axe(page)).toEqual([]);
  await dialog.getByRole('button', { name: 'Save' }).click();
  await bar.waitFor({ state: 'detached' });
  expect(await s.api('GET', '/profiles/shared')).toMatchObject({
    Description: 'theirs', Documentation: 'mine as well', Meta: { icon: 'server', color: 'red', title: 'of others' }, Params: { 'of/others': 1 },
  });
  await page.context().close();
});

// As from the keyboard: to fill a contenteditable makes the browser style what it replaces.
async function type(page: Page, editor: Locator, text: string) {
  await editor.focus();
  await page.keyboard.press('Control+a');
  await page.keyboard.press('Delete');
  await page.keyboard.insertText(text);
}

test('what is wrong in YAML is marked at its line and kept off the server; Tab leaves the editor', async () => {
  await s.api('POST', '/profiles', { Name: 'texts', Description: 'before' });
  const page = await visit(s, '#/objects/profiles/texts?tab=text');
  const editor = page.getByRole('textbox', { name: 'profiles texts' });
  await editor.waitFor();
  await type(page, editor, 'Name: texts\nDescription: after\nProfles: []\nMeta: [1]\n');
  await page.getByText('line 3: Profles: is not known here').waitFor();
  await page.getByText(/line 4: Meta: /).waitFor();
  await type(page, editor, 'Name: texts\nDescription: [\n');
  await page.getByText(/^line \d: /).first().waitFor();
  await type(page, editor, 'Name: texts\nDescription: after\nDocumentation: ""\nMeta: {}\nProfiles: []\nParams:\n  a/b: 1\n');
  await page.getByRole('switch', { name: 'Show what differs from what is stored' }).check({ force: true });
  await page.locator('.cm-deletedChunk').first().waitFor();
  await screenshot(page, 'kinds-editor');
  expect(await axe(page)).toEqual([]);
  await editor.focus();
  await page.keyboard.press('Tab');
  expect(await editor.evaluate((e) => e === document.activeElement)).toBe(false);
  await editor.press('Control+s');
  await page.getByRole('region', { name: 'Unsaved changes' }).waitFor({ state: 'detached' });
  expect(await s.api('GET', '/profiles/texts')).toMatchObject({ Description: 'after', Params: { 'a/b': 1 } });
  await page.context().close();
});

test('a secure param is masked, set in place and shown to those alone who may see it', async () => {
  await s.api('POST', '/params', { Name: 'bmc/password', Secure: true, Description: 'Of the BMC', Schema: { type: 'string', minLength: 4 } });
  await s.api('POST', '/params', { Name: 'rack/unit', Schema: { type: 'integer', minimum: 1, maximum: 48 } });
  await s.api('POST', '/profiles', { Name: 'secrets', Params: { 'bmc/password': 'hunter22' } });
  await s.api('POST', '/roles', { Name: 'reader', Claims: [{ scope: '*', action: 'list,get', specific: '*' }] });
  await s.api('POST', '/users', { Name: 'bob', Roles: ['reader'] });
  await s.api('PUT', '/users/bob/password', { Password: 'the password of bob' });

  const page = await visit(s, '#/objects/profiles/secrets?tab=params');
  const param = page.locator('[data-param="bmc/password"]');
  await param.getByLabel('bmc/password is sealed').waitFor();
  expect(await page.content()).not.toContain('hunter22');
  await param.getByRole('button', { name: 'Reveal' }).click();
  await param.getByText('hunter22').waitFor();
  await param.getByLabel('New value of bmc/password').fill('xyz');
  await param.getByText(/too short|minimum|length/i).waitFor();
  await param.getByLabel('New value of bmc/password').fill('correct horse');
  await page.getByRole('combobox', { name: 'Add a param' }).or(page.getByLabel('Add a param')).first().fill('rack/unit');
  await page.getByRole('button', { name: 'Add', exact: true }).click();
  await page.locator('[data-param="rack/unit"]').getByRole('textbox').fill('99');
  await page.locator('[data-param="rack/unit"]').getByText(/99.*48|maximum|greater/i).waitFor();
  await page.locator('[data-param="rack/unit"]').getByRole('textbox').fill('7');
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.getByRole('region', { name: 'Unsaved changes' }).waitFor({ state: 'detached' });
  expect(await s.api('GET', '/profiles/secrets/params')).toEqual({ 'bmc/password': expect.objectContaining({ Payload: expect.any(String) as string }) as object, 'rack/unit': 7 });
  expect(await s.api('GET', '/profiles/secrets/params/bmc/password?decode=true')).toBe('correct horse');
  await page.context().close();

  const other = await open(s, '#/objects/profiles/secrets?tab=params');
  forgive(other, /status of 403/);
  await login(other, 'bob', 'the password of bob');
  await other.getByRole('button', { name: 'Reveal bmc/password' }).click();
  await other.locator('[data-param="bmc/password"]').getByRole('alert').waitFor();
  expect(await other.content()).not.toContain('correct horse');
  await other.context().close();
});

test('files are uploaded, summed and deleted', async () => {
  const page = await visit(s, '#/files?path=tools%2F');
  forgive(page, /status of 404/); // the folder is not there yet
  await page.getByLabel('Upload to files').setInputFiles({ name: 'motd.txt', mimeType: 'text/plain', buffer: Buffer.from('hello') });
  const row = page.getByRole('row').filter({ hasText: 'motd.txt' });
  await row.getByRole('button', { name: 'Show size and checksum of motd.txt' }).click();
  await row.getByText('5 bytes').waitFor();
  await row.getByText('2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824').waitFor();
  expect(await s.api('GET', '/files?path=tools')).toEqual(['motd.txt']);
  await row.getByRole('button', { name: 'Delete motd.txt' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await row.waitFor({ state: 'detached' });
  expect(await s.api('GET', '/files?path=tools')).toEqual([]);
  await page.context().close();
});

test('a pool without an object is worked as others are, with what is done besides', async () => {
  await s.api('POST', '/machines', { Name: 'spare.example.com' });
  const page = await visit(s, '#/objects/pools');
  forgive(page, /status of 404/); // it has no object
  await page.getByRole('link', { name: 'default', exact: true }).click();
  await page.getByRole('button', { name: 'Allocate machines' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Only those with').fill('Name=spare.example.com');
  await page.keyboard.press('Enter');
  await dialog.getByText('What is done to them besides').click();
  await dialog.getByLabel('Add profiles').fill('secrets');
  await page.keyboard.press('Enter');
  await dialog.getByLabel('Add a param').first().fill('rack/unit');
  await dialog.getByRole('button', { name: 'Add', exact: true }).click();
  await dialog.locator('[data-param="rack/unit"]').getByRole('textbox').fill('7');
  await screenshot(page, 'kinds-pool-allocate');
  await dialog.getByRole('button', { name: 'Allocate', exact: true }).click();
  await dialog.waitFor({ state: 'detached' });
  expect(await s.api('GET', '/machines/Name:spare.example.com')).toMatchObject({ PoolStatus: 'InUse', Profiles: ['secrets'], Params: { 'rack/unit': 7 } });
});

test('the ISO image of a boot environment is uploaded where it is needed, and removed', async () => {
  await s.api('POST', '/bootenvs', { Name: 'sea-install', Kernel: 'vmlinuz', OS: { Name: 'sea', IsoFile: 'sea.iso', IsoUrl: 'https://example.com/sea.iso' } });
  const page = await visit(s, '#/objects/bootenvs/sea-install?tab=isos');
  const row = page.getByRole('row').filter({ hasText: 'sea.iso' });
  await row.getByText('missing').waitFor();
  expect(await axe(page)).toEqual([]);
  await screenshot(page, 'kinds-bootenv');
  await page.getByLabel('Upload sea.iso').setInputFiles({ name: 'download.iso', mimeType: 'application/octet-stream', buffer: Buffer.from('no image') });
  await row.getByText('is here').waitFor();
  expect(await s.api('GET', '/isos')).toContain('sea.iso');
  await page.getByRole('button', { name: 'Remove what was unpacked' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Remove', exact: true }).click();
  await row.getByText('missing').waitFor();
  expect(await s.api('GET', '/isos')).not.toContain('sea.iso');
});

test('files are imported as they were exported; what is there already stays, and is told of', async () => {
  await s.api('POST', '/templates', { ID: 'there.tmpl', Contents: 'before' });
  const page = await visit(s, '#/objects/templates');
  forgive(page, /status of 409/);
  const yaml = '- ID: there.tmpl\n  Contents: after\n- ID: new.tmpl\n  Contents: |\n    hello\n';
  await page.getByLabel('Import templates').setInputFiles([
    { name: 'two.yaml', mimeType: 'application/yaml', buffer: Buffer.from(yaml) }, { name: 'one.json', mimeType: 'application/json', buffer: Buffer.from('{"ID": "one.tmpl"}') },
  ]);
  await page.getByText('2 of templates are created').waitFor();
  await page.getByText('Not created: 1').waitFor();
  expect(await s.api('GET', '/templates/new.tmpl')).toMatchObject({ Contents: 'hello\n' });
  expect(await s.api('GET', '/templates/there.tmpl')).toMatchObject({ Contents: 'before' });
});

test('an object is seen as it was', async () => {
  await s.api('POST', '/profiles', { Name: 'aged', Description: 'when it was young' });
  await s.api('PATCH', '/profiles/aged', [{ op: 'replace', path: '/Description', value: 'now that it is old' }]);
  const page = await visit(s, '#/objects/profiles/aged?tab=history');
  await page.getByRole('button', { name: 'See it as it was' }).click();
  await page.getByRole('button', { name: 'Older' }).click();
  await page.getByText('was young', { exact: true }).waitFor();
  await page.getByText('is old', { exact: true }).waitFor(); // struck out
});

const saved = async (page: Page, button: string) => {
  const waiting = page.waitForEvent('download');
  await page.getByRole('button', { name: button }).click();
  const file = await waiting;
  return { name: file.suggestedFilename(), bytes: readFileSync(await file.path()) };
};

test('what helps others to help is saved: a bundle, a measurement, the certificate; events are sent to all', async () => {
  const secrets = Object.entries(await s.api<Record<string, string>>('GET', '/prefs')).filter(([k, v]) => /Secret$/.test(k) && v !== '').map(([, v]) => v);
  const page = await visit(s, '#/system');
  const bundle = await saved(page, 'Save a support bundle');
  expect(bundle.name).toMatch(/^drp-support-bundle-.*\.zip$/);
  const text = bundle.bytes.toString();
  for (const file of ['info', 'contents', 'prefs', 'counts', 'errors', 'log']) expect(text, file).toContain(`drp-support/${file}.json`);
  for (const secret of ['hunter22', 'correct horse', s.token(), ...secrets]) expect(text.includes(secret)).toBe(false);

  await page.getByRole('combobox', { name: 'Measure' }).click();
  await page.getByRole('option', { name: 'what it does now' }).click();
  expect((await saved(page, 'Measure and save')).bytes.subarray(0, 2)).toEqual(Buffer.from([0x1f, 0x8b])); // as pprof reads it
  expect((await saved(page, 'Save the present ones')).bytes.toString()).toContain('BEGIN CERTIFICATE');
  await screenshot(page, 'kinds-system');
  expect(await axe(page)).toEqual([]);

  await go(page, '#/events?filter=site.*.*');
  await page.getByRole('button', { name: 'Send an event' }).click();
  await page.getByRole('textbox', { name: 'Type' }).fill('site');
  await page.getByRole('textbox', { name: 'Action' }).fill('announce');
  await page.getByRole('textbox', { name: 'Key' }).fill('all');
  await page.getByRole('textbox', { name: 'Object' }).fill('{"text": "back at noon"}');
  await page.getByRole('button', { name: 'Send', exact: true }).click();
  await page.getByRole('button', { name: /back at noon/ }).waitFor();
});

test('a token may be narrower than its user', async () => {
  await s.api('POST', '/users', { Name: 'cyd', Roles: ['superuser'] });
  const page = await visit(s, '#/objects/users/cyd');
  await page.getByRole('button', { name: 'Token', exact: true }).click();
  await page.getByLabel('Scope').fill('profiles');
  await page.getByLabel('Actions').fill('list');
  await page.getByRole('button', { name: 'Make' }).click();
  const token = (await page.locator('[data-token]').textContent())!;
  await screenshot(page, 'kinds-token');
  expect((await s.ask('GET', '/api/v3/profiles', undefined, { Authorization: `Bearer ${token}` })).status).toBe(200);
  expect((await s.ask('POST', '/api/v3/profiles', { Name: 'refused' }, { Authorization: `Bearer ${token}` })).status).toBe(403);
});
