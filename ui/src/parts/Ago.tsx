import { Tooltip } from '@mantine/core';
import { useSyncExternalStore } from 'react';
import { ago, duration, isTime } from '../lib/time.ts';

const readers = new Set<() => void>();
let now = Date.now();
let timer: ReturnType<typeof setInterval> | undefined;

/** One clock for the whole page, that ticks once a second while anybody looks at it. */
function subscribe(read: () => void) {
  readers.add(read);
  timer ??= setInterval(() => {
    now = Date.now();
    readers.forEach((r) => r());
  }, 1000);
  return () => {
    readers.delete(read);
    if (readers.size) return;
    clearInterval(timer);
    timer = undefined;
  };
}

/** The time now in milliseconds, in steps of a second. */
export const useNow = () => useSyncExternalStore(subscribe, () => now);

/** How long ago something was, with the time itself on hover. The zero time of the API shows as a dash. */
export function Ago({ time }: { time: string | undefined }) {
  const at = useNow();
  if (!isTime(time)) return <span>–</span>;
  return (
    <Tooltip label={new Date(time).toLocaleString()}>
      <time dateTime={time}>{ago(Date.parse(time), Math.max(at, Date.parse(time)))}</time>
    </Tooltip>
  );
}

/** How long something took, or has taken so far when it has no end yet. */
export function Elapsed({ start, end }: { start: string | undefined; end?: string }) {
  const at = useNow();
  if (!isTime(start)) return <span>–</span>;
  return <span>{duration((isTime(end) ? Date.parse(end) : Math.max(at, Date.parse(start))) - Date.parse(start))}</span>;
}
