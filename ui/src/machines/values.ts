import { useEffect, useMemo, useState } from 'react';
import { api, type ApiError, type Query } from '../api/client.ts';
import type { Event, Machine, Param, Params } from '../api/types.ts';
import { equal } from '../lib/json.ts';
import { useEvents, useObjects } from '../live/hooks.ts';

// Params of machines are many and large: only those that somebody looks at are read, for the
// machines in sight, or for all of them where they are sorted or filtered by.

const few = 100; // machines in one request by name
const page = 1000;

/** readParams reads some params of some machines, or of all. A machine that is not in the answer is gone. */
export async function readParams(names: readonly string[], uuids: readonly string[] | undefined, query: Query = {}): Promise<Map<string, Params>> {
  const found = new Map<string, Params>();
  const ask = async (more: Query): Promise<string> => {
    const list = await api<Machine[]>('GET', '/machines', { query: { params: names.join(','), slim: 'Meta', ...query, ...more } });
    for (const m of list) found.set(m.Uuid, m.Params);
    return list.length === page ? list.at(-1)!.Uuid : '';
  };
  if (uuids && uuids.length <= 4 * few) {
    for (let i = 0; i < uuids.length; i += few) await ask({ Uuid: `In(${uuids.slice(i, i + few).join(',')})` });
  } else {
    for (let last = await ask({ limit: page }); last; ) last = await ask({ limit: page, Uuid: `Gt(${last})` });
  }
  return found;
}

/** readMachines reads machines as they are now, without their params. */
export async function readMachines(uuids: readonly string[]): Promise<Map<string, Machine>> {
  const found = new Map<string, Machine>();
  for (let i = 0; i < uuids.length; i += few) {
    const list = await api<Machine[]>('GET', '/machines', { query: { slim: 'Params', Uuid: `In(${uuids.slice(i, i + few).join(',')})` } });
    for (const m of list) found.set(m.Uuid, m);
  }
  return found;
}

type Known = { generation: number; names: ReadonlySet<string>; values: Params };

export type Effective = {
  /** The value in force; undefined when there is none, or it is not known yet. */
  value: (uuid: string, name: string) => unknown;
  /** Whether the values of all machines are there, of the params that all are asked for. */
  complete: boolean;
  /** Why they cannot be read. */
  error?: ApiError;
};

type Wanted = { machines: readonly Machine[]; sight: readonly string[]; inSight: readonly string[]; everywhere: readonly string[] };

/** Store holds what was read, and reads what is wanted and missing, one request at a time. */
function newStore(tell: () => void) {
  const known = new Map<string, Known>();
  let generation = 0;
  let wanted: Wanted = { machines: [], sight: [], inSight: [], everywhere: [] };
  let busy = false;
  let last = 0; // when all were old
  let error: ApiError | undefined;
  let ended = false;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const lacks = (uuid: string, names: readonly string[]): boolean => {
    const k = known.get(uuid);
    return !k || k.generation !== generation || names.some((n) => !k.names.has(n));
  };
  const missing = (): { names: string[]; uuids: string[] } | undefined => {
    const { machines, sight, inSight, everywhere } = wanted;
    const names = [...new Set([...inSight, ...everywhere])];
    if (names.length === 0) return undefined;
    const near = sight.filter((u) => lacks(u, names));
    if (near.length > 0) return { names, uuids: near };
    const far = everywhere.length === 0 ? [] : machines.filter((m) => lacks(m.Uuid, everywhere)).map((m) => m.Uuid);
    return far.length > 0 ? { names, uuids: far } : undefined;
  };
  const fill = async (): Promise<void> => {
    if (busy || ended) return;
    busy = true;
    try {
      for (let need = missing(); need && !ended; need = missing()) {
        const at = generation;
        const got = await readParams(need.names, need.uuids.length > 4 * few ? undefined : need.uuids, { aggregate: true });
        const names = new Set(need.names);
        for (const uuid of need.uuids) known.set(uuid, { generation: at, names, values: got.get(uuid) ?? {} });
        error = undefined;
        tell();
      }
    } catch (err) {
      if ((err as ApiError).status === 0) return; // the server is away; the connection brings the machines back, and asks again
      const told = error !== undefined; // once: what is told asks again
      error = err as ApiError;
      if (!told) tell();
    } finally {
      busy = false;
    }
  };
  return {
    known,
    error: () => error,
    want: (w: Wanted) => {
      wanted = w;
      void fill();
    },
    old: (uuid: string) => {
      const k = known.get(uuid);
      if (k) known.set(uuid, { ...k, generation: -1 });
      void fill();
    },
    /** Values may come from anywhere: all are read again, soon, but not at every step of a storm. */
    allOld: () => {
      const pause = wanted.everywhere.length > 0 ? 3000 : 400;
      timer ??= setTimeout(() => {
        timer = undefined;
        last = Date.now();
        generation++;
        void fill();
      }, Math.max(100, last + pause - Date.now()));
    },
    complete: () => wanted.everywhere.length === 0 || wanted.machines.every((m) => known.has(m.Uuid) && wanted.everywhere.every((n) => known.get(m.Uuid)!.names.has(n))),
    start: () => {
      ended = false;
    },
    end: () => {
      ended = true;
      clearTimeout(timer);
    },
  };
}

/** useEffective yields the values in force of some params: inSight of the machines in sight, everywhere of all machines. */
export function useEffective(machines: readonly Machine[], sight: readonly string[], inSight: readonly string[], everywhere: readonly string[]): Effective {
  const [version, setVersion] = useState(0);
  const [store] = useState(() => newStore(() => setVersion((v) => v + 1)));
  useEffect(() => {
    store.start();
    return store.end;
  }, [store]);
  useEffect(() => store.want({ machines, sight, inSight, everywhere }), [store, machines, sight, inSight, everywhere]);
  const used = inSight.length + everywhere.length > 0;
  useEvents(used ? 'machines.*.*' : '', (e) => differs(e, 'Params', 'Profiles', 'Stage') && store.old(e.Key));
  useEvents(used ? 'profiles.*.*' : '', (e) => differs(e, 'Params', 'Profiles') && store.allOld());
  useEvents(used ? 'stages.*.*' : '', (e) => differs(e, 'Params', 'Profiles') && store.allOld());
  const { byKey: params } = useObjects<Param>('params');
  return useMemo(() => {
    void version;
    return {
      value: (uuid, name) => {
        const k = store.known.get(uuid);
        if (!k?.names.has(name)) return undefined;
        return Object.hasOwn(k.values, name) ? k.values[name] : params.get(name)?.Schema?.default;
      },
      complete: store.complete(),
      error: store.error(),
    };
    // machines: those that are new are not complete
  }, [store, version, params, machines, everywhere]);
}

const differs = (e: Event, ...fields: string[]): boolean => {
  const [was, is] = [e.Original, e.Object] as (Record<string, unknown> | null)[];
  return !was || !is || fields.some((f) => !equal(was[f], is[f]));
};
