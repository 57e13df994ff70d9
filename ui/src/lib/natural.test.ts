import { expect, it } from 'vitest';
import { naturalKey, sortedBy, sorter } from './natural.ts';
import { chance } from './random.testing.ts';

it('orders as people count', () => {
  const want = ['a', 'rack1-web2', 'rack1-web10', 'rack02-web1', 'web', 'Web1', 'web2', 'web10'];
  for (let n = 0; n < 20; n++) {
    const mixed = want.map((w, i) => ({ w, r: (i * 7 + n * 13) % 8 })).sort((a, b) => a.r - b.r).map(({ w }) => w);
    expect(sortedBy(mixed, (s) => s)).toEqual(want);
    expect(sortedBy(mixed, (s) => s, true)).toEqual([...want].reverse());
  }
  expect(sortedBy<string | number | boolean>(['b', 2, true, 10, 'a', false], (v) => v)).toEqual([false, true, 2, 10, 'a', 'b']);
});

it('sorts a list that changes as if it were sorted anew', () => {
  const random = chance(7);
  const sort = sorter<{ id: number; name: string }>();
  const name = () => `web${Math.floor(random() * 40)}`;
  const keys: ((m: { id: number; name: string }) => string | number)[] = [(m) => m.name, (m) => m.id % 5];
  const anew = <T>(items: T[], of: (item: T) => string | number, down: boolean) => {
    const k = (item: T) => [of(item)].map((v) => (typeof v === 'string' ? naturalKey(v) : v))[0]!;
    return items.toSorted((a, b) => (k(a) < k(b) ? -1 : k(a) > k(b) ? 1 : 0) * (down ? -1 : 1));
  };
  let next = 0;
  let list = Array.from({ length: 50 }, () => ({ id: next++, name: name() }));
  let [key, down] = [keys[0]!, false];
  for (let n = 0; n < 500; n++) {
    const at = Math.floor(random() * list.length);
    const what = random();
    if (what < 0.3) list = list.with(at, { ...list[at]!, name: name() });
    else if (what < 0.6) list = list.with(at, { ...list[at]! });
    else if (what < 0.7) list = list.toSpliced(at, 1);
    else if (what < 0.8) list = [...list, { id: next++, name: name() }];
    else if (what < 0.85) list = [...list.toSpliced(at, 1), { id: next++, name: name() }];
    else if (what < 0.9) down = !down;
    else if (what < 0.95) key = keys[n % 2]!;
    expect(sort(list, key, down)).toEqual(anew(list, key, down));
  }
  expect(sort(list, key, down)).toBe(sort(list, key, down));
});
