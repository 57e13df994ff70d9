import { applyPatch } from 'rfc6902';
import { describe, expect, it } from 'vitest';
import type { Machine } from '../api/types.ts';
import { type Change, type Outcome, planFor, runAll } from './bulk.ts';

const machine = (m: Partial<Machine>): Machine => ({
  Name: 'web1', Uuid: 'u', Profiles: [], Params: {}, Meta: {}, Workflow: '', Runnable: true, Locked: false, Pool: 'default', ...m,
} as Machine);

const fleet = [
  machine({}), machine({ Workflow: 'w', Profiles: ['p', 'q'], Params: { 'a/b': 1 }, Meta: { icon: 'anchor' }, Runnable: false }),
  machine({ Profiles: ['q'], Params: { 'a/b': 2, 'x~y': null }, Meta: { icon: 'server', color: 'red' }, Pool: 'blue' }), machine({ Locked: true }),
];

const patches: [Change, (m: Machine) => boolean][] = [
  [{ do: 'workflow', workflow: 'w' }, (m) => m.Workflow === 'w'],
  [{ do: 'workflow', workflow: '' }, (m) => m.Workflow === ''],
  [{ do: 'add profile', profile: 'p' }, (m) => m.Profiles.includes('p')],
  [{ do: 'remove profile', profile: 'q' }, (m) => !m.Profiles.includes('q')],
  [{ do: 'set param', param: 'a/b', value: 2 }, (m) => m.Params['a/b'] === 2],
  [{ do: 'set param', param: 'x~y', value: ['z'] }, (m) => Array.isArray(m.Params['x~y'])],
  [{ do: 'remove param', param: 'x~y' }, (m) => !('x~y' in m.Params)],
  [{ do: 'icon', icon: 'anchor', color: 'red' }, (m) => m.Meta.icon === 'anchor' && m.Meta.color === 'red'],
  [{ do: 'icon', icon: '', color: 'red' }, (m) => m.Meta.color === 'red'],
  [{ do: 'meta', key: 'title', value: 'a/b' }, (m) => m.Meta.title === 'a/b'],
  [{ do: 'meta', key: 'color', value: null }, (m) => !('color' in m.Meta)],
  [{ do: 'run' }, (m) => m.Runnable],
  [{ do: 'pause' }, (m) => !m.Runnable],
  [{ do: 'lock' }, (m) => m.Locked],
  [{ do: 'unlock' }, (m) => !m.Locked],
];

describe('a plan', () => {
  it.each(patches)('%o makes it so, once, and not over what others have changed', (change, holds) => {
    for (const was of fleet) {
      const own = 'param' in change ? (was.Params[change.param] as never) : undefined;
      const plan = planFor(change, was, own);
      const refused = was.Locked && change.do !== 'unlock';
      expect(plan.step === undefined, plan.says).toBe(holds(was) || refused);
      if (!plan.step) continue;
      if (!('ops' in plan.step)) throw new Error('no patch');
      const now = structuredClone(was);
      expect(applyPatch(now, plan.step.ops).filter(Boolean)).toEqual([]);
      expect(holds(now)).toBe(true);
      expect(planFor(change, now, 'param' in change ? (now.Params[change.param] as never) : undefined).step).toBeUndefined();
      const tested = plan.step.ops.filter((o) => o.op === 'test');
      for (const t of tested) {
        const other = structuredClone(was);
        applyPatch(other, [{ op: 'replace', path: t.path, value: Array.isArray(t.value) ? ['changed', 'by', 'another'] : 'changed by another' }]);
        expect(applyPatch(other, plan.step.ops).some(Boolean)).toBe(true);
      }
    }
  });

  it('calls what is no patch', () => {
    expect(planFor({ do: 'delete' }, fleet[0]!).step).toEqual({ method: 'DELETE', path: '/machines/u' });
    expect(planFor({ do: 'delete' }, fleet[3]!).says).toBe('is locked: unlock it first');
    expect(planFor({ do: 'add to pool', pool: 'blue' }, fleet[0]!).step).toMatchObject({ path: '/pools/blue/addMachines', query: { 'source-pool': 'default' } });
    expect(planFor({ do: 'remove from pool' }, fleet[2]!).step).toMatchObject({ path: '/pools/blue/removeMachines', body: { 'pool/machine-list': ['u'] } });
    expect(planFor({ do: 'remove from pool' }, fleet[0]!).step).toBeUndefined();
    expect(planFor({ do: 'action', action: 'power on', plugin: '', params: {} }, fleet[0]!).step).toMatchObject({ path: '/machines/u/actions/power%20on' });
  });
});

describe('running', () => {
  it('does all, a few at a time, and reports each', async () => {
    let now = 0;
    let most = 0;
    const last = new Map<number, Outcome>();
    const items = Array.from({ length: 50 }, (_, i) => i);
    await runAll(items, 8, async (i) => {
      most = Math.max(most, ++now);
      await Promise.resolve();
      now--;
      if (i % 7 === 0) throw new Error(`no ${i}`);
    }, (i, o) => last.set(i, o), new AbortController().signal);
    expect(most).toBe(8);
    for (const i of items) expect(last.get(i)).toEqual(i % 7 === 0 ? { state: 'failed', message: `no ${i}` } : { state: 'done' });
  });

  it('begins no more after it was cancelled', async () => {
    const stop = new AbortController();
    const done: number[] = [];
    const last = new Map<number, string>();
    await runAll([0, 1, 2, 3, 4, 5], 2, async (i) => {
      if (i === 2) stop.abort();
      done.push(i);
    }, (i, o) => last.set(i, o.state), stop.signal);
    expect(last.get(5)).toBe('cancelled');
    for (const [i, state] of last) expect(state).toBe(done.includes(i) ? 'done' : 'cancelled');
  });
});
