import { expect, test } from 'vitest';
import { countStates, currentTask, machineState, machineStates, meaning, progress, type Worker } from './machine-state.ts';

const jobs = [undefined, 'created', 'running', 'incomplete', 'failed', 'finished'];
const workers: Worker[] = [];
for (const Runnable of [true, false]) {
  for (const Tasks of [[], ['a'], ['stage:s', 'a', 'b']]) {
    for (let CurrentTask = -1; CurrentTask <= Tasks.length; CurrentTask++) {
      workers.push({ Tasks, CurrentTask, Runnable, WorkflowComplete: !Tasks.length || CurrentTask >= Tasks.length });
    }
  }
}

test('a machine is in one state, and every state has a meaning', () => {
  for (const m of workers) for (const job of jobs) expect(meaning[machineState(m, job)]).toBeTruthy();
});

test('a machine with nothing left neither failed nor waits, whatever its last job was', () => {
  for (const m of workers.filter((w) => w.WorkflowComplete)) {
    for (const job of jobs) expect(['done', 'idle']).toContain(machineState(m, job));
  }
});

test('a failed job shows before that no more jobs may be created', () => {
  const m = { Tasks: ['a', 'b'], CurrentTask: 0, Runnable: false, WorkflowComplete: false };
  expect(machineState(m, 'failed')).toBe('failed');
  expect(machineState(m)).toBe('not runnable');
  expect(machineState({ ...m, Runnable: true }, 'running')).toBe('running');
  expect(machineState({ ...m, Runnable: true }, 'incomplete')).toBe('waiting');
  expect(machineState({ ...m, Runnable: true })).toBe('waiting');
});

test('progress stays between none and all', () => {
  for (const m of workers) {
    const { done, total } = progress(m);
    expect(done).toBeGreaterThanOrEqual(0);
    expect(done).toBeLessThanOrEqual(total);
    if (m.WorkflowComplete) expect(done).toBe(total);
    expect(currentTask(m) === undefined).toBe(m.WorkflowComplete);
  }
  expect(progress({ Tasks: ['a', 'b', 'c'], CurrentTask: 1, Runnable: true, WorkflowComplete: false })).toEqual({ done: 1, total: 3 });
});

test('counts are worst first and add up', () => {
  const all = workers.flatMap((m) => jobs.map((j) => machineState(m, j)));
  const counts = countStates(all);
  expect(counts.reduce((sum, [, n]) => sum + n, 0)).toBe(all.length);
  expect(counts.map(([s]) => s)).toEqual(machineStates.filter((s) => all.includes(s)));
});
