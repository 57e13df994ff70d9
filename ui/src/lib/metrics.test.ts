import { expect, test } from 'vitest';
import { bytes } from './bytes.ts';
import { metric, parseMetrics } from './metrics.ts';

test('metrics are read by name, labels summed, comments and nonsense passed over', () => {
  const m = parseMetrics('# HELP a b\n# TYPE a gauge\na 3\nb{x="1"} 2\nb{x="} 7"} 0.5\nc NaN\nd +Inf\n\nrubbish\ne 1.2e+07 1700000000000\n');
  expect(Object.fromEntries(m)).toEqual({ a: 3, b: 2.5, d: Infinity, e: 12_000_000 });
  expect(metric(m, 'none')).toBeUndefined();
});

test.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [1024, '1 KiB'],
  [1536, '1.5 KiB'],
  [150 * 2 ** 20, '150 MiB'],
  [2 ** 31, '2 GiB'],
])('%d bytes are %s', (n, want) => expect(bytes(n)).toBe(want));
