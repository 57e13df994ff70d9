import { useEffect, useMemo, useState } from 'react';
import { api, type ApiError, send } from '../api/client.ts';
import type { Event, Machine, Param, Params } from '../api/types.ts';
import { own } from '../lib/json.ts';
import { feed } from './index.ts';

export interface Values {
  /** The effective value of a param: the machine's own, or that of a profile, its stage, global, or the default. */
  value: (uuid: string, name: string) => unknown;
  loading: boolean;
  error?: ApiError;
}

type Holder = Partial<Pick<Machine, 'Params' | 'Profiles' | 'Stage'>>;

const page = 2000; // machines
const pause = 100; // milliseconds in which changes are gathered before values are asked for again

/** Effective values of some params for all machines, live. They are held only while they are shown. */
export function useParamValues(names: readonly string[]): Values {
  const key = [...new Set(names)].sort().join(',');
  const [state, setState] = useState<Values>({ value: () => undefined, loading: key !== '' });
  const none = useMemo<Values>(() => ({ value: () => undefined, loading: false }), []);
  useEffect(() => (key ? follow(key, setState) : undefined), [key]);
  return key ? state : none;
}

/** Reads the values and keeps them by the events that may change them, until the answer is called. */
function follow(key: string, show: (v: Values) => void): () => void {
  const names = key.split(',');
  const values = new Map<string, Params>();
  let defaults: Params = {};
  const stale = new Set<string>();
  const stop = new AbortController();
  let all = true; // everything has to be read
  let busy = false;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const publish = (more: Partial<Values> = {}) => {
    const now = new Map(values);
    show({ value: (uuid, name) => own(now.get(uuid), name) ?? own(defaults, name), loading: false, ...more });
  };
  const soon = () => {
    timer ??= setTimeout(() => {
      timer = undefined;
      void read();
    }, pause);
  };
  const read = async () => {
    if (busy) return soon();
    busy = true;
    const [whole, some] = [all, [...stale]];
    all = false;
    stale.clear();
    try {
      if (whole) defaults = await readDefaults(key, stop.signal);
      if (whole) await readPages(key, undefined, stop.signal, values);
      for (let i = 0; !whole && i < some.length; i += 100) await readPages(key, some.slice(i, i + 100), stop.signal, values);
      publish();
    } catch (err) {
      if (stop.signal.aborted) return;
      all ||= whole;
      some.forEach((uuid) => stale.add(uuid));
      publish({ error: err as ApiError });
      if ((err as ApiError).status === 0) setTimeout(soon, 1000);
    } finally {
      busy = false;
    }
  };

  const machine = feed.listen('machines.*.*', (e) => {
    const [now, before] = [e.Object as Machine | null, e.Original as Holder | null];
    if (!e.Rev || !now) return;
    if (e.Action === 'delete') {
      values.delete(now.Uuid);
      return;
    }
    if (!before || now.Stage !== before.Stage || differs(now.Profiles, before.Profiles) || names.some((n) => differs(own(now.Params, n), own(before.Params, n)))) {
      stale.add(now.Uuid);
      soon();
    }
  });
  const others = (['profiles', 'stages', 'params'] as const).map((kind) =>
    feed.listen(`${kind}.*.*`, (e) => {
      if (!e.Rev || !matters(kind, e, names)) return;
      all = true;
      soon();
    }),
  );
  show({ value: () => undefined, loading: true });
  void Promise.all([machine, ...others].map((l) => l.ready)).then(read);
  return () => {
    stop.abort();
    clearTimeout(timer);
    for (const l of [machine, ...others]) l.end();
  };
}

/** Whether an event about what machines inherit from may change what they inherit. */
export function matters(kind: 'profiles' | 'stages' | 'params', e: Event, names: readonly string[]): boolean {
  if (kind === 'params') return names.includes(e.Key);
  const [now, before] = [(e.Action === 'delete' ? {} : (e.Object ?? {})) as Holder, (e.Original ?? (e.Action === 'delete' ? e.Object : undefined) ?? {}) as Holder];
  return differs(now.Profiles ?? [], before.Profiles ?? []) || names.some((n) => differs(own(now.Params, n), own(before.Params, n)));
}

const differs = (a: unknown, b: unknown) => JSON.stringify(a) !== JSON.stringify(b);

/** What lists leave out of the effective values: the defaults of the params themselves. */
async function readDefaults(key: string, signal: AbortSignal): Promise<Params> {
  const params = await api<Param[]>('GET', '/params', { query: { Name: `In(${key})` }, signal });
  return Object.fromEntries(params.map((p) => [p.Name, p.Schema?.default]));
}

async function readPages(key: string, uuids: string[] | undefined, signal: AbortSignal, into: Map<string, Params>) {
  const seen = new Set<string>();
  for (let offset = 0, total = 1; offset < total; ) {
    const query = { params: key, aggregate: true, slim: 'Meta', limit: page, offset, Uuid: uuids && `In(${uuids.join(',')})` };
    const res = await send('GET', '/machines', { query, signal });
    const list = (await res.json()) as Machine[];
    for (const m of list) {
      into.set(m.Uuid, m.Params);
      seen.add(m.Uuid);
    }
    offset += list.length;
    total = Number(res.headers.get('X-DRP-LIST-FILTER-COUNT') ?? offset);
    if (!list.length) break;
  }
  if (!uuids) for (const uuid of into.keys()) if (!seen.has(uuid)) into.delete(uuid);
}
