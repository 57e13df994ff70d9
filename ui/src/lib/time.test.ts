import { expect, test } from 'vitest';
import { ago, duration, isTime } from './time.ts';

test('durations have at most two units and never shrink', () => {
  const cases: Record<number, string> = {
    0: '0 ms', 350: '350 ms', 999: '999 ms', 1000: '1 s', 4350: '4.3 s', 59_999: '59 s', 60_000: '1 min', 125_000: '2 min 5 s',
    3_600_000: '1 h', 3_660_000: '1 h 1 min', 90_000_000: '1 d 1 h',
  };
  for (const [ms, text] of Object.entries(cases)) expect(duration(Number(ms))).toBe(text);
  expect(duration(-5)).toBe('0 s');
});

test('the past is told in one unit', () => {
  expect(ago(1000, 1000)).toBe('now');
  expect(ago(0, 5000)).toBe('5 s ago');
  expect(ago(0, 3 * 3_600_000 + 5)).toBe('3 h ago');
});

test('a time of the year 1 is none', () => {
  expect(isTime('0001-01-01T00:00:00Z')).toBe(false);
  expect(isTime('')).toBe(false);
  expect(isTime('2026-11-21T10:00:00Z')).toBe(true);
});
