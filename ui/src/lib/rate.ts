// Things per minute, from counts the server gives and from what happens afterwards.

export const minute = 60_000;

/**
 * How many there are in each of n spans of a width, the first of which begins at start. count tells how many there are
 * from one time to another; spans in which nothing is are not asked for one by one.
 */
export async function spread(start: number, width: number, n: number, count: (from: number, to: number) => Promise<number>): Promise<number[]> {
  const out = new Array<number>(n).fill(0);
  const fill = async (first: number, last: number, total: number): Promise<void> => {
    if (total === 0) return;
    if (last - first === 1) {
      out[first] = total;
      return;
    }
    const middle = (first + last) >> 1;
    const left = await count(start + first * width, start + middle * width);
    await fill(first, middle, left);
    await fill(middle, last, Math.max(0, total - left));
  };
  await fill(0, n, await count(start, start + n * width));
  return out;
}

/** Spans that move on with the time: what is older than the first falls out. */
export interface Spans {
  start: number;
  counts: number[];
}

export function forward({ start, counts }: Spans, width: number, now: number): Spans {
  const steps = Math.min(counts.length, Math.max(0, Math.floor((now - start) / width) - counts.length + 1));
  if (steps === 0) return { start, counts };
  const from = steps < counts.length ? start + steps * width : Math.floor(now / width) * width - (counts.length - 1) * width;
  return { start: from, counts: [...counts.slice(steps), ...new Array<number>(steps).fill(0)] };
}

/** One more at a time; what lies outside is not counted. */
export function add({ start, counts }: Spans, width: number, at: number): Spans {
  const i = Math.floor((at - start) / width);
  return i < 0 || i >= counts.length ? { start, counts } : { start, counts: counts.with(i, counts[i] + 1) };
}
