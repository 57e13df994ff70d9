import { describe, expect, test } from 'vitest';
import type { Json } from './json.ts';
import { dependents, inOrder, needs, packChanges, readPack, tally, type Pack, type PackMeta } from './pack.ts';

const pack = (sections: Pack['sections']): Pack => ({ meta: { Name: 'p' }, sections });

describe('reading', () => {
  test('JSON and YAML are the same pack', () => {
    const doc = { meta: { Name: 'p', Version: 'v1.2.3' }, sections: { tasks: { t: { Name: 't', Templates: [{ Name: 'a', Contents: 'x\n' }] } } } };
    const yaml = 'meta:\n  Name: p\n  Version: v1.2.3\nsections:\n  tasks:\n    t:\n      Name: t\n      Templates:\n        - Name: a\n          Contents: |\n            x\n';
    expect(readPack(JSON.stringify(doc))).toEqual(doc);
    expect(readPack(yaml)).toEqual(doc);
  });

  test.each([
    ['{', /neither JSON nor YAML/],
    ['', /no content pack/],
    ['[]', /no content pack/],
    ['meta: {}', /Name is missing/],
    ['meta: {Name: ""}', /Name is missing/],
    ['sections: {}', /no content pack/],
  ])('%s is none', (text, why) => {
    expect(() => readPack(text)).toThrow(why);
  });

  test('without sections there are none', () => {
    expect(readPack('meta: {Name: p}').sections).toEqual({});
  });
});

test('prerequisites are names, with or without a version', () => {
  expect(needs('a, b: >=4.0.0 ,, c')).toEqual(['a', 'b', 'c']);
  expect(needs(undefined)).toEqual([]);
  const packs = [{ Name: 'a' }, { Name: 'b', Prerequisites: 'a: 1.0' }, { Name: 'c', Prerequisites: 'ab' }];
  expect(dependents(packs, 'a')).toEqual([packs[1]]);
});

test('what others need comes first, whatever the order was, and nothing is lost', () => {
  const names = ['a', 'b', 'c', 'd', 'e'];
  for (let seed = 1; seed < 200; seed++) {
    let x = seed;
    const chance = (n: number) => (x = (x * 48271) % 2147483647) % n;
    const metas: PackMeta[] = names.map((Name, i) => ({ Name, Prerequisites: names.slice(0, i).filter(() => chance(3) === 0).join(', ') }));
    metas.sort(() => chance(3) - 1);
    const got = inOrder(metas, (m) => m);
    expect(got.toSorted((a, b) => (a.Name < b.Name ? -1 : 1)).map((m) => m.Name)).toEqual(names);
    got.forEach((m, i) => needs(m.Prerequisites).forEach((n) => expect(got.findIndex((o) => o.Name === n)).toBeLessThan(i)));
  }
  const ring: PackMeta[] = [{ Name: 'a', Prerequisites: 'b' }, { Name: 'b', Prerequisites: 'a' }];
  expect(inOrder(ring, (m) => m)).toHaveLength(2);
});

describe('what changes', () => {
  const o = (more: Record<string, Json> = {}): Json => ({ Name: 't', ...more });

  test('objects come, go and change', () => {
    const old = pack({ tasks: { gone: o(), same: o(), other: o({ Description: 'x' }) } });
    const next = pack({ tasks: { same: o(), other: o({ Description: 'y' }) }, params: { fresh: o() } });
    const changes = packChanges(old, next);
    expect(changes).toEqual([
      { kind: 'params', key: 'fresh', how: 'added' },
      { kind: 'tasks', key: 'gone', how: 'removed' },
      { kind: 'tasks', key: 'other', how: 'changed' },
    ]);
    expect(tally(changes)).toBe('1 added, 1 changed, 1 removed');
  });

  test('what the server adds, and what is empty, changes nothing', () => {
    const stored = pack({ tasks: { t: o({ Available: true, Errors: [], Bundle: 'p', Description: '', Meta: {}, Templates: [{ Name: 'a', Path: '', Contents: 'x', Meta: {} }] }) } });
    const file = pack({ tasks: { t: o({ Templates: [{ Name: 'a', Contents: 'x' }] }) } });
    expect(packChanges(stored, file)).toEqual([]);
    expect(tally([])).toBe('no object changes');
  });
});
