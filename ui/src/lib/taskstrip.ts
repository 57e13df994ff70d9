// The task list of a machine as what has happened, happens and is to come.
import type { Job, Machine } from '../api/types.ts';

export type EntryKind = 'task' | 'stage' | 'bootenv' | 'context' | 'action' | 'chroot';
export type EntryState = 'done' | 'running' | 'incomplete' | 'failed' | 'waiting';

export interface StripEntry {
  index: number; // in Tasks
  entry: string; // as it stands there
  kind: EntryKind;
  name: string; // without the kind
  state: EntryState;
  next: boolean; // what runs next
  job?: StripJob; // the newest of this run of the list
  attempts: number; // jobs of this run of the list
  seconds?: number; // how long the job took, if it has ended
}

export interface StripGroup {
  stage: string; // '' for what stands before the first stage
  entries: StripEntry[];
}

export type StripJob = Pick<Job, 'Uuid' | 'Task' | 'State' | 'ExitState' | 'StartTime' | 'EndTime' | 'CurrentIndex' | 'Workflow'>;
export type StripMachine = Pick<Machine, 'Tasks' | 'CurrentTask' | 'Stage' | 'Workflow'>;

const kinds = new Set<string>(['stage', 'bootenv', 'context', 'action', 'chroot']);

export function splitEntry(entry: string): { kind: EntryKind; name: string } {
  const colon = entry.indexOf(':');
  const kind = entry.slice(0, Math.max(colon, 0));
  return kinds.has(kind) ? { kind: kind as EntryKind, name: entry.slice(colon + 1) } : { kind: 'task', name: entry };
}

/** Jobs are those of the machine, the newest first; it need not be all of them. */
export function strip(machine: StripMachine, jobs: readonly StripJob[]): StripEntry[] {
  const own = jobsByIndex(machine, jobs);
  const upNext = nextIndex(machine, own);
  return machine.Tasks.map((entry, index) => {
    const all = index <= machine.CurrentTask ? (own.get(index) ?? []) : [];
    const job = all[0];
    const state = index > machine.CurrentTask ? 'waiting' : job ? stateOf(job) : 'done';
    return { index, entry, ...splitEntry(entry), state, next: index === upNext, job, attempts: all.length, seconds: job && duration(job) };
  });
}

/**
 * The jobs of this run of the list. Going back in time their index never rises: a job of a higher
 * index is from before the machine was put back, or from an earlier run.
 */
function jobsByIndex(m: StripMachine, jobs: readonly StripJob[]): Map<number, StripJob[]> {
  const own = new Map<number, StripJob[]>();
  let lowest = m.CurrentTask;
  for (const job of jobs) {
    const i = job.CurrentIndex;
    if (i > lowest || job.Workflow !== m.Workflow || m.Tasks[i] !== job.Task) continue;
    lowest = i;
    own.set(i, [...(own.get(i) ?? []), job]);
  }
  return own;
}

/** The index of what runs next: a failed or incomplete task again, else what follows. -1: nothing is left. */
function nextIndex(m: StripMachine, own: Map<number, StripJob[]>): number {
  const state = own.get(m.CurrentTask)?.[0]?.State;
  const busy = state === 'running' || state === 'created';
  const again = state === 'failed' || state === 'incomplete';
  const i = again ? m.CurrentTask : m.CurrentTask + 1;
  return busy || i >= m.Tasks.length ? -1 : i;
}

const states: Record<StripJob['State'], EntryState> = { created: 'running', running: 'running', incomplete: 'incomplete', finished: 'done', failed: 'failed' };
const stateOf = (job: StripJob): EntryState => states[job.State];

/** How long a job took, in seconds; undefined while it has not ended. */
export function duration(job: Pick<Job, 'State' | 'StartTime' | 'EndTime'>): number | undefined {
  if (job.State !== 'finished' && job.State !== 'failed') return undefined;
  const seconds = (Date.parse(job.EndTime) - Date.parse(job.StartTime)) / 1000;
  return Number.isFinite(seconds) && seconds >= 0 && seconds < 10 * 365 * 86400 ? seconds : undefined;
}

/** A stage: entry opens a group. */
export function byStage(entries: readonly StripEntry[]): StripGroup[] {
  const groups: StripGroup[] = [];
  for (const e of entries) {
    if (e.kind === 'stage' || groups.length === 0) groups.push({ stage: e.kind === 'stage' ? e.name : '', entries: [] });
    groups[groups.length - 1].entries.push(e);
  }
  return groups;
}

/**
 * The part of the list that may be edited, from..to (exclusive): what has not run, up to the next
 * stage, whose tasks the server keeps as they are unless forced.
 */
export function editable(m: Pick<Machine, 'Tasks' | 'CurrentTask'>, force = false): { from: number; to: number } {
  const from = Math.min(m.CurrentTask + 1, m.Tasks.length);
  const next = m.Tasks.findIndex((t, i) => i >= from && t.startsWith('stage:'));
  return { from, to: from === 0 || force || next < 0 ? m.Tasks.length : next };
}

export const inserted = (tasks: readonly string[], at: number, entry: string): string[] => tasks.toSpliced(at, 0, entry);
export const removed = (tasks: readonly string[], at: number): string[] => tasks.toSpliced(at, 1);
export const moved = (tasks: readonly string[], from: number, to: number): string[] => tasks.toSpliced(from, 1).toSpliced(to, 0, tasks[from]);
