import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import type { Page } from 'playwright-core';
import { beforeAll, expect, test } from 'vitest';
import { browser, screenshot, server, visit } from './harness.ts';

// 10,000 machines in a real server, and events without end. The figures are printed; only that what is
// shown is right is a matter of passing.
const machines = Number(process.env.UI_MACHINES ?? 10_000);
const seconds = Number(process.env.UI_SECONDS ?? 5);
const rate = 100; // events a second

const s = await server();
const agent = new Agent({ keepAlive: true, maxSockets: 24, rejectUnauthorized: false });
const uuids: string[] = [];

function call(method: string, path: string, body: unknown): Promise<string> {
  return new Promise((done, fail) => {
    const r = request(`${s.url}/api/v3${path}`, { method, agent, headers: { Authorization: `Bearer ${s.token()}` } }, (res) => {
      let text = '';
      res.on('data', (part: Buffer) => (text += part.toString()));
      res.on('end', () => ((res.statusCode ?? 500) < 300 ? done(text) : fail(new Error(`${method} ${path}: ${res.statusCode} ${text}`))));
    });
    r.on('error', fail);
    r.end(JSON.stringify(body));
  });
}

const colors = ['red', 'green', 'blue', 'orange', 'purple', 'teal', 'grey', 'yellow'];
const icons = ['server', 'anchor', 'database', 'cloud', 'microchip', 'plug'];
const name = (n: number) => `m${String(n).padStart(5, '0')}.rack-${n % 250}.example.com`;

beforeAll(async () => {
  await s.api('POST', '/profiles', { Name: 'fleet', Params: { 'rack/unit': 1 } });
  const began = Date.now();
  let next = 0;
  const work = async () => {
    for (let n = next++; n < machines; n = next++) {
      const Params = { 'rack/name': `rack-${n % 250}`, 'bmc/address': `10.0.${n >> 8}.${n & 255}` };
      const machine = { Name: name(n), Profiles: ['fleet'], Description: `machine ${n}`, Params, Meta: { icon: icons[n % icons.length], color: colors[n % colors.length] } };
      uuids[n] = (JSON.parse(await call('POST', '/machines', machine)) as { Uuid: string }).Uuid;
    }
  };
  await Promise.all(Array.from({ length: 24 }, work));
  figure('machines made', `${machines} in ${Date.now() - began} ms`);
}, 600_000);

const figure = (what: string, value: string) => console.log(`figure: ${what}: ${value}`);

const quantile = (list: number[], q: number) => list.toSorted((a, b) => a - b)[Math.min(list.length - 1, Math.floor(list.length * q))];
const spread = (list: number[]) => `p50 ${quantile(list, 0.5).toFixed(0)} ms, p99 ${quantile(list, 0.99).toFixed(0)} ms, most ${Math.max(...list).toFixed(0)} ms (${list.length})`;

/** Milliseconds from going to an address of the page until something of it is painted. */
const painted = (page: Page, hash: string, selector: string) =>
  page.evaluate(
    ([to, what]) =>
      new Promise<number>((done) => {
        const began = performance.now();
        const look = () => {
          if (!document.querySelector(what)) return requestAnimationFrame(look);
          return requestAnimationFrame(() => setTimeout(() => done(performance.now() - began)));
        };
        location.hash = to;
        requestAnimationFrame(look);
      }),
    [hash, selector],
  );

/** Makes the page note when it has painted what became of each tile, by the clock of this host. */
const watchTiles = (page: Page) =>
  page.evaluate(() => {
    const seen: Record<string, number> = {};
    (globalThis as unknown as { seen: Record<string, number> }).seen = seen;
    const note = new MutationObserver((list) => {
      const changed = new Set<string>();
      for (const m of list) {
        const at = (m.target instanceof Element ? m.target : m.target.parentElement)?.closest<HTMLElement>('[data-uuid]');
        if (at?.dataset.uuid) changed.add(at.dataset.uuid);
      }
      if (changed.size) requestAnimationFrame(() => setTimeout(() => changed.forEach((u) => (seen[u] = Date.now()))));
    });
    note.observe(document.body, { subtree: true, childList: true, attributes: true, characterData: true });
  });

async function memory(page: Page): Promise<string> {
  const tab = await page.context().newCDPSession(page);
  await tab.send('HeapProfiler.collectGarbage');
  await tab.send('Performance.enable');
  const { metrics } = await tab.send('Performance.getMetrics');
  const heap = metrics.find((m) => m.name === 'JSHeapUsedSize')!.value;
  const { processInfo } = await (await (await browser()).newBrowserCDPSession()).send('SystemInfo.getProcessInfo');
  const sizes = processInfo.filter((p) => p.type === 'renderer').map((p) => rollup(p.id));
  const most = sizes.toSorted((a, b) => b.Rss - a.Rss)[0] ?? { Rss: 0, Pss: 0 };
  return `JS heap ${(heap / 1e6).toFixed(0)} MB, renderer RSS ${most.Rss.toFixed(0)} MB, PSS ${most.Pss.toFixed(0)} MB`;
}

function rollup(pid: number): { Rss: number; Pss: number } {
  try {
    const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
    const of = (word: string) => Number(new RegExp(`^${word}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0) / 1000;
    return { Rss: of('Rss'), Pss: of('Pss') };
  } catch {
    return { Rss: 0, Pss: 0 }; // it has just ended
  }
}

test('the list: first paint, and a filter as it is typed', async () => {
  const page = await visit(s, '#/no/such/page');
  await page.getByText('There is no such page').waitFor();
  figure('first paint of the list', `${(await painted(page, '#/machines', 'tr[aria-rowindex="2"]')).toFixed(0)} ms`);
  const rows = () => page.getByRole('grid', { name: 'Machines' }).getAttribute('aria-rowcount').then(Number);
  await expect.poll(rows, { timeout: 60_000 }).toBe(machines + 1);
  const filter = page.getByLabel('Filter machines', { exact: true });
  await filter.click();
  const keys = 'rack-17';
  await page.evaluate(() => {
    const took: number[] = [];
    Object.assign(globalThis, { took });
    document.addEventListener(
      'keydown',
      (e) => {
        let last = 0;
        const watch = new MutationObserver(() => requestAnimationFrame(() => setTimeout(() => (last = performance.now()))));
        watch.observe(document.querySelector('[role=grid]')!, { attributes: true, attributeFilter: ['aria-rowcount'] });
        setTimeout(() => {
          watch.disconnect();
          took.push(Math.max(last - e.timeStamp, 0));
        }, 900);
      },
      true,
    );
  });
  for (let round = 0; round < 3; round++) {
    for (const key of keys) {
      await page.keyboard.press(key);
      await page.waitForTimeout(1000); // what one key changes is measured before the next
    }
    const right = (n: number) => n % 250 === 17 || Math.floor((n % 250) / 10) === 17;
    await expect.poll(rows).toBe(uuids.filter((_, n) => right(n)).length + 1);
    await filter.fill('');
    await expect.poll(rows).toBe(machines + 1);
  }
  const took = await page.evaluate(() => (globalThis as unknown as { took: number[] }).took);
  figure('filter, keystroke to paint', spread(took.filter((t) => t > 0)));
  await screenshot(page, 'scale-list');
}, 240_000);

test('the wall: first paint, events as they come, and memory', async () => {
  const page = await visit(s, '#/no/such/page');
  await page.getByText('There is no such page').waitFor();
  figure('first paint of the wall', `${(await painted(page, '#/wall', '[data-uuid]')).toFixed(0)} ms`);
  await page.getByText(`${machines.toLocaleString('en')} machines`, { exact: true }).waitFor({ timeout: 60_000 });
  figure('memory at first', await memory(page));
  await watchTiles(page);
  const near = await page.evaluate(() => [...document.querySelectorAll<HTMLElement>('[data-uuid]')].slice(0, 50).map((e) => e.dataset.uuid!));
  expect(near.length).toBeGreaterThan(20);

  let turn = 0;
  let failed = 0;
  const color = new Map(uuids.map((u, n) => [u, n])); // each change is one that is seen
  const change = (uuid: string) => {
    turn++;
    color.set(uuid, color.get(uuid)! + 1);
    const ops = [{ op: 'replace', path: '/Meta/color', value: colors[color.get(uuid)! % colors.length] }, { op: 'replace', path: '/Description', value: `turn ${turn}` }];
    return call('PATCH', `/machines/${uuid}`, ops).catch(() => void failed++);
  };
  const until = Date.now() + seconds * 1000;
  const others = uuids.filter((u) => !near.includes(u));
  const load = setInterval(() => void change(others[(turn * 7919) % others.length]), 1000 / rate);
  const paints: number[] = [];
  for (let i = 0; Date.now() < until; i++) {
    const uuid = near[i % near.length];
    const began = Date.now();
    await change(uuid);
    await expect.poll(() => page.evaluate((u) => (globalThis as unknown as { seen: Record<string, number> }).seen[u] ?? 0, uuid), { timeout: 20_000, interval: 50 }).toBeGreaterThanOrEqual(began);
    paints.push((await page.evaluate((u) => (globalThis as unknown as { seen: Record<string, number> }).seen[u], uuid)) - began);
    if (i % 120 === 119) figure(`memory after ${Math.round(seconds - (until - Date.now()) / 1000)} s`, await memory(page));
  }
  clearInterval(load);
  expect(failed).toBe(0);
  figure('changes', `${turn} in ${seconds} s`);
  figure('change sent to paint', spread(paints));
  figure('memory at the end', await memory(page));

  // After all that the page shows what the server has: a change that only few have is found, and no other.
  const few = uuids.filter((_, n) => n % 997 === 5);
  await Promise.all(few.map((u) => call('PATCH', `/machines/${u}`, [{ op: 'replace', path: '/Description', value: 'the last word' }])));
  await page.evaluate(() => (location.hash = '#/machines'));
  await page.getByLabel('Filter machines', { exact: true }).fill('Description="the last word"');
  await expect.poll(() => page.getByRole('grid', { name: 'Machines' }).getAttribute('aria-rowcount').then(Number)).toBe(few.length + 1);
  await screenshot(page, 'scale-wall');
}, 900_000);
