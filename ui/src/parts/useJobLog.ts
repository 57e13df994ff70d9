import { useEffect, useReducer, useRef, useState } from 'react';
import { send } from '../api/client.ts';
import { ended, followLog } from '../lib/follow.ts';
import { createLog, type Log } from '../lib/log.ts';

export interface JobLog {
  log: Log;
  version: number; // rises with every change of the log
  loading: boolean; // what is there already has not come yet
  live: boolean; // there may be more
  trouble?: unknown; // why it does not go on now; it is tried again
  error?: unknown; // why there is none
}

const long = 20_000; // lines

/** The log of a job, as it grows. */
export function useJobLog(job: string): JobLog {
  const log = useRef<Log>(undefined);
  log.current ??= createLog();
  const [version, changed] = useReducer((n: number) => n + 1, 0);
  const [at, setAt] = useState<Omit<JobLog, 'log' | 'version'>>({ loading: true, live: true });

  useEffect(() => {
    const leave = new AbortController();
    const set = (now: Partial<JobLog>) => !leave.signal.aborted && setAt((before) => ({ ...before, ...now }));
    // However many parts come, the page is drawn once for those of a frame, and of a long log seldom.
    let timer: ReturnType<typeof setTimeout> | undefined;
    const draw = () => {
      timer ??= setTimeout(() => {
        timer = undefined;
        changed();
      }, log.current!.last() > long ? 250 : 16);
    };
    const begin = () => {
      log.current = createLog();
      draw();
    };
    begin();
    setAt({ loading: true, live: true });
    followLog({
      ask: ({ from, wait, late }) =>
        send('GET', `/jobs/${job}/log`, {
          query: { late: late || undefined },
          headers: {
            Accept: '*/*',
            ...(from > 0 && { Range: `bytes=${from}-` }),
            ...(wait && { Prefer: late ? 'wait=10' : 'wait=60' }),
          },
          signal: leave.signal,
        }),
      onBytes: (bytes) => {
        log.current!.append(bytes);
        draw();
      },
      onState: (state) => set({ loading: false, live: !ended(state) }),
      onRestart: begin,
      onTrouble: (trouble) => set({ trouble }),
      signal: leave.signal,
    }).then(
      () => set({ live: false }),
      (error: unknown) => set({ loading: false, live: false, error }),
    );
    return () => {
      leave.abort();
      clearTimeout(timer);
    };
  }, [job]);

  return { log: log.current, version, ...at };
}
