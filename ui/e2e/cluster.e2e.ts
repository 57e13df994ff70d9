// The page of a cluster while it comes up, and again from history alone.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { axe, demoCluster, screenshot, server, visit, type Server } from './harness.ts';

let s: Server;
let cluster: Awaited<ReturnType<typeof demoCluster>>;
let end: Shown; // as it was seen live

/** What the page shows at a moment. */
interface Shown {
  moment: string;
  state: string;
  tiles: Record<string, { icon: string; color: string; leads: boolean }>;
  cells: Record<string, string>; // by job
  params: Record<string, unknown>;
}

const read = (p: Page): Promise<Shown> =>
  p.evaluate(() => {
    const all = (what: string) => [...document.querySelectorAll<HTMLElement>(what)].map((e) => e.dataset);
    return {
      moment: all('[data-moment]')[0]?.moment ?? '',
      state: all('[data-cluster-state]')[0]?.clusterState ?? '',
      tiles: Object.fromEntries(all('[data-machine]').map((d) => [d.machine!, { icon: d.icon!, color: d.color!, leads: 'leader' in d }])),
      cells: Object.fromEntries(all('[data-job]').map((d) => [d.job!, d.state!])),
      params: Object.fromEntries(all('[data-param]').flatMap((d) => (d.value === undefined ? [] : [[d.param!, JSON.parse(d.value) as unknown]]))),
    };
  });

const waitFor = (p: Page, what: string) => p.locator(what).first().waitFor({ timeout: 60_000 });

/** What the server says that the cluster was at a revision. */
async function recorded(rev: string): Promise<Pick<Shown, 'tiles' | 'params'> & { job: (uuid: string) => Promise<string> }> {
  const machines = await Promise.all(
    cluster.members.map((m) => s.api<{ Name: string; Meta: Record<string, string> }>('GET', `/machines/${m.Uuid}?at=${rev}`)),
  );
  const { Params } = await s.api<{ Params: Record<string, unknown> }>('GET', `/profiles/${cluster.profile}?at=${rev}`);
  const leader = Params['my/leader'];
  const uuid = new Map(cluster.members.map((m) => [m.Name, m.Uuid]));
  return {
    tiles: Object.fromEntries(machines.map((m) => [m.Name, { icon: m.Meta.icon!, color: m.Meta.color!, leads: uuid.get(m.Name) === leader }])),
    params: Params,
    job: async (job) => (await s.api<{ State: string }>('GET', `/jobs/${job}?at=${rev}`)).State,
  };
}

const inCell: Record<string, string[]> = { created: ['queued'], running: ['running', 'waiting'], incomplete: ['paused'], finished: ['done'], failed: ['failed'] };

beforeAll(async () => {
  s = await server();
  cluster = await demoCluster(s);
});

describe('the page of a cluster', () => {
  it('shows how it comes up while it does', async () => {
    const page = await visit(s, `#/clusters/${cluster.profile}`);
    await waitFor(page, '[data-machine="node-5"]');
    await screenshot(page, 'cluster-start');
    expect(await page.locator('[data-leader]').count()).toBe(0);

    // Everything that the page shows of leaders and states on the way is kept, however short.
    await page.evaluate(() => {
      const w = window as unknown as { seen: { leaders: number; state: string | undefined; missing: boolean }[] };
      w.seen = [];
      new MutationObserver(() => {
        const state = document.querySelector<HTMLElement>('[data-cluster-state]')?.dataset.clusterState;
        w.seen.push({ leaders: document.querySelectorAll('[data-leader]').length, state, missing: document.querySelector('[data-missing]') !== null });
      }).observe(document.body, { subtree: true, childList: true, attributes: true, characterData: true });
    });
    // The last runner comes late: the others have to wait for its machine.
    await cluster.members[4]!.runner.stop();
    await cluster.run();
    await waitFor(page, '[data-missing]:has-text("node-5")');
    expect(await page.locator('[data-missing]').first().innerText()).toContain('node-5');
    await page.getByText('cluster/machines to hold at least 5').first().waitFor();
    await screenshot(page, 'cluster-barrier');
    await s.runner(cluster.members[4]!.Uuid);
    await waitFor(page, '[data-cluster-state="election"], [data-leader]'); // it may be over sooner than one can look
    await screenshot(page, 'cluster-election');
    await waitFor(page, '[data-leader]');
    await waitFor(page, '[data-cluster-state="done"]');
    await screenshot(page, 'cluster-end', { fullPage: true });

    const seen = await page.evaluate(() => (window as unknown as { seen: { leaders: number; state: string | undefined; missing: boolean }[] }).seen);
    const first = seen.findIndex((x) => x.leaders > 0);
    expect(seen.slice(first).every((x) => x.leaders === 1)).toBe(true);
    end = await read(page);
    expect(Object.values(end.tiles).filter((t) => t.icon === 'anchor' && t.leads)).toHaveLength(1);
    expect(Object.keys(end.cells)).toHaveLength(7 * cluster.members.length);
    expect(new Set(Object.values(end.cells))).toEqual(new Set(['done']));
  });

  it('shows every moment again, from history alone, as the server recorded it', async () => {
    const page = await visit(s, `#/clusters/${cluster.profile}`);
    await waitFor(page, '[data-cluster-state="done"]');
    await page.getByRole('button', { name: 'Replay' }).click();
    await waitFor(page, '[aria-label="History"]');
    for (const name of [/elected/, /cluster-sync done/, /all are done/]) {
      await page.getByRole('button', { name }).click();
      await page.waitForFunction(() => document.querySelector<HTMLElement>('[aria-label="History"]')!.dataset.rev === document.querySelector<HTMLElement>('[data-moment]')!.dataset.moment);
      const shown = await read(page);
      const was = await recorded(shown.moment);
      expect(shown.tiles, `tiles at ${shown.moment}`).toEqual(was.tiles);
      expect(shown.params, `params at ${shown.moment}`).toEqual(was.params);
      for (const [job, state] of Object.entries(shown.cells)) expect(inCell[await was.job(job)], `job ${job} at ${shown.moment}`).toContain(state);
      if (!/elected/.test(String(name))) continue;
      await screenshot(page, 'cluster-replay');
      await page.getByRole('button', { name: 'Previous change' }).click();
      await waitFor(page, '[data-cluster-state="election"]');
      expect(await page.locator('[data-leader]').count()).toBe(0);
      expect(await page.locator('[data-election]').innerText()).toContain('Election under way');
    }
    // The newest moment is what was seen live.
    const slider = page.getByRole('slider', { name: 'Moment in history' });
    await slider.focus();
    await page.keyboard.press('End');
    await page.getByRole('button', { name: 'Next change' }).and(page.locator(':disabled')).waitFor();
    const { moment: _, ...newest } = await read(page);
    const { moment: __, ...then } = end;
    expect(newest).toEqual(then);

    await page.getByRole('button', { name: 'Back to live' }).click();
    await waitFor(page, '[data-moment="live"]');
  });

  it('shows an election while it is under way, then whose turn it is and who waits for it', async () => {
    const shared = 'turns';
    const go = join(s.root, 'go');
    await s.api('POST', '/profiles', { Name: shared, Params: { 'cluster/profile': shared, 'cluster/size': 3, 'my/leader': 'none' } });
    const head = '#!/bin/bash\n{{template "setup.tmpl" .}}\n{{template "cluster-utilities.tmpl" .}}\n';
    const vote = `cluster_await --param-count 'cluster/machines>=3'\ncluster_swap my/leader none "$RS_UUID" || true`;
    const upgrade = `until [[ -e '${go}' ]]; do sleep 0.1; done`; // busy, for all that anybody can see
    await s.api('POST', '/tasks', { Name: 'vote', RequiredParams: ['my/leader'], Templates: [{ Name: 'x.sh', Contents: head + vote }] });
    await s.api('POST', '/tasks', { Name: 'upgrade', Templates: [{ Name: 'x.sh', Contents: head + upgrade }] });
    for (const Name of ['vote', 'upgrade']) await s.api('POST', '/stages', { Name, Tasks: [Name] });
    await s.api('POST', '/workflows', { Name: shared, Stages: ['cluster-initialize', 'cluster-join', 'vote', 'cluster-step', 'upgrade', 'cluster-done'] });
    const uuids = new Map<string, string>();
    for (const Name of ['turn-1', 'turn-2', 'turn-3']) uuids.set((await s.api<{ Uuid: string }>('POST', '/machines', { Name, Profiles: [shared], Workflow: shared })).Uuid, Name);
    const [one, two, last] = [...uuids.keys()];
    for (const uuid of [one!, two!]) await s.runner(uuid);

    // The runner of one is held back, and the others cannot decide without it.
    const p = await visit(s, `#/clusters/${shared}`);
    for (const name of ['turn-1', 'turn-2']) await waitFor(p, `[data-machine="${name}"][data-state="waiting"]`);
    await waitFor(p, '[data-missing]:has-text("turn-3")');
    await waitFor(p, '[data-cluster-state="election"]');
    expect(await p.locator('[data-election]').innerText()).toContain('Election under way');
    expect(await p.locator('[data-leader]').count()).toBe(0);
    await screenshot(p, 'cluster-vote');
    await s.runner(last!);
    await waitFor(p, '[data-leader]');

    // Whoever joined first works; each of the others waits for those ahead, and says so.
    await p.waitForFunction(() => document.querySelectorAll('[data-job][data-state="waiting"]').length === 2);
    const { Params } = await s.api<{ Params: Record<string, string[]> }>('GET', `/profiles/${shared}`);
    const order = Params['cluster/machines']!.map((u) => uuids.get(u)!);
    await waitFor(p, `[data-machine="${order[0]}"][data-state="running"]`);
    for (const name of order.slice(1)) await waitFor(p, `[data-machine="${name}"][data-state="waiting"]`);
    const barriers = p.getByRole('region', { name: 'Barriers' });
    await barriers.getByText(new RegExp(`${order[1]} has waited .* for any change of profile ${shared}; ${order[0]} is ahead`)).waitFor();
    await barriers.getByText(new RegExp(`${order[2]} has waited .* for any change of profile ${shared}; ${order[0]} and ${order[1]} are ahead`)).waitFor();
    await barriers.getByText('2 wait, 1 passed, 0 to come').waitFor();
    await barriers.getByText(`Past it and at work: ${order[0]} (at upgrade)`).waitFor();
    await screenshot(p, 'cluster-step');
    expect(await axe(p)).toEqual([]);
    expect(await p.locator(`[aria-label^="${order[2]}, cluster-step: "]`).getAttribute('aria-label')).toContain(`waits for any change of profile ${shared}; ${order[0]} and ${order[1]} are ahead`);
    await p.emulateMedia({ colorScheme: 'dark' });
    await p.setViewportSize({ width: 390, height: 900 });
    await screenshot(p, 'cluster-step-dark-390', { fullPage: true });
    await p.setViewportSize({ width: 1440, height: 900 });
    // A change that is of no use to them has them look, and wait again.
    const waits = () => s.api<{ Id: string; Machine: string }[]>('GET', '/waits').then((l) => l.filter((w) => uuids.has(w.Machine)).map((w) => w.Id));
    const before = await waits();
    await s.api('PATCH', `/profiles/${shared}`, [{ op: 'add', path: '/Description', value: 'changed' }]);
    await expect.poll(async () => (await waits()).filter((id) => !before.includes(id)).length, { timeout: 60_000 }).toBe(2);
    for (const name of order.slice(1)) await waitFor(p, `[data-machine="${name}"][data-state="waiting"]`);
    const rev = (await s.api<{ Rev: number }[]>('GET', `/profiles/${shared}/history?limit=1`))[0]!.Rev;

    writeFileSync(go, '');
    await waitFor(p, '[data-cluster-state="done"]');
    expect(await barriers.innerText()).toContain('Nobody waits any more');
    // The past shows the same.
    await p.goto(p.url().replace(/#.*/, `#/clusters/${shared}?at=${rev}`));
    await waitFor(p, `[data-moment="${rev}"]`);
    for (const name of order.slice(1)) await waitFor(p, `[data-machine="${name}"][data-state="waiting"]`);
    await barriers.getByText(new RegExp(`${order[2]} has waited .*; ${order[0]} and ${order[1]} are ahead`)).waitFor();
    await screenshot(p, 'cluster-step-past');
    await p.context().close();
  });

  it('points at the cause when one fails and others waited for it', async () => {
    const shared = 'broken';
    await s.api('POST', '/profiles', { Name: shared, Params: { 'cluster/profile': shared } });
    const head = '#!/bin/bash\n{{template "setup.tmpl" .}}\n{{template "cluster-utilities.tmpl" .}}\n';
    const install = `if [[ {{.Machine.Name}} = bad-1 ]]; then
  drpcli -T "$PROFILE_TOKEN" profiles set "$CLUSTER_PROFILE" param broken/failed to true
  echo "ERROR: the disk is full" >&2
  exit 3
fi`;
    // By a long poll, as scripts do that do not know how to have the server wait.
    const meet = `while true; do
  cluster_mark
  [[ $(cluster_get broken/failed) != true ]] || xiterr "another has failed"
  drpcli -T "$PROFILE_TOKEN" profiles show "$CLUSTER_PROFILE" --etag "$CLUSTER_MARK" --wait 5m >/dev/null
done`;
    for (const [Name, script] of [['install', install], ['meet', meet]]) await s.api('POST', '/tasks', { Name, Templates: [{ Name: 'x.sh', Contents: head + script }] });
    await s.api('POST', '/stages', { Name: 'prepare', Tasks: ['install', 'meet'] });
    await s.api('POST', '/workflows', { Name: 'prepare', Stages: ['prepare'] });
    for (const Name of ['bad-1', 'bad-2']) {
      const m = await s.api<{ Uuid: string }>('POST', '/machines', { Name, Profiles: [shared], Workflow: 'prepare' });
      if (Name === 'bad-2') await s.runner(m.Uuid);
    }
    const p = await visit(s, `#/clusters/${shared}`);
    await waitFor(p, '[data-machine="bad-2"][data-state="waiting"]');
    await p.getByText(/bad-2 has waited .* for any change of profile broken/).waitFor();
    const bad = await s.api<{ Uuid: string }>('GET', '/machines/Name:bad-1');
    await s.runner(bad.Uuid);
    await p.getByText('2 machines failed').waitFor();
    const lines = p.getByRole('alert').getByRole('listitem');
    expect(await lines.first().innerText()).toContain('bad-1');
    await lines.first().getByText('ERROR: the disk is full').waitFor();
    expect(await lines.nth(1).innerText()).toMatch(/bad-2.*consequence/s);
    expect(await axe(p)).toEqual([]);
    await screenshot(p, 'cluster-failed');
    await p.goto(p.url().replace(/#.*/, '#/clusters'));
    await p.getByRole('link', { name: shared }).waitFor();
    expect(await p.locator('tbody tr').first().innerText()).toContain(shared);
    await p.context().close();
  });

  it('stays readable with 200 machines', async () => {
    await s.api('POST', '/profiles', { Name: 'large', Params: { 'cluster/profile': 'large' } });
    for (let i = 1; i <= 200; i++) await s.api('POST', '/machines', { Name: `large-${i}`, Profiles: ['large'], Workflow: 'cluster-demo' });
    const p = await visit(s, '#/clusters/large');
    await waitFor(p, '[data-machine="large-200"]');
    expect(await p.getByRole('row').count()).toBeLessThan(80);
    await p.locator('[data-at="0,0"]').focus();
    await p.keyboard.press('ArrowRight');
    for (let i = 0; i < 60; i++) await p.keyboard.press('ArrowDown');
    await p.locator('[data-at="60,1"]:focus').waitFor();
    expect(await p.locator(':focus').getAttribute('aria-label')).toContain('large-61, cluster-join: to come');
    await screenshot(p, 'cluster-200');
    await p.context().close();
  });
});
