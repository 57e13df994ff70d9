import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useMemo, useRef } from 'react';
import { api, ApiError, part } from '../api/client.ts';
import type { Effective } from '../lib/origins.ts';
import { useEvents } from '../live/hooks.ts';

const settle = 250; // milliseconds in which further changes are waited for

/** Every effective param of a machine with its origin, read again when anything it may come from changes. */
export function useOrigins(uuid: string) {
  const client = useQueryClient();
  const key = useMemo(() => ['origins', uuid], [uuid]);
  const result = useQuery<Record<string, Effective>, ApiError>({
    queryKey: key,
    staleTime: 0,
    queryFn: ({ signal }) => api('GET', `/machines/${part(uuid)}/params`, { query: { origins: true }, signal }),
  });
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  const again = () => {
    timer.current ??= setTimeout(() => {
      timer.current = undefined;
      void client.invalidateQueries({ queryKey: key });
    }, settle);
  };
  useEvents('profiles,stages,params.*.*', again);
  useEvents(`machines.*.${uuid}`, again);
  return { params: result.data, loading: result.isPending, error: result.error ?? undefined, refetch: () => void client.invalidateQueries({ queryKey: key }) };
}
