import { useEffect, useRef, useState } from 'react';
import { api, ApiError, part, send } from '../api/client.ts';
import type { HistoryEntry, Job, Machine } from '../api/types.ts';
import { clusterOf, elections, type Cluster, type Facts } from '../lib/cluster.ts';
import { describePatch, summary } from '../lib/describe-patch.ts';
import { replay, type Moment, type Replay } from '../lib/replay.ts';
import { useEvents } from '../live/hooks.ts';
import { feed } from '../live/index.ts';

const most = 10_000; // entries an answer may have

/** The history of the shared profile, live, the oldest first. */
export function useProfileHistory(name: string): { entries: HistoryEntry[]; error?: unknown } {
  const [state, setState] = useState<{ entries: HistoryEntry[]; error?: unknown }>({ entries: [] });
  const last = useRef(0);
  const busy = useRef<Promise<void>>(Promise.resolve());
  const more = useRef(false);
  const read = () => {
    if (more.current) return; // one that waits its turn will see it
    more.current = true;
    busy.current = busy.current.then(async () => {
      more.current = false;
      try {
        const query = { limit: most, since: last.current || undefined };
        const list = await api<HistoryEntry[]>('GET', `/profiles/${part(name)}/history`, { query });
        const fresh = list.filter((e) => e.Rev > last.current).reverse();
        last.current = fresh.at(-1)?.Rev ?? last.current;
        setState((old) => ({ entries: fresh.length ? [...old.entries, ...fresh] : old.entries }));
      } catch (error) {
        setState((old) => ({ ...old, error }));
      }
    });
  };
  useEvents('profiles.*.*', (e) => e.Key === name && e.Rev && read());
  useEffect(() => {
    last.current = 0;
    setState({ entries: [] });
    read();
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [name]);
  return state;
}

export interface Past {
  replay: Replay;
  events: Mark[];
  /** Who the entries are about and by, for words. */
  names: ReadonlyMap<string, string>;
  jobs: ReadonlyMap<string, Job>;
  /** Of the machines that had the profile when this was read. */
  machines: ReadonlyMap<string, Machine>;
}

/** Something that one may want to go to. */
export interface Mark {
  rev: number;
  index: number; // of the moment
  label: string;
  kind: 'begin' | 'elected' | 'step' | 'failed' | 'done';
}

/** How much of history is read. */
export type Reach = 'run' | 'all';

/** The past of a cluster, read when it is wanted, and then kept current. */
export function usePast(facts: Omit<Facts, 'now'> | undefined, wanted: boolean, reach: Reach) {
  const [past, setPast] = useState<Past>();
  const [problem, setProblem] = useState<unknown>();
  const [loading, setLoading] = useState(false);
  const ready = wanted && facts !== undefined;
  const members = facts?.machines.map((m) => m.Uuid).join(',');
  const name = facts?.profile.Name;
  const latest = useRef(facts);
  latest.current = facts;
  useEffect(() => {
    if (!ready) return;
    let mine = true;
    setLoading(true);
    load(latest.current!, reach)
      .catch((err: unknown) => {
        if (reach === 'run' && err instanceof ApiError && err.status === 410) return load(latest.current!, 'all'); // what is kept still
        throw err;
      })
      .then(async (p) => (await extend(latest.current!, p)) ?? p) // what came while it was read
      .then((p) => mine && (setPast(p), setProblem(undefined)))
      .catch((err: unknown) => mine && setProblem(err))
      .finally(() => mine && setLoading(false));
    return () => {
      mine = false;
    };
  }, [ready, name, members, reach]);

  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEvents(past && wanted ? 'machines,jobs,profiles.*.*' : '', () => {
    timer.current ??= setTimeout(() => {
      timer.current = undefined;
      void extend(latest.current!, past!).then((p) => p && setPast(p), setProblem);
    }, 700);
  });
  useEffect(() => () => clearTimeout(timer.current), [past]);
  return { past, problem, loading };
}

async function load(facts: Omit<Facts, 'now'>, reach: Reach): Promise<Past> {
  const to = feed.rev || undefined;
  const live = clusterOf({ ...facts, now: Date.now() });
  // A minute before the first job: there the machines were given their workflow, and often made.
  const from = reach === 'all' ? undefined : new Date((live.started ?? Date.now() - 3_600_000) - 60_000).toISOString();
  const range = { from, to, oldest: true };
  const lists = await some(
    [`/profiles/${part(facts.profile.Name)}/history`, ...facts.machines.map((m) => `/machines/${m.Uuid}/history`)].map((path) => () => pages(path, range)),
  );
  const ours = new Set(facts.machines.map((m) => m.Uuid));
  const known = new Set(facts.jobs.map((j) => j.Uuid));
  const jobs = (await pages('/history', { ...range, kind: 'jobs' })).filter((e) => isOurs(e, ours, known));
  const entries = [...lists.flat(), ...jobs];

  // What was made before that is found by going back from what it was at the end.
  const made = new Set(entries.filter((e) => e.Patch.some((op) => op.op === 'add' && op.path === '')).map((e) => e.Kind + e.Key));
  const older = [...new Set(entries.filter((e) => !made.has(e.Kind + e.Key)).map((e) => e.Kind + '\n' + e.Key))];
  const present = new Map<string, unknown>();
  await some(
    older.map((o) => async () => {
      const [kind, key] = o.split('\n') as [string, string];
      const is = await api('GET', `/${kind}/${part(key)}`, { query: { at: to } }).catch(gone);
      if (is) present.set(o, is);
    }),
  );
  return pastOf(replay(entries, (kind, key) => present.get(kind + '\n' + key)), facts);
}

const gone = (err: unknown) => {
  if (err instanceof ApiError && err.status === 404) return undefined;
  throw err;
};

function isOurs(e: HistoryEntry, ours: ReadonlySet<string>, known: Set<string>): boolean {
  if (known.has(e.Key)) return true;
  const made = e.Patch.find((op) => op.path === '')?.value as Job | undefined;
  if (!made || !ours.has(made.Machine)) return false;
  known.add(e.Key);
  return true;
}

async function extend(facts: Omit<Facts, 'now'>, past: Past): Promise<Past | undefined> {
  const last = past.replay.moments.at(-1)?.rev ?? 0;
  const ours = new Set(facts.machines.map((m) => m.Uuid));
  const known = new Set(past.jobs.keys());
  const list = await pages('/history', { since: last, oldest: true });
  const fresh = list.filter(
    (e) => (e.Kind === 'machines' && ours.has(e.Key)) || (e.Kind === 'profiles' && e.Key === facts.profile.Name) || (e.Kind === 'jobs' && isOurs(e, ours, known)),
  );
  if (!fresh.length) return undefined;
  past.replay.extend(fresh);
  return pastOf(past.replay, facts);
}

/** All entries of a query, page after page. Back to the oldest that is kept. */
async function pages(path: string, query: Record<string, string | number | boolean | undefined>): Promise<HistoryEntry[]> {
  const list: HistoryEntry[] = [];
  for (let from = query.from; ; ) {
    const res = await send('GET', path, { query: { ...query, since: from === undefined ? query.since : undefined, from, limit: most } });
    list.push(...((await res.json()) as HistoryEntry[]));
    const next = res.headers.get('X-DRP-HISTORY-NEXT');
    if (!next) return list;
    from = next;
  }
}

/** Does all, some at a time. */
async function some<T>(work: (() => Promise<T>)[]): Promise<T[]> {
  const results: T[] = [];
  let next = 0;
  const worker = async () => {
    while (next < work.length) {
      const i = next++;
      results[i] = await work[i]!();
    }
  };
  await Promise.all(Array.from({ length: 6 }, worker));
  return results;
}

function pastOf(r: Replay, facts: Omit<Facts, 'now'>): Past {
  const machines = new Map(facts.machines.map((m) => [m.Uuid, m]));
  const names = new Map(facts.machines.map((m) => [m.Uuid, m.Name]));
  const end = r.moments.at(-1)?.rev ?? 0;
  const jobs = new Map(r.all<Job>('jobs', end).map((j) => [j.Uuid, j]));
  for (const j of facts.jobs) if (!jobs.has(j.Uuid)) jobs.set(j.Uuid, j);
  const past: Past = { replay: r, names, jobs, machines, events: [] };
  past.events = marks(past, facts);
  return past;
}

/** The facts as they were at a moment. Definitions of tasks and params are those of now. */
export function factsAt(past: Past, facts: Omit<Facts, 'now'>, moment: Moment): Facts | undefined {
  const { replay: r } = past;
  const at = <T>(kind: string, key: string, is: T): T | undefined => (r.knows(kind, key) ? r.get<T>(kind, key, moment.rev) : is);
  const profile = at('profiles', facts.profile.Name, facts.profile);
  if (!profile) return undefined;
  const name = facts.profile.Name; // some have it by way of another profile: of these only now is known
  const machines = facts.machines.flatMap((m) => {
    const was = at('machines', m.Uuid, m);
    return was && (was.Profiles?.includes(name) || !m.Profiles.includes(name)) ? [was] : [];
  });
  const { waits: _, ...rest } = facts;
  const then = r.all<Job>('jobs', moment.rev);
  return { ...rest, profile, machines, jobs: [...then, ...facts.jobs.filter((j) => !r.knows('jobs', j.Uuid))], now: moment.time };
}

/** What to jump to: beginnings, elections, the end of a step on all machines, failures, the end. */
function marks(past: Past, facts: Omit<Facts, 'now'>): Mark[] {
  const { replay: r, names } = past;
  const list: Mark[] = [];
  const finished = new Map<string, Set<string>>();
  const history = r.moments.flatMap((m) => m.entries.filter((e) => e.Kind === 'profiles'));
  const live = clusterOf({ ...facts, now: Date.now() });
  const elected = new Map(elections(history, live.leaderParams, live.members, [...past.jobs.values()]).map((e) => [e.rev, e]));
  let working = new Set<string>();
  r.moments.forEach((m, index) => {
    const add = (kind: Mark['kind'], label: string) => list.push({ rev: m.rev, index, label, kind });
    const won = elected.get(m.rev);
    if (won) add('elected', `${won.won.map((u) => names.get(u) ?? u).join(', ')} elected (${won.param})`);
    for (const e of m.entries) {
      for (const op of e.Patch) {
        if (e.Kind === 'machines' && op.path === '/Workflow' && op.op !== 'test' && op.value) {
          if (!working.size) add('begin', `workflow ${String(op.value)} begins`);
          working.add(e.Key);
          finished.clear();
        }
        if (e.Kind === 'machines' && op.path === '/WorkflowComplete' && op.op !== 'test' && op.value === true && working.delete(e.Key) && !working.size) add('done', 'all are done');
        if (e.Kind !== 'jobs' || op.path !== '/State' || op.op === 'test') continue;
        const job = past.jobs.get(e.Key);
        if (!job || job.Task.startsWith('stage:')) continue;
        if (op.value === 'failed') add('failed', `${job.Task} failed on ${names.get(job.Machine) ?? job.Machine}`);
        if (op.value === 'finished') {
          const done = (finished.get(job.Task) ?? new Set()).add(job.Machine);
          finished.set(job.Task, done);
          if (done.size === facts.machines.length) add('step', `${job.Task} done`);
        }
      }
    }
  });
  return list;
}

/** What a change did, in words. */
export function inWords(past: Pick<Past, 'names' | 'jobs'>, e: HistoryEntry): string {
  const name = (uuid: string) => past.names.get(uuid) ?? uuid;
  const plain = (text: string) => text.replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, (u) => (past.jobs.has(u) ? `job of ${past.jobs.get(u)!.Task}` : name(u)));
  if (e.Kind === 'jobs') {
    const job = past.jobs.get(e.Key);
    const state = e.Patch.findLast((op) => op.path === '/State' && op.op !== 'test')?.value ?? (e.Action === 'create' ? 'made' : undefined);
    const what = job ? `${name(job.Machine)}: ${job.Task}` : 'a job';
    return state ? `${what} is ${String(state)}` : `${what}: ${plain(summary(describePatch(e.Patch as Parameters<typeof describePatch>[0])))}`;
  }
  const what = e.Kind === 'machines' ? name(e.Key) : e.Kind === 'profiles' ? 'shared profile' : e.Key;
  return `${what}: ${plain(summary(describePatch(e.Patch as Parameters<typeof describePatch>[0])))}`;
}

/** Who made a change: a machine's script, by name where it is known. */
export function byWhom(past: Pick<Past, 'names' | 'jobs'>, who: string, job: string | undefined): string {
  const j = job ? past.jobs.get(job) : undefined;
  if (j) return `${past.names.get(j.Machine) ?? j.Machine}, task ${j.Task}`;
  const [kind, name] = [who.split(':')[0], who.split(':').slice(1).join(':')];
  return kind === 'machine' ? (past.names.get(name) ?? name) : kind === 'user' ? name : who;
}

export type { Cluster };
