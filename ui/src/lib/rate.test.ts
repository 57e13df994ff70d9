import { expect, test } from 'vitest';
import { add, forward, minute, spread } from './rate.ts';
import { chance } from './random.testing.ts';

test('spans hold what a count of each would tell, with fewer questions where little is', async () => {
  for (let seed = 1; seed < 60; seed++) {
    const r = chance(seed);
    const n = 1 + Math.floor(r() * 40);
    const times = Array.from({ length: Math.floor(r() * 8) }, () => 1000 + r() * n * minute);
    let asked = 0;
    const count = (from: number, to: number) => {
      asked++;
      return Promise.resolve(times.filter((t) => t >= from && t < to).length);
    };
    const want = Array.from({ length: n }, (_, i) => times.filter((t) => t >= 1000 + i * minute && t < 1000 + (i + 1) * minute).length);
    expect(await spread(1000, minute, n, count)).toEqual(want);
    expect(asked).toBeLessThanOrEqual(1 + times.length * Math.ceil(Math.log2(n) + 1));
  }
});

test('spans move on with the time, whatever the step, and keep what is still in them', () => {
  const width = 10;
  for (let step = 0; step < 80; step++) {
    const now = 49 + step;
    const { start, counts } = forward({ start: 0, counts: [1, 2, 3, 4, 5] }, width, now);
    expect(counts.length).toBe(5);
    expect(now).toBeGreaterThanOrEqual(start);
    expect(now).toBeLessThan(start + 5 * width);
    counts.forEach((c, i) => expect(c).toBe([1, 2, 3, 4, 5][(start + i * width) / width] ?? 0));
  }
});

test('what happens is counted in its span', () => {
  const spans = { start: 100, counts: [0, 0, 0] };
  expect(add(spans, 10, 100).counts).toEqual([1, 0, 0]);
  expect(add(spans, 10, 119.9).counts).toEqual([0, 1, 0]);
  expect(add(spans, 10, 130)).toEqual(spans);
  expect(add(spans, 10, 99)).toEqual(spans);
});
