// Why a job did not succeed: the likely reason, from the job and the last lines of its log. The
// runner and the server write what they know as plain lines; what the script itself has said comes
// before them.

export interface FailedJob {
  Uuid: string;
  State: string;
  ExitState: string;
  Task: string;
  Machine: string;
  Meta?: Record<string, string>;
}

export interface NumberedLine {
  number: number;
  text: string;
}

export interface Reason {
  title: string; // a sentence without a full stop
  hint?: string; // what it means, and the way out
  lines: NumberedLine[]; // of the log, which say most
  retryAt?: string; // when the server tries again by itself
}

interface Finding {
  title: string;
  hint?: string;
  said?: boolean; // what the script has said before tells more
}

/** The reason why a job failed or stopped midway; undefined for other jobs. Lines are the end of its log. */
export function why(job: FailedJob, lines: readonly NumberedLine[]): Reason | undefined {
  if (job.State === 'incomplete') return { ...paused(job), lines: [] };
  if (job.State !== 'failed') return undefined;
  const cancelled = job.Meta?.cancelled;
  if (cancelled) return { title: `Cancelled ${/^by /.test(cancelled) ? cancelled : `: ${cancelled}`}`.replace(' :', ':'), lines: [] };
  const { at, finding } = telling(lines) ?? { at: lines.length, finding: { title: 'The task failed', said: true } };
  const told = finding.said || at >= lines.length ? [] : [lines[at]!];
  const reason: Reason = { title: finding.title, lines: finding.said ? said(lines.slice(0, at)) : told };
  if (finding.hint) reason.hint = finding.hint;
  const retryAt = job.Meta?.['retry-at'];
  if (retryAt) reason.retryAt = retryAt;
  const handlers = job.Meta?.['task-error-handlers'];
  if (handlers) reason.hint = [reason.hint, `Its error handlers did not run: ${handlers}`].filter(Boolean).join('. ');
  return reason;
}

function paused(job: FailedJob): { title: string; hint: string } {
  const asked: Record<string, string> = { reboot: 'reboots the machine', poweroff: 'turns the machine off', stop: 'stops the machine here' };
  const what = asked[job.ExitState];
  return {
    title: what ? `The task ${what} and goes on afterwards` : 'The task is not complete yet',
    hint: 'It runs again when the machine is runnable and its runner asks.',
  };
}

const rules: [RegExp, (m: RegExpMatchArray) => Finding | undefined][] = [
  [/^(.+) exits with (-?\d+)$/, (m) => (m[2] === '0' ? undefined : exited(m[1]!, Number(m[2])))],
  [/task's templates cannot be rendered|^ValidationError: .*template|^template: /i, () => ({ title: 'Its scripts cannot be rendered', hint: 'Mend the template or the param it names, then retry.' })],
  [/^(.+): the script was killed$/, (m) => ({ title: `${m[1]} was killed`, hint: 'Nobody saw how it ended: the machine may have gone down or run out of memory.', said: true })],
  [/^the runner was told to end$/, () => ({ title: 'The runner was told to end while the task ran', hint: 'The task runs again with the next runner.' })],
  [/^the runner of this job ended before its task did/, () => ({ title: 'The runner ended before its task did', hint: 'The task runs again with the next runner.' })],
  [/^the runner on (.+) gave no sign of life for (\d+) s$/, (m) => ({ title: `The runner on ${m[1]} gave no sign of life for ${m[2]} s`, hint: 'Is the machine up, does it reach the server, and does its agent run?' })],
  [/^the machine (.+) is gone$/, () => ({ title: 'The machine was deleted while the job ran' })],
  [/^the machine (.+) has gone on without this job$|^The machine has been given something else to do/, () => ({ title: 'The machine was given something else to do' })],
  [/^the server has ended while the action ran/, () => ({ title: 'The server ended while the action ran', hint: 'Whether the action was carried out is not known.' })],
  [/^Action (.+) validation failed: (.+)$/, (m) => ({ title: `Action ${m[1]} failed: ${m[2]}` })],
  [/^(.+): start .+: (.+)$/, (m) => ({ title: `${m[1]} cannot be started: ${m[2]}` })],
  [/^(.+): (path .+ leads out of the task's folder)$/, (m) => ({ title: `${m[1]} is not written: ${m[2]}` })],
];

/** The last line by which the runner or the server tells how the job ended. */
function telling(lines: readonly NumberedLine[]): { at: number; finding: Finding } | undefined {
  for (let at = lines.length - 1; at >= 0; at--) {
    for (const [pattern, read] of rules) {
      const match = lines[at]!.text.trim().match(pattern);
      const finding = match && read(match);
      if (finding) return { at, finding };
    }
  }
  return undefined;
}

const meanings: Record<number, string> = {
  124: 'A command took longer than it was given.',
  126: 'A command was found but may not be executed.',
  127: 'A command was not found.',
  130: 'It was interrupted.',
  134: 'It aborted.',
  137: 'It was killed (SIGKILL): often the machine ran out of memory.',
  139: 'It crashed (SIGSEGV).',
  141: 'It wrote to a pipe that nobody read.',
  143: 'It was told to end (SIGTERM).',
};

function exited(script: string, code: number): Finding {
  const finding: Finding = { title: `${script} failed with exit status ${code}`, said: true };
  const hint = meanings[code];
  return hint ? { ...finding, hint } : finding;
}

const complaint =
  /\b(error|errors|err|fatal|fail(ed|ure|s)?|panic|exception|traceback|denied|refused|cannot|can't|couldn't|unable|invalid|missing|unreachable|unbound|killed|timed out|timeout|not found|no such|no space|not permitted|already exists|segmentation fault|out of memory)\b|\w(Error|Exception)\b/i;
const noError = /\b(no|0|without|ignor(e|ed|ing)) (errors?|failures?)\b|\b(errors?|fail(ed|ures?)): ?0\b/i;
const trace = /^\++ /; // a command that set -x shows
const runnerSays = /^.+: (run|write .+)$|^.+ exits with 0$|^Log for Job: |runner on .+ begins .+ \(pid \d+\)$/;

const most = 4; // lines are shown
const reach = 200; // lines before the end are looked at

/** The last lines that complain, else the last that say anything. */
function said(lines: readonly NumberedLine[]): NumberedLine[] {
  const own = lines.slice(-reach).filter(({ text }) => text.trim() !== '' && !runnerSays.test(text));
  const spoken = own.filter(({ text }) => !trace.test(text));
  const complaints = spoken.filter(({ text }) => complaint.test(text) && !noError.test(text));
  if (complaints.length > 0) return complaints.slice(-most);
  return (spoken.length > 0 ? spoken : own).slice(-most);
}
