import { keepPreviousData, useQuery, useQueryClient } from '@tanstack/react-query';
import { useCallback, useEffect, useMemo, useRef, useSyncExternalStore } from 'react';
import { ApiError, send, type Query } from '../api/client.ts';
import { keyOf, type Event, type Thing } from '../api/types.ts';
import type { ObjectSnapshot, TableSnapshot } from './cache.ts';
import type { Connection } from './feed.ts';
import { cache, feed } from './index.ts';

/**
 * A whole kind, live. Machines come without their Params. Not for kinds that grow without bound,
 * such as jobs: for those there is useList.
 */
export function useObjects<T = Thing>(kind: string): TableSnapshot<T> {
  const table = cache.table(kind);
  return useSyncExternalStore(table.subscribe, () => table.snapshot) as unknown as TableSnapshot<T>;
}

/** One whole object, live. After it was deleted it is missing, and object is what it was. An empty key is that of none. */
export function useObject<T = Thing>(kind: string, key: string): ObjectSnapshot<T> {
  const one = key ? cache.one(kind, key) : nobody;
  return useSyncExternalStore(one.subscribe, () => one.snapshot) as unknown as ObjectSnapshot<T>;
}

const nobody = { subscribe: () => () => {}, snapshot: { loading: false, missing: true } };

/** Every event of a filter TYPE.ACTION.KEY, as it comes. An empty filter hears nothing. */
export function useEvents(filter: string, hear: (e: Event) => void) {
  const latest = useRef(hear);
  latest.current = hear;
  useEffect(() => (filter ? feed.listen(filter, (e) => latest.current(e)).end : undefined), [filter]);
}

const connectionReaders = new Set<() => void>();
feed.onState = () => connectionReaders.forEach((read) => read());
const readConnection = (read: () => void) => {
  connectionReaders.add(read);
  return () => connectionReaders.delete(read);
};

/** Whether what is shown is current. */
export const useConnection = (): Connection => useSyncExternalStore(readConnection, () => feed.state);

export interface List<T> {
  items: T[];
  total: number; // that match, beyond limit and offset
  loading: boolean;
  error?: ApiError;
  refetch: () => void;
}

const settle = 400; // milliseconds between an event and the list that is read again for it

/**
 * A query of the server (filters, sort, reverse, limit, offset, slim, params), kept live: a change
 * of what is listed shows at once, and the list is read again when events tell that it may have
 * changed. Pass undefined to ask nothing.
 */
export function useList<T extends object = Thing>(kind: string, query: Query | undefined): List<T> {
  const client = useQueryClient();
  const name = JSON.stringify(query ?? null);
  const key = useMemo(() => ['list', kind, name], [kind, name]);
  const result = useQuery<{ items: T[]; total: number }, ApiError>({
    queryKey: key,
    enabled: query !== undefined,
    placeholderData: keepPreviousData,
    queryFn: async ({ signal }) => {
      const res = await send('GET', '/' + kind, { query, signal });
      const items = (await res.json()) as T[];
      return { items, total: Number(res.headers.get('X-DRP-LIST-FILTER-COUNT') ?? items.length) };
    },
  });
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  const partial = Boolean(query?.slim || query?.params || query?.aggregate);
  useEvents(query === undefined ? '' : kind + '.*.*', (e) => {
    const o = e.Object as T | null;
    if (!e.Rev || !o) return;
    const at = keyOf(kind, o);
    if (!partial && e.Action !== 'delete') {
      client.setQueryData<{ items: T[]; total: number }>(key, (old) => {
        const i = old?.items.findIndex((x) => keyOf(kind, x) === at) ?? -1;
        return old && i >= 0 ? { ...old, items: old.items.with(i, o) } : old;
      });
    }
    timer.current ??= setTimeout(() => {
      timer.current = undefined;
      client.invalidateQueries({ queryKey: key });
    }, settle);
  });
  const refetch = useCallback(() => void client.invalidateQueries({ queryKey: key }), [client, key]);
  return { items: result.data?.items ?? [], total: result.data?.total ?? 0, loading: result.isPending && query !== undefined, error: result.error ?? undefined, refetch };
}

/** Several whole kinds at once, live, by their names. */
export function useKinds(kinds: string[]): ReadonlyMap<string, TableSnapshot<Thing>> {
  const name = kinds.join(' ');
  const source = useMemo(() => {
    const tables = name.split(' ').filter(Boolean).map((k) => [k, cache.table(k)] as const);
    let last: ReadonlyMap<string, TableSnapshot<Thing>> = new Map();
    return {
      subscribe: (read: () => void) => {
        const ends = tables.map(([, t]) => t.subscribe(read));
        return () => ends.forEach((end) => end());
      },
      read: () => {
        if (last.size !== tables.length || tables.some(([k, t]) => last.get(k) !== t.snapshot)) last = new Map(tables.map(([k, t]) => [k, t.snapshot]));
        return last;
      },
    };
  }, [name]);
  return useSyncExternalStore(source.subscribe, source.read);
}
