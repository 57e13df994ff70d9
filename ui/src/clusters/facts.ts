import { useEffect, useMemo, useRef, useState, useSyncExternalStore } from 'react';
import { api } from '../api/client.ts';
import type { Job, Machine, Param, Params, Profile, Task } from '../api/types.ts';
import { looking, roleOf, stillWaiting, type Facts, type Waiting } from '../lib/cluster.ts';
import type { Some, TableSnapshot } from '../live/cache.ts';
import { useEvents, useObject, useObjects } from '../live/hooks.ts';
import { cache } from '../live/index.ts';
import { useWaits } from '../live/waits.ts';

/** The profile and all that hold it, and so bring it to their machines. */
export function holders(name: string, profiles: readonly Profile[]): Set<string> {
  const found = new Set([name]);
  for (let grown = true; grown; ) {
    grown = false;
    for (const p of profiles) {
      if (found.has(p.Name) || !p.Profiles?.some((x) => found.has(x))) continue;
      found.add(p.Name);
      grown = true;
    }
  }
  return found;
}

/** The definitions that facts are read with: few, and all of them known. */
export function useDefinitions() {
  const tasks = useObjects<Task>('tasks');
  const params = useObjects<Param>('params');
  return { tasks: tasks.byKey, params: params.byKey, loading: tasks.loading || params.loading };
}

/** Everything that is known of a cluster just now, live, but for the time. */
export function useFacts(name: string) {
  const profile = useObject<Profile>('profiles', name);
  const profiles = useObjects<Profile>('profiles');
  const all = useObjects<Machine>('machines');
  const { tasks, params, loading } = useDefinitions();
  const bare = useMemo(() => {
    const held = holders(name, profiles.items);
    return all.items.filter((m) => m.Profiles?.some((p) => held.has(p))).sort((a, b) => a.Name.localeCompare(b.Name, 'en', { numeric: true }));
  }, [name, profiles.items, all.items]);
  const roleParams = useRoleParams(bare, params);
  const machines = useMemo(() => bare.map((m) => ({ ...m, Params: roleParams.get(m.Uuid) ?? {} })), [bare, roleParams]);
  const jobs = useJobsOf(bare);
  const waits = useStillWaiting(useWaits(profile.object));
  const facts = useMemo(
    () => profile.object && { profile: profile.object, machines, jobs: jobs.items, tasks, params, ...(waits && { waits }) },
    [profile.object, machines, jobs.items, tasks, params, waits],
  );
  return { facts: facts as Omit<Facts, 'now'> | undefined, loading: profile.loading || all.loading || loading, missing: profile.missing, error: profile.error ?? all.error };
}

const none: ReadonlyMap<string, Params> = new Map();

/** Those params of the machines that tell their roles. Machines come without the others. */
function useRoleParams(machines: readonly Machine[], params: ReadonlyMap<string, Param>): ReadonlyMap<string, Params> {
  const names = useMemo(() => [...params.values()].filter((p) => roleOf(p.Name) && p.Schema?.type === 'boolean').map((p) => p.Name).sort(), [params]);
  const uuids = useMemo(() => machines.map((m) => m.Uuid).sort(), [machines]);
  const of = uuids.join(',') + '?' + names.join(',');
  const [known, setKnown] = useState(none);
  const fresh = useRef(new Map<string, Params>());
  const pick = (m: Machine): Params => Object.fromEntries(names.filter((n) => Object.hasOwn(m.Params ?? {}, n)).map((n) => [n, m.Params[n]]));
  useEvents(names.length && uuids.length ? 'machines.*.*' : '', (e) => {
    const m = e.Object as Machine | null;
    if (!e.Rev || !m || !uuids.includes(m.Uuid)) return;
    fresh.current.set(m.Uuid, pick(m));
    setKnown((old) => (JSON.stringify(old.get(m.Uuid)) === JSON.stringify(pick(m)) ? old : new Map(old).set(m.Uuid, pick(m))));
  });
  useEffect(() => {
    if (!names.length || !uuids.length) return;
    const stop = new AbortController();
    fresh.current.clear();
    api<Machine[]>('GET', '/machines', { query: { Uuid: `In(${uuids.join(',')})`, params: names.join(',') }, signal: stop.signal })
      .then((list) => setKnown(new Map([...list.map((m) => [m.Uuid, m.Params ?? {}] as const), ...fresh.current])))
      .catch(() => undefined); // the roles that the profile tells are shown still
    return () => stop.abort();
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [of]);
  return known;
}

const mostJobs = 5000;

/** The jobs of the workflows that the machines have now. */
function useJobsOf(machines: readonly Machine[]): TableSnapshot<Job> {
  const ids = machines.map((m) => m.Uuid).sort().join(',');
  const flows = [...new Set(machines.map((m) => m.Workflow))].sort().join(',');
  const some = useMemo((): Some => {
    const [of, within] = [new Set(ids.split(',')), new Set(flows.split(','))];
    return {
      query: { Machine: `In(${ids})`, Workflow: flows ? `In(${flows})` : undefined, sort: 'StartTime', reverse: true, limit: mostJobs },
      has: (o) => of.has((o as unknown as Job).Machine) && (!flows || within.has((o as unknown as Job).Workflow)),
    };
  }, [ids, flows]);
  const table = useMemo(() => (ids ? cache.table('jobs', some) : undefined), [ids, some]);
  const nothing = useRef<TableSnapshot<Job>>({ items: [], byKey: new Map(), loading: false, complete: true });
  return useSyncExternalStore(
    (read) => table?.subscribe(read) ?? (() => undefined),
    () => (table?.snapshot ?? nothing.current) as unknown as TableSnapshot<Job>,
  );
}

/** With those who look at a change that they waited for, for as long as that takes. */
function useStillWaiting(fresh: readonly Waiting[] | undefined): Waiting[] | undefined {
  const before = useRef<Waiting[]>([]);
  const [late, setLate] = useState(0);
  // eslint-disable-next-line react-hooks/exhaustive-deps
  const waits = useMemo(() => fresh && (before.current = stillWaiting(before.current, fresh, Date.now())), [fresh, late]);
  const looks = waits?.some((w) => w.over);
  useEffect(() => {
    if (!looks) return;
    const timer = setTimeout(() => setLate((n) => n + 1), looking);
    return () => clearTimeout(timer);
  }, [waits, looks]);
  return waits;
}
