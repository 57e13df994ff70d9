// Follows a log that grows at the server: what is there at once, then every byte that is added,
// each asked for when the one before has come, until the job has ended and its log is whole.

export interface Ask {
  from: number; // bytes that are here already
  wait: boolean; // hold the answer until there is more
  late: boolean; // even though the job has ended
}

export interface Follow {
  /** Rejects when the server refuses or cannot be reached. */
  ask(ask: Ask): Promise<Response>;
  onBytes(bytes: Uint8Array): void;
  /** All that is there now has come; the state is that of the job. */
  onState?(state: string): void;
  /** The log is another one: what has come is void. */
  onRestart(): void;
  /** What went wrong, before it is tried again; undefined when it works again. */
  onTrouble?(err: unknown): void;
  pause?(tries: number): Promise<void>;
  signal: AbortSignal;
}

export const ended = (state: string) => state === 'finished' || state === 'failed';

/** Resolves when nothing more will come, and rejects when the server will not tell the log. */
export async function followLog(f: Follow): Promise<void> {
  const pause = f.pause ?? ((tries) => sleep(Math.min(30_000, 500 * 2 ** tries), f.signal));
  let from = 0;
  let late = false;
  let wait = false;
  let tries = 0;
  while (!f.signal.aborted) {
    try {
      const answer = await f.ask({ from, wait, late });
      const before = from;
      await read(answer, from, (bytes) => {
        from += bytes.length;
        f.onBytes(bytes);
      });
      if (tries > 0) f.onTrouble?.(undefined);
      tries = 0;
      const state = answer.headers.get('X-DRP-JOB-STATE') ?? '';
      f.onState?.(state);
      const quiet = wait && from === before;
      if (quiet && ended(state) && late) return;
      late = quiet && ended(state);
      wait = true;
    } catch (err) {
      if (f.signal.aborted) return;
      if (statusOf(err) === 416) {
        from = 0;
        wait = late = false;
        f.onRestart();
        continue;
      }
      if (!passing(statusOf(err))) throw err;
      f.onTrouble?.(err);
      await pause(tries++);
    }
  }
}

const statusOf = (err: unknown) => (err as { status?: number }).status ?? 0;

/** Whether it may go better the next time. */
const passing = (status: number) => status === 0 || status === 408 || status === 429 || status >= 500;

async function read(answer: Response, from: number, take: (bytes: Uint8Array) => void) {
  let skip = answer.status === 200 ? from : 0; // a proxy that knows no ranges sends all again
  const reader = answer.body?.getReader();
  if (!reader) return;
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    const bytes = part.value.subarray(skip);
    skip -= part.value.length - bytes.length;
    if (bytes.length > 0) take(bytes);
  }
}

function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    const timer = setTimeout(done, milliseconds);
    signal.addEventListener('abort', () => (clearTimeout(timer), done()), { once: true });
  });
}
