// What a machine is doing, in one word. The machine alone does not tell whether its job runs or has failed: its current job does.

export const machineStates = ['failed', 'not runnable', 'waiting', 'running', 'done', 'idle'] as const;
export type MachineState = (typeof machineStates)[number];

export interface Worker {
  Tasks: readonly string[];
  CurrentTask: number;
  Runnable: boolean;
  WorkflowComplete: boolean;
}

/** What each state means, for people. */
export const meaning: Record<MachineState, string> = {
  failed: 'its current job failed',
  'not runnable': 'has tasks left, but may get no job',
  waiting: 'has tasks left and waits for its runner to take the next',
  running: 'a runner works on its current job',
  done: 'all its tasks are done',
  idle: 'has no tasks',
};

/** job is the state of the machine's current job; undefined when it has none or it has finished. */
export function machineState(m: Worker, job?: string): MachineState {
  if (m.Tasks.length === 0) return 'idle';
  if (m.WorkflowComplete) return 'done';
  if (job === 'failed') return 'failed';
  if (!m.Runnable) return 'not runnable';
  return job === 'running' || job === 'created' ? 'running' : 'waiting';
}

export interface Progress {
  done: number;
  total: number;
}

/** How many entries of its task list a machine has behind it. */
export function progress({ Tasks, CurrentTask, WorkflowComplete }: Worker): Progress {
  const total = Tasks.length;
  return { done: WorkflowComplete ? total : Math.min(Math.max(CurrentTask, 0), total), total };
}

/** The entry a machine is at, if it is at one. */
export const currentTask = (m: Worker): string | undefined => (m.WorkflowComplete ? undefined : m.Tasks[Math.max(m.CurrentTask, 0)]);

/** Counts of things by state, worst first, without those that none is in. */
export function countStates(states: Iterable<MachineState>): [MachineState, number][] {
  const counts = new Map<MachineState, number>(machineStates.map((s) => [s, 0]));
  for (const s of states) counts.set(s, counts.get(s)! + 1);
  return [...counts].filter(([, n]) => n > 0);
}
