// A server full of what somebody may have put there to harm those who look at it. Of all pages: no
// script of it runs, nothing goes elsewhere, nothing is against the policy, and no page fails. The
// harness sees to the middle two.
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { forgive, login, open, server, USER, visit, type Server } from './harness.ts';

const s = await server();

const elsewhere = 'https://elsewhere.invalid/';
const evil = [
  '<script>window.harmed=1</script>', '<img src=x onerror="window.harmed=1">', '"><svg onload=window.harmed=1>', 'javascript:window.harmed=1', `data:text/html,<script>window.harmed=1</script>`,
  `[x](javascript:window.harmed=1) ![x](${elsewhere}a.png)`, `<style>@import "${elsewhere}a.css"</style>`, '\u202egnp.exe\u2066\u0007\u001b[2J', `\u001b]8;;javascript:window.harmed=1\u0007click\u001b]8;;\u0007 \u001b[31mred`,
  "{{constructor.constructor('window.harmed=1')()}}", '__proto__', 'constructor', `${elsewhere}x`, `//elsewhere.invalid/x`, '\ud83d\ude00\u0301\u0000'.replace('\u0000', ''),
].join('\n');
const harmless = evil.replaceAll('{{', '{ {'); // as a template
const word = '<img src=x onerror=window.harmed=1>';
const colours = [`red;background:url(${elsewhere}a)`, `url(${elsewhere}b)`, `image-set("${elsewhere}c" 1x)`, 'var(--x)', 'expression(window.harmed=1)'];
const icon = `x");background:url(${elsewhere}d);x:("`;
const deep = (n: number): string => '['.repeat(n) + '1' + ']'.repeat(n);
// Written by hand: these are names of members, not of what a literal inherits from.
const oddNames = `"nested": {"__proto__": {"polluted": true}, "constructor": 1}, "constructor": "${'a'.repeat(500)}", "toString": {"prototype": {"polluted": true}}, "hasOwnProperty": "x", "length": -1`;

async function make(kind: string, body: string | object): Promise<Record<string, string>> {
  const got = await s.ask('POST', `/api/v3/${kind}`, body, { Authorization: `Bearer ${s.token()}` });
  if (got.status >= 300) throw new Error(`${kind}: ${got.status} ${got.text.slice(0, 300)}`);
  return got.status < 300 && got.text ? (JSON.parse(got.text) as Record<string, string>) : {};
}

async function fill(on: Server) {
  const Meta = { icon, color: colours[0]!, title: evil, ...Object.fromEntries(colours.map((c, i) => [`colour${i}`, c])) };
  const about = { Description: evil, Documentation: evil, Meta };
  const doubled = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`d${i}`, { allOf: [{ $ref: `#/definitions/d${i + 1}` }, { $ref: `#/definitions/d${i + 1}` }] }]));
  await make('params', { Name: 'constructor', ...about, Schema: { type: 'string', pattern: '^(a+)+$' } });
  await make('params', { Name: 'toString', ...about, Schema: { type: 'object' } });
  await make('params', { Name: 'doubled', ...about, Schema: { $ref: '#/definitions/d0', definitions: { ...doubled, d40: {} } } });
  await make('params', { Name: 'secret', ...about, Secure: true, Schema: { type: 'string' } });
  await make('templates', { ID: 'evil.tmpl', Contents: harmless, ...about });
  await make('tasks', { Name: 'evil-task', ...about, Templates: [{ Name: word, Contents: harmless, Meta: { note: evil } }] });
  await make('stages', { Name: 'evil-stage', ...about, Tasks: ['evil-task'] });
  await make('workflows', { Name: 'evil-flow', ...about, Stages: ['evil-stage'] });
  for (const kind of ['profiles', 'roles', 'tenants', 'users', 'contexts', 'bootenvs', 'stages']) await make(kind, { Name: 'constructor', ...about });
  const params = `{${oddNames}, "deep": ${deep(200)}, "long": "${'a'.repeat(900_000)}", "text": ${JSON.stringify(evil)}, "secret": "PLAIN-SECRET", "cluster-profile": "evil", "cluster/profile": "evil"}`;
  await make('profiles', `{"Name": "evil", "Description": ${JSON.stringify(evil)}, "Meta": {"icon": ${JSON.stringify(icon)}, "color": ${JSON.stringify(colours[1])}, "__proto__": "x", "constructor": "y"}, "Params": ${params}}`);
  const machine = await make('machines', `{"Name": "${'a'.repeat(60)}.x", "Description": ${JSON.stringify(evil)}, "Workflow": "evil-flow", "Profiles": ["evil"], "Params": ${params}, "Meta": {"icon": ${JSON.stringify(icon)}, "color": ${JSON.stringify(colours[2])}, "__proto__": "x", "constructor": "y"}}`);
  await make('machines', { Name: 'constructor', Description: word, Meta });
  for (const color of colours) await make('machines', { Name: `m${colours.indexOf(color)}`, Meta: { color, icon: 'javascript:window.harmed=1' } });
  const job = await make('jobs', { Machine: machine.Uuid });
  await on.ask('PUT', `/api/v3/jobs/${job.Uuid}/log`, `${evil}\n`.repeat(50) + '\u001b['.repeat(5000) + '\r\b'.repeat(5000) + 'x'.repeat(1 << 20), { Authorization: `Bearer ${on.token()}`, 'Content-Type': 'application/octet-stream' });
  await on.api('PATCH', `/jobs/${job.Uuid}`, [{ op: 'replace', path: '/State', value: 'failed' }, { op: 'replace', path: '/ExitState', value: 'failed' }, { op: 'add', path: '/Meta/cancelled', value: evil }]);
  await on.api('PATCH', `/machines/${machine.Uuid}`, [{ op: 'replace', path: '/Params/text', value: evil + evil }, { op: 'add', path: '/Meta/prototype', value: evil }]);
  for (const where of ['files', 'isos']) {
    const put = (name: string) => on.ask('POST', `/api/v3/${where}/${encodeURIComponent(name)}`, evil, { Authorization: `Bearer ${on.token()}`, 'Content-Type': 'application/octet-stream' });
    for (const name of [word, '__proto__', 'javascript:window.harmed=1', 'a\u202egnp.html']) await put(name);
  }
  await make('contents', { meta: { Name: 'evil-pack', Version: 'v1.0.0', Description: evil, Documentation: evil, Color: colours[0], Icon: icon, Author: evil, CodeSource: 'javascript:window.harmed=1', DocUrl: 'javascript:window.harmed=1', Source: evil, Order: '1' }, sections: { profiles: { 'from-pack': { Name: 'from-pack', Description: evil } } } });
  const provider = { Name: 'evil-provider', Version: 'v1.0.0', PluginVersion: 4, Documentation: evil, RequiredParams: ['constructor'], OptionalParams: ['toString'], AvailableActions: [{ Model: 'machines', Command: 'constructor', RequiredParams: ['constructor'], OptionalParams: [] }] };
  await make('plugin_providers/evil-provider', `#!/bin/sh\n[ "$1" = define ] && cat <<'END'\n${JSON.stringify(provider)}\nEND\nexit 0\n`);
  await make('plugins', { Name: 'evil-plugin', Provider: 'evil-provider', Description: evil, Params: { constructor: 'aaa' } });
  await make('events', { Type: word, Action: word, Key: evil.slice(0, 200), Object: { text: evil } });
  return { machine: machine.Uuid!, job: job.Uuid! };
}

/** What the page has come to: nothing of what was put there has run, and the page is as it should be. */
async function unharmed(page: Page, where: string) {
  const found = await page.evaluate(() => {
    const links = [...document.querySelectorAll('a[href], form[action], iframe, object, embed, base, [src]')]
      .map((e) => e.getAttribute('href') ?? e.getAttribute('src') ?? e.tagName)
      .filter((h) => !h.startsWith('#') && !/^(\.{0,2}\/|blob:)/.test(h));
    return { harmed: (window as { harmed?: number }).harmed, polluted: 'polluted' in {} || Object.keys(Object.prototype).length, links, injected: document.querySelectorAll('main script, main style, main svg[onload], main img[onerror]').length };
  });
  expect(found, where).toEqual({ harmed: undefined, polluted: 0, links: [], injected: 0 });
  expect(await page.getByText('This page has failed').count(), `${where} has failed`).toBe(0);
  expect(await page.getByText('PLAIN-SECRET').count(), `${where} shows a secret`).toBe(0);
}

test('no page runs, fetches or falls over what somebody has put on the server', async () => {
  const { machine, job } = await fill(s);
  const page = await visit(s, '#/events');
  forgive(page, /status of 404/); // of what is not there
  let shown = 0; // places that show what was put there
  page.on('dialog', () => expect.unreachable('a dialog of a script'));
  await make('events', { Type: word, Action: word, Key: word, Object: { text: evil } });
  const name = encodeURIComponent(word);
  const kinds = ['params', 'profiles', 'machines', 'templates', 'tasks', 'stages', 'workflows', 'bootenvs', 'roles', 'tenants', 'users', 'contexts', 'plugins', 'plugin_providers', 'jobs'];
  const objects = [
    'params/constructor', 'params/toString', 'params/doubled', 'profiles/evil', 'profiles/constructor', 'templates/evil.tmpl', 'tasks/evil-task', 'stages/evil-stage', 'workflows/evil-flow', 'bootenvs/constructor', 'roles/constructor',
    'users/constructor', 'plugins/evil-plugin', 'plugin_providers/evil-provider', `machines/${machine}`,
  ];
  const places = [
    'events', '', 'machines', 'machines?filter=' + encodeURIComponent('Name=Re(^(a+)+$)'), 'machines?filter=' + encodeURIComponent('constructor=x Meta.constructor=y __proto__=1'), 'wall', 'wall?group=constructor', 'clusters', 'clusters/evil', 'jobs', `jobs/${job}`,
    'objects', ...kinds.map((k) => `objects/${k}`), ...objects.map((o) => `objects/${o}`), `machines/${machine}`, 'contents', 'contents/evil-pack', 'preview', 'plugins', 'files', 'isos', 'history', 'logs', 'prefs', 'system',
    `nowhere/${name}`, `objects/${name}`, `objects/profiles/${name}${name}`, `machines/${name}`, 'machines/__proto__', 'objects/__proto__/constructor', 'objects/constructor', `jobs/${name}`, `contents/${name}`, `clusters/${name}`, '/elsewhere.invalid', 'javascript:window.harmed=1', `%E0%A4%A`,
  ];
  for (const place of places) {
    await page.evaluate((h) => void (location.hash = h), `#/${place}`);
    await page.locator('main h1').first().waitFor();
    await page.waitForLoadState('networkidle');
    await unharmed(page, place);
    const tabs = page.getByRole('main').getByRole('tab');
    for (let i = 0; i < (await tabs.count()); i++) {
      if (!(await tabs.nth(i).isEnabled())) continue;
      await tabs.nth(i).click();
      await page.waitForLoadState('networkidle');
      await unharmed(page, `${place}, tab ${i}`);
    }
    if ((await page.getByText('window.harmed=1').count()) > 0) shown++;
  }
  expect(new URL(page.url()).origin).toBe(s.url);
  expect(shown).toBeGreaterThan(20);
});

/** A page whose session then ends, as the server has it. */
async function ending(hash: string) {
  const page = await open(s, hash);
  forgive(page, /status of 403/, /WebSocket connection to .* failed/);
  const granted = page.waitForResponse((r) => r.url().includes('/token') && r.request().method() === 'GET');
  await login(page);
  const { Token: token } = (await (await granted).json()) as { Token: string };
  await page.getByText('live', { exact: true }).waitFor();
  const dialog = page.getByRole('dialog', { name: 'The session has ended' });
  const end = () => s.api('DELETE', `/users/${USER}/token`, undefined, token).then(() => dialog.waitFor());
  return { page, dialog, end };
}

test('who signs in next finds nothing of the one before: no question, no message, no place', async () => {
  await s.api('POST', '/profiles', { Name: 'private-plans' });
  const { page, dialog, end } = await ending('#/objects/profiles/private-plans');
  await page.getByRole('main').getByRole('button', { name: 'Delete' }).click();
  const question = page.getByRole('dialog', { name: 'Delete private-plans?' });
  await question.waitFor();
  await end();
  await dialog.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('heading', { name: 'drp' }).waitFor();
  await question.waitFor({ state: 'detached' });
  expect(await page.content()).not.toContain('private-plans');
  expect(new URL(page.url()).hash).toBe('#/');
  await login(page);
  await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
});

test('a session that has ended goes on with a token of the same user, and of nobody else', async () => {
  const tokenOf = async (user: string) => (await s.api<{ Token: string }>('GET', `/users/${user}/token`)).Token;
  await s.api('POST', '/users', { Name: 'ann' });
  const { page, dialog, end } = await ending('#/no/such/page');
  await end();
  await dialog.getByText('With token').click();
  await dialog.getByRole('textbox', { name: 'Token' }).fill(await tokenOf('ann'));
  await dialog.getByRole('button', { name: 'Sign in' }).click();
  await dialog.getByText('this token is of ann').waitFor();
  await dialog.getByRole('textbox', { name: 'Token' }).fill(await tokenOf(USER));
  await dialog.getByRole('button', { name: 'Sign in' }).click();
  await dialog.waitFor({ state: 'detached' });
  await page.getByText('There is no such page').waitFor();
});
