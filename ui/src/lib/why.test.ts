import { describe, expect, test } from 'vitest';
import { why, type FailedJob } from './why';

const job: FailedJob = { Uuid: 'j', State: 'failed', ExitState: 'failed', Task: 'install', Machine: 'm', Meta: {} };
const numbered = (...texts: string[]) => texts.map((text, i) => ({ number: i + 1, text }));
const opening = ['Log for Job: j', '2026-11-21T21:40:17Z runner on m1 begins install (pid 7)', 'install.sh: run'];

test('a job that is well has no reason', () => {
  for (const State of ['created', 'running', 'finished']) expect(why({ ...job, State }, numbered('error'))).toBeUndefined();
});

test('what the script complained of last, and its exit status', () => {
  const log = numbered(...opening, 'Reading lists', 'E: Unable to locate package nosuch', '+ exit 100', 'install.sh exits with 100');
  expect(why(job, log)).toEqual({ title: 'install.sh failed with exit status 100', lines: [{ number: 5, text: 'E: Unable to locate package nosuch' }] });
});

test('without a complaint the last words', () => {
  const found = why(job, numbered(...opening, 'one', 'two', '', '+ false', 'install.sh exits with 1'))!;
  expect(found.lines.map((l) => l.text)).toEqual(['one', 'two']);
});

test('with set -x alone the last commands', () => {
  expect(why(job, numbered(...opening, '+ true', '+ false', 'install.sh exits with 1'))!.lines.map((l) => l.text)).toEqual(['+ true', '+ false']);
});

test('that there are no errors is no complaint', () => {
  const found = why(job, numbered(...opening, 'cannot mount /dev/sda1', 'finished with 0 errors', 'install.sh exits with 1'))!;
  expect(found.lines.map((l) => l.text)).toEqual(['cannot mount /dev/sda1']);
});

test('a script that succeeded before the one that failed is not blamed', () => {
  const found = why(job, numbered(...opening, 'first.sh exits with 0', 'second.sh: run', 'disk missing', 'second.sh exits with 3'))!;
  expect(found.title).toBe('second.sh failed with exit status 3');
});

test.each([
  [127, /not found/],
  [137, /memory/],
  [143, /SIGTERM/],
])('exit status %d is explained', (code, hint) => expect(why(job, numbered(`x exits with ${code}`))!.hint).toMatch(hint));

describe('what the runner and the server say', () => {
  test.each([
    ['the task\'s templates cannot be rendered: ValidationError: template: a.sh:3: no param x', /scripts cannot be rendered/],
    ['x.sh: the script was killed', /x.sh was killed/],
    ['the runner was told to end', /told to end/],
    ['the runner of this job ended before its task did; the task will be run again', /runner ended/],
    ['the runner on web1 gave no sign of life for 90 s', /web1 gave no sign of life for 90 s/],
    ['the machine 1-2 is gone', /deleted/],
    ['the machine web1 has gone on without this job', /something else/],
    ['The machine has been given something else to do; this job counts as failed', /something else/],
    ['Action x:reboot validation failed: no plugin provides it', /no plugin provides it/],
  ])('%j', (text, title) => {
    const found = why(job, numbered(...opening, 'some output', text))!;
    expect(found.title).toMatch(title);
    expect(found.lines.map((l) => l.text).join()).toMatch(/killed/.test(text) ? /some output/ : new RegExp(text.slice(0, 10)));
  });
});

test.each([
  ['by ann', 'Cancelled by ann'],
  ['wrong disk (ann)', 'Cancelled: wrong disk (ann)'],
])('who cancelled it needs no other reason: %j', (cancelled, title) => {
  expect(why({ ...job, Meta: { cancelled } }, numbered(...opening, 'an error', 'install.sh exits with 143'))).toEqual({ title, lines: [] });
});

test('an empty log still gives a reason', () => expect(why(job, [])).toEqual({ title: 'The task failed', lines: [] }));

test('what the server does next is told', () => {
  expect(why({ ...job, Meta: { 'retry-at': '2026-11-21T21:50:00Z' } }, [])!.retryAt).toBe('2026-11-21T21:50:00Z');
  expect(why({ ...job, Meta: { 'task-error-handlers': 'no task mend' } }, [])!.hint).toMatch(/no task mend/);
});

test('an incomplete job tells what it waits for', () => {
  expect(why({ ...job, State: 'incomplete', ExitState: 'reboot' }, [])!.title).toMatch(/reboots the machine/);
  expect(why({ ...job, State: 'incomplete', ExitState: 'complete' }, [])!.title).toMatch(/not complete/);
});
