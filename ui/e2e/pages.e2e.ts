// The laws that every page keeps, over the table of the pages itself, on a server that has been worked with:
// a cluster half way, a machine that has failed, long names, many params, a secret, packs and plugins.
import { resolve } from 'node:path';
import type { Page, Request, WebSocket } from 'playwright-core';
import { beforeAll, expect, test, vi } from 'vitest';
import { places } from '../src/app/routes.tsx';
import { axe, demoCluster, login, open, screenshot, server, visit, type Server } from './harness.ts';

const long = 'a-machine-whose-name-is-as-long-as-those-that-clouds-give.rack-0042.row-17.europe-north-1.compute.internal.example.com';

/** An object for each path that needs one, and more of what can be seen there. A path without is a failure. */
interface Samples {
  [path: string]: string[];
}

async function livedIn(s: Server): Promise<Samples> {
  const cluster = await demoCluster(s, 4);
  await cluster.members[3].runner.stop(); // the others have to wait for it
  await cluster.run();

  await s.api('POST', '/params', { Name: 'bmc/password', Secure: true, Description: 'Of the BMC', Schema: { type: 'string' } });
  await s.api('POST', '/params', { Name: 'rack/unit', Description: 'Where it is in the rack', Schema: { type: 'integer', minimum: 1, maximum: 48 } });
  const many = Object.fromEntries(Array.from({ length: 120 }, (_, i) => [`inventory/${['disk', 'nic', 'dimm'][i % 3]}-${i}`, i % 4 ? `serial ${i * 7919}` : { vendor: 'ACME', slots: [i, i + 1], healthy: i % 8 === 0 }]));
  await s.api('POST', '/profiles', { Name: 'rack', Description: 'What a rack has in common', Params: { 'bmc/password': 'hunter22', 'rack/unit': 7 } });

  const paint = ['echo preparing the disks', "printf 'a \\033[32mgreen\\033[0m word, a \\033[31;1mred\\033[0m one and \\033[44mblue\\033[0m ground\\n'", 'for i in $(seq 200); do echo "line $i of many, which says a little about what is done"; done'];
  const task = (Name: string, ...lines: string[]) => s.api('POST', '/tasks', { Name, Description: `Does ${Name}`, Templates: [{ Name: `${Name}.sh`, Contents: ['#!/bin/bash', ...lines].join('\n') }] });
  await task('paint', ...paint);
  await task('break', 'echo looking for the part', 'echo "ERROR: the part is missing" >&2', 'exit 7');
  await s.api('POST', '/stages', { Name: 'workshop', Description: 'Paint, then break', Tasks: ['paint', 'break'] });
  await s.api('POST', '/workflows', { Name: 'repair', Stages: ['workshop'] });
  const m = await s.api<{ Uuid: string }>('POST', '/machines', {
    Name: long, Description: 'Painted, and broken since', Workflow: 'repair', Profiles: ['rack'], Address: '192.168.124.10', HardwareAddrs: ['52:54:00:12:34:56'], Params: many, Meta: { icon: 'ship', color: 'blue' },
  });
  for (let i = 1; i <= 30; i++) await s.api('POST', '/machines', { Name: `web${i}.example.com`, Profiles: i % 3 ? ['rack'] : [], Locked: i === 7, Meta: { icon: 'database', color: 'teal' } });
  await s.runner(m.Uuid);

  await s.api('POST', '/pools', { Id: 'workers', Description: 'Those who work' });
  await s.api('POST', '/roles', { Name: 'watcher', Claims: [{ scope: 'machines', action: 'list,get', specific: '*' }] });
  await s.drp('plugin_providers', 'upload', resolve(import.meta.dirname, '../..', process.env.DRP_BIN ?? 'bin', 'callback'));
  await s.api('POST', '/plugins', { Name: 'calls', Provider: 'callback' }); // a required param is missing
  await s.api('POST', '/files/tools/motd.txt', 'hello');
  await s.api('POST', '/isos/small.iso', 'no real one');

  await vi.waitFor(
    async () => {
      expect(await s.api('GET', '/jobs?Task=break&State=failed')).toHaveLength(1);
      expect(await s.api('GET', `/profiles/${cluster.profile}/params/cluster/machines`)).toHaveLength(3);
    },
    { timeout: 60_000, interval: 200 },
  );
  const [painted, broken] = await Promise.all(['paint', 'break'].map(async (t) => (await s.api<{ Uuid: string }[]>('GET', `/jobs?Task=${t}`))[0].Uuid));
  const machine = `/machines/${m.Uuid}`;
  const rev = (await s.api<{ Rev: number }[]>('GET', `/profiles/${cluster.profile}/history?limit=10`)).at(-1)!.Rev;
  return {
    '/machines': ['/machines', '/machines?filter=nothing'],
    '/machines/:uuid': [machine, ...['params', 'tasks', 'jobs', 'log', 'history', 'edit'].map((t) => `${machine}?tab=${t}`)],
    '/wall': ['/wall', '/wall?group=profile&size=l'],
    '/clusters/:profile': [`/clusters/${cluster.profile}`, `/clusters/${cluster.profile}?at=${rev}`],
    '/jobs/:uuid': [`/jobs/${broken}`, `/jobs/${painted}`, `/jobs/${painted}?tab=scripts`, `/jobs/${painted}?tab=changes`],
    '/objects/:kind': ['/objects/profiles', '/objects/stages?create=1', '/objects/tenants'],
    '/objects/:kind/*': ['/objects/profiles/rack', '/objects/profiles/rack?tab=params', '/objects/profiles/rack?tab=text', '/objects/profiles/rack?tab=history', '/objects/tasks/paint?tab=templates', '/objects/roles/watcher', '/objects/pools/workers'],
    '/contents/:name': ['/contents/cluster-demo'],
    '/preview': ['/preview', `/preview?key=paint&machine=${m.Uuid}`],
    '/history': ['/history?kind=profiles', '/history'],
    '/files': ['/files', '/files?path=tools%2F'],
  };
}

const s = await server();
let samples: Samples = {};
beforeAll(async () => {
  samples = await livedIn(s);
});

const themes = ['light', 'dark'] as const;
const heading = (page: Page) => page.getByRole('heading', { level: 1 });
const go = (page: Page, place: string) => page.evaluate((p) => void (location.hash = '#' + p), place);
const picture = (place: string, ...how: (string | number)[]) => ['page', place.replace(/[0-9a-f-]{36}/, 'one').replace(/\W+/g, '-') || 'overview', ...how].join('-');

interface Net {
  pending: Set<Request>;
  sent: string[];
  sockets: number; // open ones
}

/** What the page has to do with its server, from before its first byte. Logs are followed, and who waits is asked, for as long as that is shown. */
function net(page: Page): Net {
  const n: Net = { pending: new Set(), sent: [], sockets: 0 };
  page.on('request', (r) => {
    if (r.isNavigationRequest()) n.sockets = 0; // those of the page before went with it
    if (/\/(log|waits)\b/.test(r.url())) return;
    n.pending.add(r);
    if (r.url().includes('/api/')) n.sent.push(`${r.method()} ${r.url().replace(/.*\/api/, '/api')}`);
  });
  for (const end of ['requestfinished', 'requestfailed'] as const) page.on(end as 'requestfinished', (r) => n.pending.delete(r));
  page.on('websocket', (ws: WebSocket) => {
    n.sockets++;
    ws.on('close', () => n.sockets--);
  });
  return n;
}

/** Returns when the page has come: nothing is being loaded any more. */
async function settled(page: Page, n: Net) {
  await heading(page).first().waitFor();
  const done = async () => n.pending.size === 0 && (await page.getByLabel(/^Loading/).or(page.getByText('Loading …')).filter({ visible: true }).count()) === 0;
  await expect.poll(async () => (await done()) && (await page.waitForTimeout(150), await done()), { timeout: 20_000, message: page.url() }).toBe(true);
}

/** What makes the page wider than its window. */
const sideways = (page: Page) =>
  page.evaluate(() =>
    document.documentElement.scrollWidth <= innerWidth ? [] : [...document.querySelectorAll('body *')].filter((e) => e.getBoundingClientRect().right > innerWidth + 1).map((e) => e.outerHTML.slice(0, 160)),
  );

/** Buttons and links that nobody can call by a name. */
const nameless = async (page: Page) => (await page.locator('body').ariaSnapshot()).split('\n').filter((l) => /^\s*- (button|link|tab|menuitem|checkbox|combobox|textbox|switch)(?=:|$| \[)/.test(l));

const outline = (page: Page) => page.evaluate(() => ({ address: location.hash, title: document.title, headings: [...document.querySelectorAll('h1, h2, [role=tab][aria-selected=true]')].map((h) => h.textContent) }));

/** Goes through the page by Tab alone, and tells what cannot be reached and what does not show that it has the focus. */
async function tabs(page: Page): Promise<string[]> {
  const count = await page.evaluate(() => {
    const still = new CSSStyleSheet();
    still.replaceSync('* { transition: none !important; animation: none !important; }');
    document.adoptedStyleSheets.push(still);
    const all = [...document.querySelectorAll<HTMLElement>('a[href], button, input, select, textarea, [tabindex], [contenteditable=true]')].filter(
      (e) => e.tabIndex >= 0 && !e.matches(':disabled, [type=hidden], [aria-hidden=true]') && e.checkVisibility({ visibilityProperty: true, contentVisibilityAuto: true }) && e.getClientRects().length > 0 && !e.closest('[inert]'),
    );
    // One radio button of a group is a stop.
    const stops = all.filter((e) => !(e instanceof HTMLInputElement && e.type === 'radio' && !e.checked));
    const looks = (e: Element): string => {
      const found: string[] = [];
      const near = [e, e.parentElement, e.parentElement?.parentElement, e.parentElement?.parentElement?.parentElement, e.nextElementSibling].filter((x): x is Element => x instanceof Element);
      for (const x of near) {
        const c = getComputedStyle(x);
        found.push(c.outlineStyle === 'none' ? '' : c.outlineStyle + c.outlineWidth + c.outlineColor, c.boxShadow, c.borderColor, c.backgroundColor);
      }
      return found.join();
    };
    const before = new Map(stops.map((e) => [e, looks(e)]));
    const w = { seen: new Set<Element>(), unseen: [] as string[], first: undefined as Element | undefined, round: false, stops };
    Object.assign(globalThis, { walk: w });
    addEventListener('focusin', (e) => {
      const at = e.target as HTMLElement;
      if (w.first === at) w.round = true;
      w.first ??= at;
      if (before.get(at) === looks(at)) w.unseen.push(at.outerHTML.slice(0, 200));
      w.seen.add(at);
    });
    (document.activeElement as HTMLElement | null)?.blur();
    return stops.length;
  });
  const ended = () => page.evaluate(() => (globalThis as unknown as { walk: { round: boolean } }).walk.round);
  let presses = 0;
  for (const most = count * 2 + 60; presses < most && !(presses % 10 === 0 && (await ended())); presses++) await page.keyboard.press('Tab');
  return page.evaluate(() => {
    const { walk } = globalThis as unknown as { walk: { seen: Set<Element>; unseen: string[]; round: boolean; stops: Element[] } };
    const missed = walk.stops.filter((e) => e.isConnected && !walk.seen.has(e) && (e as HTMLElement).tabIndex >= 0);
    return [...(walk.round ? [] : [`the focus is trapped at ${document.activeElement?.outerHTML.slice(0, 160)}`]), ...walk.unseen.map((h) => `focus is not seen: ${h}`), ...missed.map((e) => `not reached by Tab: ${e.outerHTML.slice(0, 200)}`)];
  });
}

test.each(places.map((p) => p.path))('%s', async (path) => {
  const [place, ...more] = samples[path] ?? [path];
  expect(place, 'an object of the world for it').not.toMatch(/[:*]/);
  const page = await open(s, '#' + place); // by its address alone
  const n = net(page);
  await login(page);
  await settled(page, n);
  const was = await outline(page);
  expect(was.title).toMatch(/^\S.* · drp$/);
  const found: string[] = [];
  const look = async (at: string, width: number, how: readonly ('light' | 'dark')[] = themes) => {
    for (const [i, theme] of how.entries()) {
      await page.emulateMedia({ colorScheme: theme });
      const problems = await axe(page, { colours: i > 0, within: at === place ? undefined : 'main' });
      found.push(...problems.map((f) => `${at} ${theme} ${width}: ${f}`));
      await screenshot(page, picture(at, theme, width));
    }
    found.push(...(await sideways(page)).map((f) => `${at} ${width}: too wide: ${f}`), ...(await nameless(page)).map((f) => `${at} ${width}: no name: ${f}`));
    if ((await heading(page).count()) !== 1) found.push(`${at} ${width}: not one h1`);
    if (n.sockets !== 1) found.push(`${at} ${width}: ${n.sockets} websockets`);
  };

  // Nothing is asked while nothing changes. When a runner has told that it lives, that is tried again.
  const revision = async () => (await s.api<{ Rev: number }[]>('GET', '/history?limit=1'))[0].Rev;
  for (let tries = 0, still = false; !still && tries < 5; tries++) {
    const rev = await revision();
    n.sent = [];
    const began = Date.now();
    if (tries === 0) await look(place, 1440);
    await page.waitForTimeout(Math.max(0, began + 3000 - Date.now()));
    still = (await revision()) === rev;
    if (still) found.push(...n.sent.map((r) => `asked though nothing has changed: ${r}`));
  }

  found.push(...(await tabs(page)));
  const help = page.getByRole('button', { name: 'Keyboard shortcuts' });
  for (const key of ['?', '/']) {
    await help.focus();
    await page.keyboard.press(key);
    await page.getByRole('dialog').waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await expect.poll(() => help.evaluate((e) => e === document.activeElement), { message: `focus after ${key}` }).toBe(true);
  }

  await go(page, path === '/system' ? '/prefs' : '/system');
  await expect.poll(() => page.title()).not.toBe(was.title);
  await page.goBack();
  await settled(page, n);
  expect(await outline(page)).toEqual(was);
  for (const other of more) {
    await go(page, other);
    await settled(page, n);
    await look(other, 1440, ['light']);
  }

  // Loaded again it shows the same, on a telephone too.
  await page.setViewportSize({ width: 390, height: 844 });
  if (more.length > 0) await go(page, place);
  await page.reload();
  await login(page);
  await settled(page, n);
  expect(await outline(page)).toEqual(was);
  await look(place, 390);
  for (const other of more) {
    await go(page, other);
    await settled(page, n);
    await look(other, 390, ['dark']);
  }
  expect(found).toEqual([]);
});

test('a server that has nothing yet has words for it everywhere', async () => {
  const fresh = await server();
  for (const [width, theme] of [[1440, 'light'], [390, 'dark']] as const) {
    const page = await visit(fresh, '#/', { width, theme });
    for (const { path } of places.filter((p) => !/[:*]/.test(p.path))) {
      await go(page, path);
      await heading(page).first().waitFor();
      await page.getByLabel(/^Loading/).first().waitFor({ state: 'detached' });
      expect((await page.getByRole('main').innerText()).length, path).toBeGreaterThan(30);
      expect(await sideways(page), path).toEqual([]);
      await screenshot(page, picture(path, 'empty', theme, width));
    }
    await page.context().close();
  }
});
