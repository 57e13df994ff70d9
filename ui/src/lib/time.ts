/** Whether the API means a time: those that are not set are in the year 1. */
export const isTime = (s: string | undefined): s is string => Boolean(s) && !s!.startsWith('0001-');

const units: [string, number][] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1000],
];

/** A duration in milliseconds in at most two units: "350 ms", "4 s", "2 min 5 s", "3 d 4 h". */
export function duration(ms: number): string {
  if (ms < 0) return '0 s';
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 10_000) return `${(Math.floor(ms / 100) / 10).toString()} s`;
  const first = units.findIndex(([, size]) => ms >= size);
  const [name, size] = units[first];
  const [nextName, nextSize] = units[first + 1] ?? ['', 0];
  const rest = nextSize ? Math.floor((ms % size) / nextSize) : 0;
  return `${Math.floor(ms / size)} ${name}` + (rest ? ` ${rest} ${nextName}` : '');
}

/** "now", "5 s ago", "3 h ago". Both in milliseconds since 1970. */
export function ago(then: number, now: number): string {
  const ms = now - then;
  if (ms < 1500) return 'now';
  const [name, size] = units.find(([, s]) => ms >= s) ?? units[3];
  return `${Math.floor(ms / size)} ${name} ago`;
}
