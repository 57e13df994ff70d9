// What a cluster is and how far it has come, from the objects of the server alone, now or as they
// were. Nothing here knows the names that a content pack gives its params, tasks or stages.
import type { HistoryEntry, Job, Machine, Param, Profile, Task } from '../api/types.ts';
import { equal, tokens } from './json.ts';
import { duration, isTime } from './time.ts';

/** Somebody who waits at the server, as GET /waits tells it. */
export interface Waiting {
  Id: string;
  Since: string;
  Who: string;
  Machine?: string;
  Job?: string;
  Wait: { For: { Kind: string; Key?: string; Path?: string; AtLeast?: number; Tests?: { op: string; path: string; value?: unknown }[]; Since?: string; Filter?: string } };
  Reason?: string;
  /** When it was found to be over, if it is shown for a while longer: see stillWaiting. */
  over?: number;
}

export interface Facts {
  profile: Profile;
  /** Of the cluster, with those of their params that may tell a role. */
  machines: readonly Machine[];
  /** Of these machines, or the newest of them. */
  jobs: readonly Job[];
  tasks: ReadonlyMap<string, Task>;
  /** Definitions. */
  params: ReadonlyMap<string, Param>;
  /** Who waits; undefined where that is not known, as in the past. */
  waits?: readonly Waiting[];
  /** Milliseconds since 1970. */
  now: number;
}

export type CellState = 'none' | 'ahead' | 'queued' | 'running' | 'waiting' | 'paused' | 'failed' | 'done' | 'skipped';

export interface Cell {
  state: CellState;
  job?: Job;
  /** Milliseconds, so far if it goes on. */
  took?: number;
}

export interface Column {
  id: string;
  stage: string;
  task: string; // the entry of the task list
}

export interface Member {
  machine: Machine;
  roles: string[];
  leads: boolean;
  state: 'failed' | 'stopped' | 'waiting' | 'running' | 'queued' | 'done' | 'idle';
  cells: Cell[]; // a cell a column
  done: number;
  total: number;
  /** What it works on or is to do next. */
  at?: Column;
  /** What it waits for, in words. */
  waitsFor?: string;
  /** Who passes before it, where it waits for its turn. */
  before?: Member[];
}

export interface Barrier {
  column: Column;
  here: { member: Member; since: number; what: string; ahead?: Member[] }[]; // those who wait: whose turn is next, or the longest, first
  /** They pass one after another, each in its turn: nobody waits for those who are to come. */
  inTurn: boolean;
  passed: Member[];
  missing: Member[]; // who has not come so far yet
  lacks: string[]; // what the waits say is missing, each once
}

export interface LongWait {
  member: Member;
  column: Column;
  job: Job;
  took: number;
  over: boolean;
}

export interface Failure {
  member: Member;
  column: Column | undefined;
  job: Job;
  /** Others failed before, and this one waited for them: most likely it is not the cause. */
  follows: boolean;
}

export type ClusterState = 'empty' | 'idle' | 'failed' | 'stopped' | 'election' | 'working' | 'done';

export interface Cluster {
  name: string;
  members: Member[];
  leaders: Member[];
  /** The params that say who leads, as far as the tasks and the profile tell. */
  leaderParams: string[];
  columns: Column[];
  state: ClusterState;
  done: number;
  total: number;
  started?: number;
  ended?: number;
  barriers: Barrier[];
  longest: LongWait[];
  failures: Failure[];
}

// Names that mean a role wherever they end the name of a param.
const rolePattern = /(?:^|[/\-_. ])(leader|manager|master|primary|coordinator|controller|director)(s?)$/i;
const leading = ['leader', 'primary', 'master', 'coordinator', 'controller', 'director', 'manager']; // who leads, if there are several

/** The role that the name of a param tells, in the singular. */
export const roleOf = (param: string): string | undefined => rolePattern.exec(param)?.[1]!.toLowerCase();

/** The params that make a profile the one that a cluster shares: it names itself in one of them. */
export const namesItself = (p: Pick<Profile, 'Name' | 'Params'>): boolean =>
  Object.entries(p.Params ?? {}).some(([k, v]) => v === p.Name && /^cluster[-/]profile$|(^|\/)cluster[-_]?profile$/.test(k));

/** Whether a profile stands for a cluster: it names itself, or machines share it and it says who leads them. */
export const isCluster = (p: Pick<Profile, 'Name' | 'Params'>, members = 0): boolean =>
  namesItself(p) || (members > 1 && Object.entries(p.Params ?? {}).some(([k, v]) => roleOf(k) && typeof v !== 'boolean' && typeof v !== 'number'));

const empty = (v: unknown, def?: unknown): boolean =>
  v === undefined || v === null || v === '' || v === 'none' || v === '(hidden)' || (Array.isArray(v) && v.length === 0) || (def !== undefined && equal(v, def) && typeof v === 'string');

/** The members that a value names: by UUID or by name, in lists and in objects too. */
export function namedIn(value: unknown, find: (id: string) => string | undefined, depth = 0): string[] {
  if (typeof value === 'string') {
    const uuid = find(value);
    return uuid ? [uuid] : [];
  }
  if (depth > 2 || value === null || typeof value !== 'object') return [];
  const inner = Array.isArray(value) ? value : Object.values(value);
  return [...new Set(inner.flatMap((v) => namedIn(v, find, depth + 1)))];
}

/** Finds a machine by what params call it. */
export function finder(machines: readonly Pick<Machine, 'Uuid' | 'Name'>[]): (id: string) => string | undefined {
  const known = new Map<string, string>();
  for (const m of machines) known.set(m.Name, m.Uuid);
  for (const m of machines) known.set(m.Uuid, m.Uuid);
  return (id) => known.get(id) ?? known.get(id.toLowerCase());
}

/** Who has which roles: by params of the profile that name members, and by those of machines that are true. */
export function rolesOf({ profile, machines, params }: Pick<Facts, 'profile' | 'machines' | 'params'>): Map<string, Set<string>> {
  const roles = new Map<string, Set<string>>();
  const give = (uuid: string, role: string) => roles.set(uuid, (roles.get(uuid) ?? new Set()).add(role));
  const find = finder(machines);
  for (const [name, value] of Object.entries(profile.Params ?? {})) {
    if (empty(value, defaultOf(params.get(name)))) continue;
    const role = roleOf(name);
    if (role) for (const uuid of namedIn(value, find)) give(uuid, role);
    else if (typeof value === 'string' && find(value)) give(find(value)!, name.split('/').at(-1)!);
  }
  for (const m of machines) {
    for (const [name, value] of Object.entries(m.Params ?? {})) {
      const role = roleOf(name);
      if (role && value === true) give(m.Uuid, role);
    }
  }
  return roles;
}

const defaultOf = (p: Param | undefined) => p?.Schema?.default;

/** The params that say who leads: of the profile, or that the tasks at hand speak of. */
export function leaderParams(profile: Profile, tasks: Iterable<Task>, params: ReadonlyMap<string, Param>): string[] {
  const list = new Set<string>();
  const take = (name: string) => {
    const type = params.get(name)?.Schema?.type;
    if (roleOf(name) && type !== 'boolean' && type !== 'integer') list.add(name);
  };
  for (const [name, value] of Object.entries(profile.Params ?? {})) if (typeof value !== 'boolean' && typeof value !== 'number') take(name);
  for (const t of tasks) for (const name of [...(t.RequiredParams ?? []), ...(t.OptionalParams ?? [])]) if (params.has(name)) take(name);
  return [...list].sort((a, b) => leading.indexOf(roleOf(a)!) - leading.indexOf(roleOf(b)!) || a.localeCompare(b));
}

// What the scripts of tasks that wait for others call.
const waitCalls = /\b(cluster_a?wait\w*|cluster_changed|wait_for(_\w+)?|drp(cli)?\b[^\n]*\s(wait\s|await\s|--wait(?![\w-])))/;

/** Whether the scripts of a task wait for something. */
export const waitsForOthers = (t: Task | undefined): boolean => Boolean(t?.Templates?.some((x) => waitCalls.test(x.Contents ?? '')));

/** What a wait is for, in words. */
export function wanted(w: Waiting): string {
  const { For } = w.Wait;
  const where = For.Key ? `${For.Kind.replace(/s$/, '')} ${For.Key}` : For.Kind;
  const field = (path: string) => tokens(path).slice(-1)[0] ?? path;
  if (For.Path !== undefined) return `${field(For.Path)} to hold at least ${For.AtLeast ?? 1}`;
  const tests = (For.Tests ?? []).filter((t) => t.op !== 'defined' && !(t.op === 'not' && For.Tests!.length > 1 && isNull(t)));
  if (tests.length) return tests.map(testWords).join(' and ');
  if (For.Tests?.length) return `${field(For.Tests[0]!.path)} to be set`;
  if (For.Since) return `any change of ${where}`;
  return For.Filter ? `${For.Kind} with ${safeDecode(For.Filter)}` : `the ${where}`;
}

function testWords(t: { op: string; path: string; value?: unknown; apply?: { op: string; path: string; value?: unknown }[] }): string {
  const inner = t.op === 'not' ? t.apply?.[0] : undefined;
  const name = tokens((inner ?? t).path).slice(-1)[0] ?? '';
  const words: Record<string, string> = { test: 'to be', less: 'to be less than', more: 'to be more than', defined: 'to be set', undefined: 'not to be set' };
  const value = (inner ?? t).value;
  return `${name} ${inner ? 'to be other than' : (words[t.op] ?? t.op)}${value === undefined ? '' : ' ' + JSON.stringify(value)}`;
}

const isNull = (t: { op: string; apply?: { value?: unknown }[] }) => t.op === 'not' && t.apply?.[0]?.value === null;

function safeDecode(s: string): string {
  try {
    return decodeURIComponent(s);
  } catch {
    return s;
  }
}

/** How long who has seen a change may look at it before it counts as busy, in milliseconds. */
export const looking = 5000;

/**
 * Who waits now, and who waited for any change and has got one: it looks whether that was the right one, and most
 * often waits again at once.
 */
export function stillWaiting(before: readonly Waiting[], fresh: readonly Waiting[], now: number): Waiting[] {
  const again = new Set(fresh.map((w) => w.Job));
  const look = before.filter((w) => w.Wait.For.Since && w.Job && !again.has(w.Job) && now - (w.over ?? now) < looking);
  return [...fresh, ...look.map((w) => ({ ...w, over: w.over ?? now }))];
}

/** The turns that a task grants. */
interface Turns {
  order: string[]; // UUIDs of members
  through: ReadonlySet<string>;
}

/**
 * The turns of a task, where two of the shared lists that it speaks of tell them: members in their order, and those
 * of them who are through.
 */
export function turnsOf(task: Task | undefined, profile: Profile, find: (id: string) => string | undefined): Turns | undefined {
  if (!task) return undefined;
  const lists = Object.entries(profile.Params ?? {}).flatMap(([name, value]) => {
    if (!Array.isArray(value) || !speaksOf(task, name)) return [];
    const uuids = value.map((v) => (typeof v === 'string' ? find(v) : undefined));
    return uuids.every((u) => u !== undefined) ? [uuids as string[]] : [];
  });
  const pairs = lists.flatMap((order) =>
    lists.flatMap((l) => (l !== order && l.length < order.length && l.every((u) => order.includes(u)) ? [{ order, through: new Set(l) }] : [])),
  );
  return pairs.length === 1 ? pairs[0] : undefined;
}

function speaksOf(task: Task, param: string): boolean {
  if (task.RequiredParams?.includes(param) || task.OptionalParams?.includes(param)) return true;
  const whole = new RegExp(`(?<![\\w/.-])${param.replace(/[^\w/-]/g, '\\$&')}(?![\\w/-])`);
  return Boolean(task.Templates?.some((x) => whole.test(x.Contents ?? '')));
}

/** Who is ahead of a member in the order of turns and not through yet. */
function aheadOf(uuid: string, { order, through }: Turns): string[] | undefined {
  const place = order.indexOf(uuid);
  return place < 0 ? undefined : order.slice(0, place).filter((u) => !through.has(u));
}

/** What a member waits for and who is ahead, in words. */
export const waitWords = ({ waitsFor, before }: Member): string =>
  [...(waitsFor ? [`waits for ${waitsFor}`] : []), ...(before ? [aheadWords(before)] : [])].join('; ');

/** Who is ahead, in words. */
export function aheadWords(ahead: readonly Member[]): string {
  const names = ahead.slice(0, ahead.length > 4 ? 3 : 4).map((m) => m.machine.Name);
  const more = ahead.length - names.length;
  const all = more ? [...names, `${more} more`] : names;
  return all.length === 1 ? `${all[0]} is ahead` : `${all.slice(0, -1).join(', ')} and ${all.at(-1)} are ahead`;
}

// The matrix

interface Line {
  columns: Column[]; // those of the machine's task list that are steps, with their place in it
  index: number[];
}

/** The steps of a task list. Entries that begin a stage head what follows and are no steps themselves. */
export function stepsOf(m: Pick<Machine, 'Tasks' | 'Stage' | 'CurrentTask'>): Line {
  const line: Line = { columns: [], index: [] };
  const seen = new Map<string, number>();
  let stage = m.Tasks[0]?.startsWith('stage:') ? '' : m.Stage;
  m.Tasks.forEach((entry, i) => {
    if (entry.startsWith('stage:')) {
      stage = entry.slice('stage:'.length);
      return;
    }
    const name = `${stage}\n${entry}`;
    const n = seen.get(name) ?? 0;
    seen.set(name, n + 1);
    line.columns.push({ id: `${name}\n${n}`, stage, task: entry });
    line.index.push(i);
  });
  return line;
}

/** One order of columns in which the steps of every machine stand as in its own list. */
export function mergeColumns(lists: readonly (readonly Column[])[]): Column[] {
  const merged: Column[] = [];
  const done = new Set<string>();
  for (const list of [...lists].sort((a, b) => b.length - a.length)) {
    const text = list.map((c) => c.id).join('\0');
    if (done.has(text)) continue;
    done.add(text);
    let place = 0;
    for (const c of list) {
      const known = merged.findIndex((x) => x.id === c.id);
      if (known >= 0) place = Math.max(place, known + 1);
      else merged.splice(place++, 0, c);
    }
  }
  return merged;
}

/** The jobs of the task list that a machine has now, by their place in it; of a place that was tried again the newest. */
export function currentRun(m: Machine, byUuid: ReadonlyMap<string, Job>): Map<number, Job> {
  const run = new Map<number, Job>();
  if (m.CurrentTask < 0) return run;
  let bound = Infinity;
  for (let job = byUuid.get(m.CurrentJob); job && job.CurrentIndex <= bound; job = byUuid.get(job.Previous)) {
    if (job.Workflow !== m.Workflow || m.Tasks[job.CurrentIndex] !== job.Task) break;
    if (!run.has(job.CurrentIndex)) run.set(job.CurrentIndex, job);
    bound = job.CurrentIndex;
  }
  return run;
}

const states: Record<Job['State'], CellState> = { created: 'queued', running: 'running', incomplete: 'paused', finished: 'done', failed: 'failed' };

function cellOf(m: Machine, index: number, run: ReadonlyMap<number, Job>, now: number): Cell {
  const job = run.get(index);
  if (job) return { state: states[job.State] ?? 'queued', job, took: tookOf(job, now) };
  if (index >= m.CurrentTask) return { state: 'ahead' };
  return { state: [...run.keys()].some((i) => i < index) ? 'skipped' : 'done' };
}

/** How long a job has taken, so far if it goes on. */
export function tookOf(job: Job, now: number): number | undefined {
  if (!isTime(job.StartTime)) return undefined;
  return Math.max(0, (isTime(job.EndTime) ? Date.parse(job.EndTime) : now) - Date.parse(job.StartTime));
}

function stateOf(m: Machine, cells: readonly Cell[], run: ReadonlyMap<number, Job>): Member['state'] {
  if (m.Tasks.length === 0) return 'idle';
  if (m.WorkflowComplete || m.CurrentTask >= m.Tasks.length) return 'done';
  const job = run.get(m.CurrentTask);
  if (job?.State === 'failed') return 'failed';
  if (cells.some((c) => c.state === 'waiting')) return 'waiting';
  if (job?.State === 'running') return 'running';
  return m.Runnable ? 'queued' : 'stopped';
}

/** Everything that the page of a cluster shows. */
export function clusterOf(facts: Facts): Cluster {
  const { profile, machines, jobs, tasks, now } = facts;
  const byUuid = new Map(jobs.map((j) => [j.Uuid, j]));
  const lines = machines.map(stepsOf);
  const columns = mergeColumns(lines.map((l) => l.columns));
  const place = new Map(columns.map((c, i) => [c.id, i]));
  const waitByJob = new Map((facts.waits ?? []).flatMap((w) => (w.Job ? [[w.Job, w] as const] : [])));
  const roles = rolesOf(facts);
  const used = [...new Set(columns.map((c) => c.task))].flatMap((t) => tasks.get(t) ?? []);
  const leadParams = leaderParams(profile, used, facts.params);
  const held = new Set([...roles.values()].flatMap((r) => [...r]));
  const lead = leading.find((r) => held.has(r));

  const members = machines.map((m, i): Member => {
    const run = currentRun(m, byUuid);
    const cells: Cell[] = columns.map(() => ({ state: 'none' }));
    lines[i]!.columns.forEach((c, n) => {
      const cell = cellOf(m, lines[i]!.index[n]!, run, now);
      if (cell.state === 'running' && waits(cell.job!, tasks.get(c.task), facts.waits, waitByJob)) cell.state = 'waiting';
      cells[place.get(c.id)!] = cell;
    });
    const mine = [...(roles.get(m.Uuid) ?? [])].sort();
    const there = cells.filter((c) => c.state !== 'none');
    const next = cells.findIndex((c) => !['none', 'done', 'skipped'].includes(c.state));
    const member: Member = {
      machine: m, roles: mine, leads: lead !== undefined && mine.includes(lead), cells, state: stateOf(m, cells, run),
      done: there.filter((c) => c.state === 'done' || c.state === 'skipped').length, total: there.length,
    };
    if (next >= 0) member.at = columns[next];
    const wait = cells.find((c) => c.state === 'waiting')?.job;
    const told = wait && waitByJob.get(wait.Uuid);
    if (told) member.waitsFor = wanted(told);
    return member;
  });

  const leaders = members.filter((m) => m.leads);
  const failures = failuresOf(members, columns, tasks);
  const barriers = barriersOf(members, columns, facts, waitByJob);
  for (const { member, ahead } of barriers.flatMap((b) => b.here)) {
    if (ahead?.length) member.before = ahead;
  }
  const all = members.flatMap((m) => m.cells.flatMap((c) => (c.job ? [c.job] : [])));
  const starts = all.map((j) => j.StartTime).filter(isTime).map(Date.parse);
  const ends = all.map((j) => j.EndTime).filter(isTime).map(Date.parse);
  const cluster: Cluster = {
    name: profile.Name, members, leaders, leaderParams: leadParams, columns, failures, longest: longestOf(members, columns, tasks, facts.waits),
    barriers, state: 'idle', done: sum(members.map((m) => m.done)), total: sum(members.map((m) => m.total)),
  };
  cluster.state = overall(cluster, tasks);
  if (starts.length) cluster.started = Math.min(...starts);
  if (ends.length && ['done', 'failed', 'stopped'].includes(cluster.state)) cluster.ended = Math.max(...ends);
  return cluster;
}

const sum = (list: number[]) => list.reduce((a, b) => a + b, 0);

/** Where it is known who waits, only those do; else all whose script waits for others. */
function waits(job: Job, task: Task | undefined, known: readonly Waiting[] | undefined, byJob: ReadonlyMap<string, Waiting>): boolean {
  return known ? byJob.has(job.Uuid) : waitsForOthers(task);
}

function overall({ members, leaders, leaderParams, failures, columns }: Cluster, tasks: ReadonlyMap<string, Task>): ClusterState {
  if (members.length === 0) return 'empty';
  if (failures.length) return 'failed';
  const busy = members.filter((m) => m.state !== 'idle' && m.state !== 'done');
  if (busy.length === 0) return members.some((m) => m.state === 'done') ? 'done' : 'idle';
  if (busy.every((m) => m.state === 'stopped')) return 'stopped';
  if (leaders.length === 0 && electing(members, columns, tasks, leaderParams)) return 'election';
  return 'working';
}

/** Somebody works at, or is to do next after others, a task that decides who leads. */
function electing(members: readonly Member[], columns: readonly Column[], tasks: ReadonlyMap<string, Task>, params: readonly string[]): boolean {
  const deciding = decidingTasks(columns.flatMap((c) => tasks.get(c.task) ?? []), params);
  return members.some((m) => m.done > 0 && m.at !== undefined && deciding.has(m.at.task)) || members.some((m) => m.cells.some((c, i) => c.job && c.state !== 'done' && deciding.has(columns[i]!.task)));
}

const election = /\b(elect\w*|leaders?|votes?|voting)\b/i;

/** The tasks that decide who leads: those that say so, or else all whose scripts speak of the params of leaders. */
export function decidingTasks(tasks: readonly Task[], params: readonly string[]): Set<string> {
  const names = (list: readonly Task[]) => new Set(list.map((t) => t.Name));
  const speak = tasks.filter((t) => params.some((p) => t.RequiredParams?.includes(p) || t.Templates?.some((x) => x.Contents?.includes(p))));
  const say = speak.filter((t) => params.some((p) => t.RequiredParams?.includes(p)) || election.test(`${t.Name} ${t.Description ?? ''}`.replaceAll('-', ' ')));
  return names(say.length ? say : speak);
}

function barriersOf(members: readonly Member[], columns: readonly Column[], { profile, machines, tasks }: Facts, waits: ReadonlyMap<string, Waiting>): Barrier[] {
  const byUuid = new Map(members.map((m) => [m.machine.Uuid, m]));
  const find = finder(machines);
  return columns.flatMap((column, i) => {
    const inside = members.filter((m) => m.cells[i]!.state === 'waiting');
    if (inside.length === 0) return [];
    const task = tasks.get(column.task);
    const turns = turnsOf(task, profile, find);
    const here = inside.map((member): Barrier['here'][number] => {
      const job = member.cells[i]!.job!;
      const wait = waits.get(job.Uuid);
      const ahead = wait && !wait.Wait.For.Since ? undefined : turns && aheadOf(member.machine.Uuid, turns);
      const one = { member, since: Date.parse(job.StartTime), what: wait ? wanted(wait) : 'its script waits for others' };
      return ahead ? { ...one, ahead: ahead.flatMap((u) => byUuid.get(u) ?? []) } : one;
    });
    here.sort((a, b) => (a.ahead?.length ?? 0) - (b.ahead?.length ?? 0) || a.since - b.since);
    const of = (...list: CellState[]) => members.filter((m) => list.includes(m.cells[i]!.state));
    const told = inside.flatMap((m) => waits.get(m.cells[i]!.job!.Uuid) ?? []);
    const lacks = told.flatMap((w) => (w.Wait.For.Since ? [] : (w.Reason ?? []))); // of a change nothing is missing
    const missing = [...of('ahead', 'queued', 'paused', 'failed'), ...(waitsForOthers(task) ? [] : of('running'))];
    return [{ column, here, inTurn: here.every((h) => h.ahead), passed: of('done', 'skipped'), missing, lacks: [...new Set(lacks)] }];
  });
}

function longestOf(members: readonly Member[], columns: readonly Column[], tasks: ReadonlyMap<string, Task>, known: readonly Waiting[] | undefined): LongWait[] {
  const list = members.flatMap((member) =>
    member.cells.flatMap((cell, i): LongWait[] => {
      const column = columns[i]!;
      const waited = cell.state === 'waiting' || (cell.state !== 'running' && waitsForOthers(tasks.get(column.task))) || (!known && waitsForOthers(tasks.get(column.task)));
      return cell.job && cell.took !== undefined && waited ? [{ member, column, job: cell.job, took: cell.took, over: cell.state !== 'waiting' && cell.state !== 'running' }] : [];
    }),
  );
  return list.sort((a, b) => b.took - a.took).slice(0, 5);
}

function failuresOf(members: readonly Member[], columns: readonly Column[], tasks: ReadonlyMap<string, Task>): Failure[] {
  const list = members.flatMap((member) =>
    member.cells.flatMap((cell, i): Failure[] => (cell.state === 'failed' && cell.job ? [{ member, column: columns[i], job: cell.job, follows: false }] : [])),
  );
  list.sort((a, b) => a.job.EndTime.localeCompare(b.job.EndTime));
  const waited = (f: Failure) => waitsForOthers(tasks.get(f.job.Task));
  const first = list.find((f) => !waited(f)) ?? list[0]; // who waits may end before the one that it hears of
  for (const f of list) f.follows = f !== first && waited(f) && f.job.StartTime <= first!.job.EndTime;
  return [...list.filter((f) => !f.follows), ...list.filter((f) => f.follows)];
}

// What the history of the shared profile tells

export interface Write {
  rev: number;
  time: number;
  who: string;
  job: string | undefined;
  value: unknown; // undefined: removed
}

/** The writes of each param of the profile up to a revision, the oldest first. */
export function writes(history: readonly HistoryEntry[], upTo = Infinity): Map<string, Write[]> {
  const list = new Map<string, Write[]>();
  for (const e of [...history].sort((a, b) => a.Rev - b.Rev)) {
    if (e.Rev > upTo) break;
    for (const [name, value] of paramsIn(e)) {
      const write = { rev: e.Rev, time: Date.parse(e.Time), who: e.Who, job: e.Job, value };
      const known = list.get(name);
      if (known) known.push(write);
      else list.set(name, [write]);
    }
  }
  return list;
}

/** The params that an entry of a profile's history sets, removes or brings with it. */
export function paramsIn(e: HistoryEntry): [string, unknown][] {
  const found = new Map<string, unknown>();
  for (const op of e.Patch ?? []) {
    if (op.op === 'test') continue;
    const [field, name] = tokens(op.path);
    const params = field === undefined ? (op.value as Profile | undefined)?.Params : name === undefined && field === 'Params' ? op.value : undefined;
    if (params && typeof params === 'object') for (const [k, v] of Object.entries(params)) found.set(k, v);
    else if (field === 'Params' && name !== undefined) found.set(name, tokens(op.path).length > 2 ? undefined : op.op === 'remove' ? undefined : op.value);
  }
  return [...found];
}

export interface Election {
  param: string;
  rev: number;
  time: number;
  won: string[]; // UUIDs
  lost: string[]; // of those who have run the same task since
  job: string | undefined;
  task: string | undefined;
}

/** Who was elected when: each write by which a param of a leader names a machine that it did not name before. */
export function elections(history: readonly HistoryEntry[], params: readonly string[], members: readonly Member[], jobs: readonly Job[], upTo = Infinity): Election[] {
  const find = finder(members.map((m) => m.machine));
  const byUuid = new Map(jobs.map((j) => [j.Uuid, j]));
  const log = writes(history, upTo);
  const list: Election[] = [];
  for (const param of params) {
    let before: string[] = [];
    for (const w of log.get(param) ?? []) {
      const now = namedIn(w.value, find);
      const won = now.filter((m) => !before.includes(m));
      before = now;
      if (won.length === 0) continue;
      const job = w.job ? byUuid.get(w.job) : undefined;
      const lost = job ? jobs.filter((j) => j.Task === job.Task && j.State === 'finished' && !now.includes(j.Machine) && Date.parse(j.EndTime) >= w.time - 60_000).map((j) => j.Machine) : [];
      list.push({ param, rev: w.rev, time: w.time, won, lost: [...new Set(lost)], job: w.job, task: job?.Task });
    }
  }
  return list.sort((a, b) => a.rev - b.rev);
}

/** Who ended a wait: the last change of the profile by another job, before the wait was over. */
export function releasedBy(wait: LongWait, history: readonly HistoryEntry[]): { rev: number; job: string | undefined; params: string[] } | undefined {
  if (!wait.over) return undefined;
  const [start, end] = [Date.parse(wait.job.StartTime), Date.parse(wait.job.EndTime)];
  const last = history.filter((e) => e.Job !== wait.job.Uuid && Date.parse(e.Time) >= start && Date.parse(e.Time) <= end).sort((a, b) => b.Rev - a.Rev)[0];
  return last && { rev: last.Rev, job: last.Job, params: paramsIn(last).map(([name]) => name) };
}

/** How a cluster stands, in words; without the time when now is 0. */
export function stateWords(c: Cluster, now: number): string {
  const took = c.started === undefined || (!now && c.ended === undefined) ? '' : duration((c.ended ?? now) - c.started);
  switch (c.state) {
    case 'empty':
      return 'no machine has this profile';
    case 'idle':
      return 'its machines have no tasks';
    case 'failed':
      return `${c.failures.length} failed`;
    case 'stopped':
      return 'its machines are not runnable';
    case 'election':
      return 'election under way';
    case 'done':
      return took ? `done in ${took}` : 'done';
    default:
      return took ? `working for ${took}` : 'working';
  }
}
