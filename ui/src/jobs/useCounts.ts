import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useMemo, useRef } from 'react';
import { count, type Query } from '../api/client.ts';
import { useEvents } from '../live/hooks.ts';

const settle = 1000; // milliseconds between an event and the counts that are read again for it

/** How many objects of a kind each of the queries matches, live. */
export function useCounts(kind: string, queries: readonly Query[]): (number | undefined)[] {
  const client = useQueryClient();
  const name = JSON.stringify(queries);
  const key = useMemo(() => ['counts', kind, name], [kind, name]);
  const { data } = useQuery({ queryKey: key, queryFn: () => Promise.all(queries.map((q) => count(kind, q))), placeholderData: (old) => old });
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  useEvents(`${kind}.*.*`, () => {
    timer.current ??= setTimeout(() => {
      timer.current = undefined;
      void client.invalidateQueries({ queryKey: key });
    }, settle);
  });
  return data ?? [];
}
