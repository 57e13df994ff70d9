import { describe, expect, test } from 'vitest';
import { chance, type Chance } from './random.testing.ts';
import { byStage, duration, editable, inserted, moved, removed, splitEntry, strip, type StripJob, type StripMachine } from './taskstrip.ts';

const pick = <T>(r: Chance, list: readonly T[]): T => list[Math.floor(r() * list.length)];
const entries = ['a', 'b', 'c', 'stage:one', 'stage:two', 'bootenv:local', 'context:', 'action:p:do', 'chroot:/mnt'];

interface World {
  machine: StripMachine;
  jobs: StripJob[]; // the newest first
  lived: Map<number, StripJob[]>; // the jobs of this run by index, the newest first
}

// live lets a machine live: workflows are set, jobs run, fail, are run again, and the position is put back.
function live(r: Chance): World {
  let n = 0;
  const w: World = { machine: { Tasks: [], CurrentTask: -1, Stage: '', Workflow: '' }, jobs: [], lived: new Map() };
  const begin = () => {
    w.machine.Tasks = Array.from({ length: Math.floor(r() * 8) }, () => pick(r, entries));
    w.machine.Workflow = `w${n++}`;
    w.machine.CurrentTask = -1;
    w.lived = new Map();
  };
  const job = (index: number) => {
    const state = pick<StripJob['State']>(r, ['finished', 'finished', 'finished', 'failed', 'running', 'incomplete']);
    const j: StripJob = {
      Uuid: `j${n++}`, Task: w.machine.Tasks[index], State: state, ExitState: '', CurrentIndex: index, Workflow: w.machine.Workflow,
      StartTime: '2026-01-01T00:00:00Z', EndTime: '2026-01-01T00:00:03Z',
    };
    w.jobs.unshift(j);
    w.lived.set(index, [j, ...(w.lived.get(index) ?? [])]);
  };
  begin();
  for (let step = Math.floor(r() * 25); step > 0; step--) {
    const m = w.machine;
    const newest = w.jobs[0];
    if (newest && newest.State !== 'finished' && newest.State !== 'failed') newest.State = pick(r, ['finished', 'failed']);
    else if (r() < 0.08) begin();
    else if (r() < 0.08 && m.CurrentTask > 0 && newest.State === 'finished') {
      m.CurrentTask = Math.floor(r() * m.CurrentTask);
      for (const i of w.lived.keys()) if (i > m.CurrentTask) w.lived.delete(i);
    } else {
      const again = w.lived.get(m.CurrentTask)?.[0].State === 'failed';
      const next = again ? m.CurrentTask : m.CurrentTask + 1;
      if (next < m.Tasks.length) job((m.CurrentTask = next));
    }
  }
  return w;
}

const worlds = Array.from({ length: 400 }, (_, i) => ({ seed: i + 1, ...live(chance(i + 1)) }));

describe('the strip', () => {
  test('every entry stands in it once, in order, and groups by stage leave none out', () => {
    for (const { machine, jobs } of worlds) {
      const s = strip(machine, jobs);
      expect(s.map((e) => e.entry)).toEqual(machine.Tasks);
      expect(byStage(s).flatMap((g) => g.entries)).toEqual(s);
      for (const g of byStage(s)) expect(g.entries.slice(1).every((e) => e.kind !== 'stage')).toBe(true);
    }
  });

  test('each entry has the jobs that were made for it since the list was begun, and the state of the newest', () => {
    for (const { seed, machine, jobs, lived } of worlds) {
      for (const e of strip(machine, jobs)) {
        const want = lived.get(e.index);
        expect(e.job?.Uuid, `seed ${seed}, ${e.index} of ${machine.Tasks}`).toBe(want?.[0].Uuid);
        if (e.index > machine.CurrentTask) expect(e.state).toBe('waiting');
        if (want?.[0].State === 'failed') expect(e.state).toBe('failed');
        if (want?.[0].State === 'finished') expect(e.state).toBe('done');
      }
    }
  });

  test('at most one entry runs and at most one is next; what runs is the current one', () => {
    for (const { machine, jobs } of worlds) {
      const s = strip(machine, jobs);
      expect(s.filter((e) => e.next).length).toBeLessThanOrEqual(1);
      const running = s.filter((e) => e.state === 'running');
      expect(running.length).toBeLessThanOrEqual(1);
      for (const e of running) expect(e.index).toBe(machine.CurrentTask);
      if (running.length) expect(s.some((e) => e.next)).toBe(false);
    }
  });

  test('edits leave alone what may not be edited', () => {
    for (const { seed, machine } of worlds) {
      const r = chance(seed);
      const { from, to } = editable(machine);
      const at = from + Math.floor(r() * (to - from + 1));
      const kept = (tasks: string[]) => tasks.slice(0, from).join() === machine.Tasks.slice(0, from).join() && (to === machine.Tasks.length || tasks.slice(tasks.length - (machine.Tasks.length - to)).join() === machine.Tasks.slice(to).join());
      expect(kept(inserted(machine.Tasks, at, 'new'))).toBe(true);
      if (from === to) continue;
      const i = Math.min(at, to - 1);
      expect(kept(removed(machine.Tasks, i))).toBe(true);
      expect(kept(moved(machine.Tasks, i, from))).toBe(true);
      expect(moved(moved(machine.Tasks, i, from), from, i)).toEqual(machine.Tasks);
      expect(machine.Tasks.slice(from, to).some((t) => t.startsWith('stage:')) && from > 0).toBe(false);
    }
  });

  test('entries are told apart as the server does', () => {
    expect(splitEntry('stage:x')).toEqual({ kind: 'stage', name: 'x' });
    expect(splitEntry('context:')).toEqual({ kind: 'context', name: '' });
    expect(splitEntry('action:p:do')).toEqual({ kind: 'action', name: 'p:do' });
    expect(splitEntry('a-task')).toEqual({ kind: 'task', name: 'a-task' });
  });

  test('what has not ended took no time yet', () => {
    const zero = '0001-01-01T00:00:00Z';
    expect(duration({ State: 'running', StartTime: '2026-01-01T00:00:00Z', EndTime: zero })).toBeUndefined();
    expect(duration({ State: 'failed', StartTime: zero, EndTime: '2026-01-01T00:00:00Z' })).toBeUndefined();
    expect(duration({ State: 'finished', StartTime: '2026-01-01T00:00:00Z', EndTime: '2026-01-01T00:01:30.5Z' })).toBe(90.5);
  });
});
