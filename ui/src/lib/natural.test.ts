import { expect, it } from 'vitest';
import { sortedBy } from './natural.ts';

it('orders as people count', () => {
  const want = ['a', 'rack1-web2', 'rack1-web10', 'rack02-web1', 'web', 'Web1', 'web2', 'web10'];
  for (let n = 0; n < 20; n++) {
    const mixed = want.map((w, i) => ({ w, r: (i * 7 + n * 13) % 8 })).sort((a, b) => a.r - b.r).map(({ w }) => w);
    expect(sortedBy(mixed, (s) => s)).toEqual(want);
    expect(sortedBy(mixed, (s) => s, true)).toEqual([...want].reverse());
  }
  expect(sortedBy<string | number | boolean>(['b', 2, true, 10, 'a', false], (v) => v)).toEqual([false, true, 2, 10, 'a', 'b']);
});
