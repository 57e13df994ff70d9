import { describe, expect, it } from 'vitest';
import type { HistoryEntry, Job, Machine, Param, Profile, Task } from '../api/types.ts';
import { clusterOf, decidingTasks, currentRun, elections, isCluster, leaderParams, looking, mergeColumns, namedIn, rolesOf, stepsOf, stillWaiting, turnsOf, waitsForOthers, waitWords, wanted, writes, type Column, type Facts, type Waiting } from './cluster.ts';
import { chance } from './random.testing.ts';

const uuid = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
const Tasks = ['stage:prepare', 'prepare', 'stage:vote', 'vote', 'stage:meet', 'meet', 'stage:work', 'work'];
const zero = '0001-01-01T00:00:00Z';
const time = (s: number) => new Date(1_000_000_000_000 + s * 1000).toISOString();

const machine = (n: number, more: Partial<Machine> = {}): Machine =>
  ({ Uuid: uuid(n), Name: 'm' + n, Profiles: ['p'], Params: {}, Tasks, CurrentTask: -1, CurrentJob: '', Workflow: 'w', Stage: '', Runnable: true, WorkflowComplete: false, Meta: {}, ...more }) as Machine;
const job = (m: number, index: number, state: Job['State'], more: Partial<Job> = {}): Job =>
  ({
    Uuid: `job-${m}-${index}`, Machine: uuid(m), Previous: index > 1 ? `job-${m}-${index - 2}` : '', Task: Tasks[index]!, Workflow: 'w', State: state, CurrentIndex: index,
    StartTime: state === 'created' ? zero : time(index * 10), EndTime: state === 'finished' || state === 'failed' ? time(index * 10 + 5) : zero, ...more,
  }) as Job;
const task = (Name: string, text = '', RequiredParams: string[] = []): Task => ({ Name, RequiredParams, OptionalParams: [], Templates: [{ Contents: text }] }) as unknown as Task;
const param = (Name: string, Schema: Record<string, unknown>): Param => ({ Name, Schema }) as unknown as Param;

const tasks = new Map([task('prepare'), task('vote', 'get_param pack/leader', ['pack/leader']), task('meet', "cluster_await --param-count 'pack/here>=3'"), task('work')].map((t) => [t.Name, t]));
const params = new Map([param('pack/leader', { type: 'string', default: 'nobody' }), param('pack/manager', { type: 'boolean' })].map((p) => [p.Name, p]));
const profile = (Params: Record<string, unknown>): Profile => ({ Name: 'p', Params: { 'cluster/profile': 'p', ...Params } }) as unknown as Profile;
const facts = (more: Partial<Facts>): Facts => ({ profile: profile({}), machines: [], jobs: [], tasks, params, now: Date.parse(time(1000)), ...more });

describe('a cluster', () => {
  it('is a profile that names itself', () => {
    expect(isCluster(profile({}))).toBe(true);
    expect(isCluster({ Name: 'p', Params: { 'cluster-profile': 'p' } })).toBe(true);
    expect(isCluster({ Name: 'p', Params: { 'cluster-profile': 'q' } })).toBe(false);
    expect(isCluster({ Name: 'p', Params: {} })).toBe(false);
  });

  it('shows each step of each machine as far as it has come', () => {
    const machines = [
      machine(1, { CurrentTask: 8, CurrentJob: 'job-1-7', WorkflowComplete: true }),
      machine(2, { CurrentTask: 5, CurrentJob: 'job-2-5' }),
      machine(3, { CurrentTask: 3, CurrentJob: 'job-3-3', Runnable: false }),
      machine(4),
    ];
    const jobs = [...[1, 3, 5, 7].map((i) => job(1, i, 'finished')), job(2, 1, 'finished'), job(2, 3, 'finished'), job(2, 5, 'running'), job(3, 1, 'finished'), job(3, 3, 'failed')];
    const c = clusterOf(facts({ machines, jobs }));
    expect(c.columns.map((x) => x.task)).toEqual(['prepare', 'vote', 'meet', 'work']);
    expect(c.members.map((m) => m.cells.map((x) => x.state))).toEqual([
      ['done', 'done', 'done', 'done'],
      ['done', 'done', 'waiting', 'ahead'],
      ['done', 'failed', 'ahead', 'ahead'],
      ['ahead', 'ahead', 'ahead', 'ahead'],
    ]);
    expect(c.members.map((m) => m.state)).toEqual(['done', 'waiting', 'failed', 'queued']);
    expect([c.done, c.total, c.state]).toEqual([7, 16, 'failed']);
    expect(c.barriers[0]!.missing.map((m) => m.machine.Name)).toEqual(['m3', 'm4']);
    expect(c.barriers[0]!.passed.map((m) => m.machine.Name)).toEqual(['m1']);
    expect(c.failures.map((f) => [f.member.machine.Name, f.follows])).toEqual([['m3', false]]);
    expect(c.longest[0]).toMatchObject({ took: 950_000, over: false });
  });

  it('counts every step of every machine once, whatever its list and however far it is', () => {
    for (let seed = 0; seed < 200; seed++) {
      const r = chance(seed);
      const machines = Array.from({ length: 5 }, (_, n) => {
        const list = Array.from({ length: Math.floor(r() * 8) }, () => ['stage:a', 'stage:b', 'x', 'y', 'z'][Math.floor(r() * 5)]!);
        return machine(n, { Tasks: list, CurrentTask: Math.floor(r() * (list.length + 2)) - 1 });
      });
      const c = clusterOf(facts({ machines }));
      for (const m of c.members) {
        expect(m.cells).toHaveLength(c.columns.length);
        expect(m.total).toBe(m.machine.Tasks.filter((t) => !t.startsWith('stage:')).length);
        expect(m.done).toBeLessThanOrEqual(m.total);
      }
    }
  });

  it('knows only the jobs of the list that the machine has now', () => {
    const old = [job(1, 1, 'finished'), job(1, 3, 'finished'), job(1, 5, 'failed')];
    const again = job(1, 1, 'running', { Uuid: 'new', Previous: 'job-1-5' });
    const byUuid = new Map([...old, again].map((j) => [j.Uuid, j]));
    expect([...currentRun(machine(1, { CurrentTask: 1, CurrentJob: 'new' }), byUuid).keys()]).toEqual([1]);
    expect(currentRun(machine(1, { CurrentTask: -1, CurrentJob: 'job-1-5' }), byUuid).size).toBe(0);
    expect(currentRun(machine(1, { CurrentTask: 5, CurrentJob: 'job-1-5', Workflow: 'other' }), byUuid).size).toBe(0);
  });

  it('holds an election until somebody leads', () => {
    const voting = { machines: [machine(1, { CurrentTask: 3, CurrentJob: 'job-1-3' }), machine(2)], jobs: [job(1, 1, 'finished'), job(1, 3, 'running')] };
    expect(clusterOf(facts(voting)).state).toBe('election');
    expect(clusterOf(facts({ ...voting, profile: profile({ 'pack/leader': 'nobody' }) })).state).toBe('election');
    const won = clusterOf(facts({ ...voting, profile: profile({ 'pack/leader': uuid(1) }) }));
    expect([won.state, won.leaders.map((m) => m.machine.Name)]).toEqual(['working', ['m1']]);
    expect(clusterOf(facts({ machines: [machine(1), machine(2)] })).state).toBe('working');
  });

  it('tells the tasks that decide who leads from those that only speak of it', () => {
    const list = [task('begin', 'for x in pack/leaders; do'), { ...task('cluster-elect', 'append pack/leaders'), Description: '' }];
    expect([...decidingTasks(list, ['pack/leaders'])]).toEqual(['cluster-elect']);
    expect([...decidingTasks(list.slice(0, 1), ['pack/leaders'])]).toEqual(['begin']);
    expect([...decidingTasks([...tasks.values()], ['pack/leader'])]).toEqual(['vote']);
  });

  it('takes a failure for a consequence when it waited while the first failed', () => {
    const machines = [machine(1, { CurrentTask: 7, CurrentJob: 'job-1-7' }), machine(2, { CurrentTask: 5, CurrentJob: 'job-2-5' })];
    const jobs = [...[1, 3, 5].map((i) => job(1, i, 'finished')), job(1, 7, 'failed', { EndTime: time(80) }), job(2, 1, 'finished'), job(2, 3, 'finished'), job(2, 5, 'failed', { EndTime: time(90) })];
    expect(clusterOf(facts({ machines, jobs })).failures.map((f) => [f.member.machine.Name, f.follows])).toEqual([['m1', false], ['m2', true]]);
  });
});

describe('roles', () => {
  const machines = [machine(1), machine(2, { Params: { 'pack/manager': true } }), machine(3)];
  const of = (Params: Record<string, unknown>) => Object.fromEntries([...rolesOf({ profile: profile(Params), machines, params })].map(([k, v]) => [k, [...v]]));
  it('are told by names of params and values that name members', () => {
    expect(of({ 'my/leader': uuid(1) })).toEqual({ [uuid(1)]: ['leader'], [uuid(2)]: ['manager'] });
    expect(of({ 'x/leaders': [uuid(1), 'm3'] })[uuid(3)]).toEqual(['leader']);
    expect(of({ 'etcd/masters': [{ Name: 'm3', Uuid: uuid(3), Address: '::1' }] })[uuid(3)]).toEqual(['master']);
    expect(of({ 'db/first': 'm3' })[uuid(3)]).toEqual(['first']);
  });
  it('nobody has by a value that names nobody', () => {
    for (const v of ['none', '', null, [], 'elsewhere', uuid(9), '(hidden)']) expect(of({ 'my/leader': v })).toEqual({ [uuid(2)]: ['manager'] });
  });
  it('are looked for in the profile and in what the tasks at hand speak of', () => {
    expect(leaderParams(profile({ 'x/leaders': [] }), tasks.values(), params)).toEqual(['pack/leader', 'x/leaders']);
  });
  it('find names at any place of a value', () => {
    expect(namedIn({ a: ['m1', { Uuid: uuid(2) }] }, (id) => (id === 'm1' ? uuid(1) : id === uuid(2) ? id : undefined))).toEqual([uuid(1), uuid(2)]);
  });
});

describe('columns', () => {
  it('stand in the order of every list that agrees with one order, each once', () => {
    for (let seed = 0; seed < 300; seed++) {
      const r = chance(seed);
      const order = Array.from({ length: 10 }, (_, i): Column => ({ id: 'c' + i, stage: '', task: '' }));
      const lists = Array.from({ length: 4 }, () => order.filter(() => r() < 0.6));
      const merged = mergeColumns(lists);
      expect(new Set(merged.map((c) => c.id)).size).toBe(merged.length);
      expect(new Set(merged)).toEqual(new Set(lists.flat()));
    }
    const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((id): Column => ({ id, stage: '', task: id }));
    expect(mergeColumns([[a!, b!, d!], [a!, c!, d!], [a!, b!, d!]]).map((x) => x.id)).toEqual(['a', 'c', 'b', 'd']);
  });
  it('are the entries that are no stages, under the stage before them', () => {
    expect(stepsOf(machine(1)).columns.map((c) => [c.stage, c.task])).toEqual([['prepare', 'prepare'], ['vote', 'vote'], ['meet', 'meet'], ['work', 'work']]);
    expect(stepsOf(machine(1, { Tasks: ['x', 'x'], Stage: 's' })).columns.map((c) => c.stage)).toEqual(['s', 's']);
  });
});

describe('waits', () => {
  const wait = (For: Waiting['Wait']['For']): Waiting => ({ Id: '1', Since: time(0), Who: 'machine:x', Job: 'job-2-5', Wait: { For }, Reason: 'r' });
  it('are told by the server, and by scripts where it cannot be asked', () => {
    for (const text of ['cluster_await --param a', 'wait_for machines', 'drpcli profiles wait p --param a', 'drp machines await x', 'drpcli -T "$t" profiles show p --wait 5m', 'drp profiles exists p --wait=1m']) expect(waitsForOthers(task('t', text)), text).toBe(true);
    for (const text of ['echo waiting', 'sleep 1', 'await', 'drpcli machines show x # wait', 'drpcli pools manage allocate p --wait-timeout 5m']) expect(waitsForOthers(task('t', text)), text).toBe(false);
    const now = { machines: [machine(2, { CurrentTask: 5, CurrentJob: 'job-2-5' })], jobs: [job(2, 1, 'finished'), job(2, 3, 'finished'), job(2, 5, 'running')] };
    expect(clusterOf(facts(now)).members[0]!.state).toBe('waiting');
    expect(clusterOf(facts({ ...now, waits: [] })).members[0]!.state).toBe('running');
    const c = clusterOf(facts({ ...now, waits: [wait({ Kind: 'profiles', Key: 'p', Path: '/Params/pack~1here', AtLeast: 3 })] }));
    expect([c.members[0]!.waitsFor, c.barriers[0]!.lacks]).toEqual(['pack/here to hold at least 3', ['r']]);
  });
  it('are worded', () => {
    const set = [{ op: 'defined', path: '/Params/l' }, { op: 'not', path: '', apply: [{ op: 'test', path: '/Params/l', value: null }] }];
    expect(wanted(wait({ Kind: 'profiles', Key: 'p', Tests: set }))).toBe('l to be set');
    expect(wanted(wait({ Kind: 'profiles', Key: 'p', Tests: [...set, { op: 'not', path: '', apply: [{ op: 'test', path: '/Params/l', value: 'none' }] }] as never }))).toBe('l to be other than "none"');
    expect(wanted(wait({ Kind: 'profiles', Key: 'p', Since: 'x' }))).toBe('any change of profile p');
    expect(wanted(wait({ Kind: 'machines', Filter: 'Stage%3Ddone' }))).toBe('machines with Stage=done');
  });
});

describe('turns', () => {
  const gate = task('meet', 'f=$(cluster_get pack/finished); m=$(cluster_get pack/machines); cluster_changed');
  const all = [1, 2, 3, 4].map(uuid);
  const find = (id: string) => (all.includes(id) ? id : undefined);
  const change: Waiting['Wait'] = { For: { Kind: 'profiles', Key: 'p', Since: '"1"' } };
  it('are told by two lists of the profile that the task speaks of, one within the other', () => {
    const of = (Params: Record<string, unknown>, t = gate) => turnsOf(t, profile(Params), find)?.order;
    expect(of({ 'pack/machines': all, 'pack/finished': [] })).toEqual(all);
    expect(of({ 'pack/machines': all, 'pack/finished': all.slice(2), 'pack/finished-late': [], 'other/pack/machines': [] })).toEqual(all);
    for (const finished of [undefined, 'x', ['elsewhere'], all]) expect(of({ 'pack/machines': all, 'pack/finished': finished })).toBeUndefined();
    expect(of({ 'pack/machines': all.slice(1), 'pack/finished': all.slice(0, 1) })).toBeUndefined();
    expect(of({ 'pack/machines': all, 'pack/finished': [] }, task('meet', 'cluster_get pack/machines'))).toBeUndefined();
    expect(of({ 'pack/machines': all, 'pack/finished': [], 'pack/here': all.slice(0, 2) }, task('meet', 'pack/machines pack/finished pack/here'))).toBeUndefined();
  });
  it('leave ahead of each who waits all before it that are not through: nobody twice, nobody behind it', () => {
    for (let seed = 0; seed < 100; seed++) {
      const r = chance(seed);
      const order = [...all].sort(() => r() - 0.5);
      const through = order.filter(() => r() < 0.4);
      const left = order.filter((u) => !through.includes(u));
      if (!left.length) continue;
      const at = (n: number) => (through.includes(uuid(n)) ? { CurrentTask: 7, CurrentJob: `job-${n}-7` } : { CurrentTask: 5, CurrentJob: `job-${n}-5` });
      const machines = [1, 2, 3, 4].map((n) => machine(n, at(n)));
      const jobs = [1, 2, 3, 4].flatMap((n) => [job(n, 1, 'finished'), job(n, 3, 'finished'), job(n, 5, through.includes(uuid(n)) ? 'finished' : 'running'), job(n, 7, 'running')]);
      const waits = [1, 2, 3, 4].map((n): Waiting => ({ Id: String(n), Since: time(n), Who: 'profile:p', Job: `job-${n}-5`, Wait: change, Reason: 'profiles/p: has not changed' }));
      const turns = { machines, jobs, tasks: new Map([...tasks, ['meet', gate]]), profile: profile({ 'pack/machines': order, 'pack/finished': through }) };
      const c = clusterOf(facts({ ...turns, waits }));
      expect(c.barriers).toHaveLength(1);
      const { here, inTurn, lacks, passed } = c.barriers[0]!;
      expect(here.map((h) => h.member.machine.Uuid)).toEqual(left);
      expect(here.map((h) => h.ahead!.map((m) => m.machine.Uuid))).toEqual(left.map((_, i) => left.slice(0, i)));
      expect([inTurn, lacks, passed.length]).toEqual([true, [], through.length]);
      const past = clusterOf(facts(turns)); // where only the scripts tell who waits
      expect(past.barriers[0]!.here.map((h) => h.ahead!.length)).toEqual(left.map((_, i) => i));
      expect(past.members.map((m) => m.state)).toEqual(c.members.map((m) => m.state));
    }
  });
  it('are worded', () => {
    const machines = [1, 2, 3].map((n) => machine(n, { CurrentTask: 5, CurrentJob: `job-${n}-5` }));
    const jobs = [1, 2, 3].flatMap((n) => [job(n, 1, 'finished'), job(n, 3, 'finished'), job(n, 5, 'running')]);
    const waits = [2, 3].map((n): Waiting => ({ Id: String(n), Since: time(n), Who: 'profile:p', Job: `job-${n}-5`, Wait: change }));
    const c = clusterOf(facts({ machines, jobs, waits, tasks: new Map([...tasks, ['meet', gate]]), profile: profile({ 'pack/machines': all.slice(0, 3), 'pack/finished': [] }) }));
    expect(c.members.map(waitWords)).toEqual(['', 'waits for any change of profile p; m1 is ahead', 'waits for any change of profile p; m1 and m2 are ahead']);
  });
  it('are waited for also by who looks at a change, for a while', () => {
    const of = (Job: string, For: Waiting['Wait']['For'] = change.For): Waiting => ({ Id: Job + Math.random(), Since: time(0), Who: 'w', Job, Wait: { For } });
    const jobs = (list: Waiting[]) => list.map((w) => w.Job);
    const first = stillWaiting([], [of('a'), of('b'), of('c', { Kind: 'profiles', Key: 'p' })], 0);
    const second = stillWaiting(first, [of('a')], 100);
    expect(jobs(second)).toEqual(['a', 'b']); // c waited for what has come
    expect(jobs(stillWaiting(second, [of('a'), of('b')], 200))).toEqual(['a', 'b']);
    expect(jobs(stillWaiting(second, [], 99 + looking))).toEqual(['a', 'b']);
    expect(jobs(stillWaiting(second, [], 100 + looking))).toEqual(['a']);
  });
});

describe('the history of a profile', () => {
  const entry = (Rev: number, Patch: HistoryEntry['Patch'], Job?: string): HistoryEntry => ({ Rev, Time: time(Rev), Who: 'w', Action: 'update', Kind: 'profiles', Key: 'p', Patch, ...(Job && { Job }) });
  const history = [
    entry(1, [{ op: 'add', path: '', value: profile({ 'pack/leader': 'none' }) }]),
    entry(35, [{ op: 'test', path: '/Params/pack~1leader', value: 'none' }, { op: 'replace', path: '/Params/pack~1leader', value: uuid(1) }], 'job-1-3'),
    entry(40, [{ op: 'test', path: '/Params/pack~1leader', value: uuid(1) }, { op: 'remove', path: '/Params/pack~1leader' }]),
  ];
  it('tells who wrote a param last', () => {
    expect(writes(history).get('pack/leader')!.map((w) => [w.rev, w.value])).toEqual([[1, 'none'], [35, uuid(1)], [40, undefined]]);
    expect(writes(history, 39).get('pack/leader')).toHaveLength(2);
  });
  it('tells who was elected, and who lost', () => {
    const jobs = [job(1, 3, 'finished', { EndTime: time(36) }), job(2, 3, 'finished', { EndTime: time(36) })];
    const c = clusterOf(facts({ machines: [machine(1), machine(2)], jobs }));
    expect(elections(history, ['pack/leader'], c.members, jobs)).toMatchObject([{ rev: 35, won: [uuid(1)], lost: [uuid(2)], task: 'vote' }]);
  });
});
