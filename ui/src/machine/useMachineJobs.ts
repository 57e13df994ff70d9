import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useMemo } from 'react';
import { api, ApiError } from '../api/client.ts';
import type { Job } from '../api/types.ts';
import { useEvents } from '../live/hooks.ts';

interface Jobs {
  jobs: Job[]; // the newest first
  loading: boolean;
  error?: ApiError;
}

/** The newest jobs of a machine, live: events of its jobs are laid into what was read once. */
export function useMachineJobs(uuid: string, limit: number): Jobs {
  const client = useQueryClient();
  const key = useMemo(() => ['jobs of', uuid, limit], [uuid, limit]);
  const { data, isPending, error } = useQuery<Job[], ApiError>({
    queryKey: key,
    staleTime: 0,
    queryFn: ({ signal }) => api<Job[]>('GET', '/jobs', { query: { Machine: uuid, sort: 'StartTime', reverse: true, limit }, signal }),
  });
  useEvents('jobs.*.*', (e) => {
    const job = e.Object as Job | null;
    if (job?.Machine !== uuid || !e.Rev) return;
    if (client.isFetching({ queryKey: key })) void client.invalidateQueries({ queryKey: key });
    else client.setQueryData<Job[]>(key, (old) => old && laidIn(old, job, e.Action === 'delete').slice(0, limit));
  });
  return { jobs: data ?? [], loading: isPending, error: error ?? undefined };
}

export function laidIn(jobs: readonly Job[], job: Job, gone: boolean): Job[] {
  const at = jobs.findIndex((j) => j.Uuid === job.Uuid);
  if (gone) return at < 0 ? [...jobs] : jobs.toSpliced(at, 1);
  if (at >= 0) return jobs.with(at, job);
  const before = jobs.findIndex((j) => Date.parse(j.StartTime) <= Date.parse(job.StartTime));
  return jobs.toSpliced(before < 0 ? jobs.length : before, 0, job);
}
