import { useCallback, useMemo, useSyncExternalStore } from 'react';
import type { Job, Machine } from '../api/types.ts';
import { machineState, type MachineState } from '../lib/machine-state.ts';
import type { Some, TableSnapshot } from './cache.ts';
import { useObjects } from './hooks.ts';
import { cache } from './index.ts';

// The newest job of each machine, unless it has finished: no more than there are machines.
const unfinished: Some = {
  query: { Current: true, State: 'Ne(finished)' },
  has: (o) => (o as unknown as Job).Current && (o as unknown as Job).State !== 'finished',
};

/** The current job of each machine by its UUID, live, without those that have finished. */
export function useCurrentJobs(): ReadonlyMap<string, Job> {
  const table = cache.table('jobs', unfinished);
  const { items } = useSyncExternalStore(table.subscribe, () => table.snapshot) as unknown as TableSnapshot<Job>;
  return useMemo(() => new Map(items.map((j) => [j.Machine, j])), [items]);
}

export interface Fleet extends TableSnapshot<Machine> {
  /** of machines that have not finished */
  jobs: ReadonlyMap<string, Job>;
  state: (m: Machine) => MachineState;
}

/** All machines, live, and what each is doing. */
export function useFleet(): Fleet {
  const machines = useObjects<Machine>('machines');
  const jobs = useCurrentJobs();
  const state = useCallback((m: Machine) => machineState(m, jobs.get(m.Uuid)?.State), [jobs]);
  return useMemo(() => ({ ...machines, jobs, state }), [machines, jobs, state]);
}
