import { change, patch } from '../api/client.ts';
import type { Job } from '../api/types.ts';

/** Whether the machine would do the task of a job again if it were runnable. */
export const retriable = (job: Job) => job.Current && (job.State === 'failed' || job.State === 'incomplete');

/** Lets the machine do the task of its newest job again: its runner then gets a job for it. */
export function retry(job: Job): Promise<unknown> {
  return patch('machines', job.Machine, [
    { op: 'test', path: '/CurrentJob', value: job.Uuid },
    { op: 'replace', path: '/Runnable', value: true },
  ]);
}

/** Whether a job can still be ended. */
export const cancellable = (job: Job) => job.State === 'created' || job.State === 'running' || job.State === 'incomplete';

/** Ends a job: its machine stops, its runner ends the script. Nothing is tried again by itself. */
export function cancel(job: Job, reason: string): Promise<unknown> {
  return patch('jobs', job.Uuid, [
    { op: 'test', path: '/State', value: job.State },
    { op: 'replace', path: '/State', value: 'failed' },
    { op: 'replace', path: '/ExitState', value: 'failed' },
    { op: 'add', path: '/Meta/cancelled', value: reason },
  ]);
}

/** The state of a job as people call it. */
export const stateOf = (job: Job): string => (job.State === 'failed' && job.Meta.cancelled ? 'cancelled' : job.State);

export const deleteJob = (job: Job) => change('DELETE', `/jobs/${job.Uuid}`);
