import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef } from 'react';
import { api, type ApiError } from '../api/client.ts';
import type { Waiting } from '../lib/cluster.ts';
import { useEvents } from './hooks.ts';

const calm = 100; // milliseconds

/** Who waits at the server, read again when what they may wait for has changed; undefined when it does not say. */
export function useWaits(shared?: unknown): Waiting[] | undefined {
  const client = useQueryClient();
  const { data } = useQuery<Waiting[], ApiError>({ queryKey: ['waits'], queryFn: ({ signal }) => api('GET', '/waits', { signal }) });
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const again = () => {
    timer.current ??= setTimeout(() => {
      timer.current = undefined;
      void client.invalidateQueries({ queryKey: ['waits'] });
    }, calm);
  };
  useEvents('waits.*.*', again);
  useEffect(again, [shared, client]);
  useEffect(() => () => clearTimeout(timer.current), []);
  return data;
}
