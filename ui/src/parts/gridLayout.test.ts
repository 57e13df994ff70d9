import { expect, it } from 'vitest';
import { moved, readLayout } from './gridLayout.ts';

it('moves a column to the place of another, and loses none', () => {
  const ids = ['a', 'b', 'c', 'd'];
  for (const id of ids) {
    for (const to of ids) {
      const after = moved(ids, id, to);
      expect(after.indexOf(id)).toBe(ids.indexOf(to));
      expect([...after].sort()).toEqual(ids);
      expect(after.filter((x) => x !== id)).toEqual(ids.filter((x) => x !== id));
    }
  }
  expect(moved(ids, 'x', 'a')).toEqual(ids);
});

it('reads what older versions have stored, and nothing else', () => {
  expect(readLayout(null)).toEqual({});
  expect(readLayout('{"shown":["a",1],"widths":{"a":100,"b":"x","c":3}}')).toEqual({ shown: ['a'], widths: { a: 100 } });
  expect(readLayout('{"shown":[]}')).toEqual({});
});
