import { describe, expect, it } from 'vitest';
import { brief, describePatch, inWords, listChange, summary } from './describe-patch';
import { at, equal, pointer } from './json';
import { patchOf } from './jsonpatch';
import { chance, changed, object } from './random.testing';

describe('a patch in words', () => {
  it('tells each field with what was and what is, and leads from one document to the other', () => {
    for (let seed = 0; seed < 500; seed++) {
      const r = chance(seed);
      const before = object(r);
      const after = changed(r, before);
      const changes = describePatch(patchOf(before, after));
      expect(changes.length === 0, `seed ${seed}`).toBe(equal(before, after));
      for (const c of changes) {
        const path = pointer(c.path);
        expect(c.before, `seed ${seed}`).toEqual(at(before, path));
        expect(c.after, `seed ${seed}`).toEqual(at(after, path));
      }
    }
  });

  it('knows objects that come and go', () => {
    expect(summary(describePatch([{ op: 'add', path: '', value: { Name: 'a' } }]))).toBe('created');
    const gone = describePatch([{ op: 'test', path: '', value: { Name: 'a' } }, { op: 'remove', path: '' }]);
    expect(gone).toEqual([{ verb: 'deleted', path: [], before: { Name: 'a' } }]);
    expect(summary(describePatch([]))).toBe('stored again as it was');
    expect(describePatch(null)).toEqual([]);
  });

  it.each([
    [{ verb: 'set', path: ['Params', 'a/b'], after: 'x' }, 'Params › a/b: set to "x"'],
    [{ verb: 'changed', path: ['Runnable'], before: true, after: false }, 'Runnable: true → false'],
    [{ verb: 'removed', path: ['Meta', 'x'], before: 'y' }, 'Meta › x: "y" removed'],
    [{ verb: 'changed', path: ['Profiles'], before: ['a', 'b'], after: ['b', 'c'] }, 'Profiles: + "c", − "a"'],
    [{ verb: 'changed', path: ['Tasks'], before: ['a', 'b'], after: ['b', 'a'] }, 'Tasks: ["a","b"] → ["b","a"]'],
    [{ verb: 'changed', path: ['Secret'], after: '(hidden)' }, 'Secret: "(hidden)"'],
  ] as const)('%j', (change, words) => expect(inWords(structuredClone(change) as never)).toBe(words));

  it('counts what does not fit on the line', () => {
    const changes = ['a', 'b', 'c', 'd', 'e'].map((f) => ({ verb: 'set' as const, path: [f], after: 1 }));
    expect(summary(changes)).toBe('a: set to 1; b: set to 1; c: set to 1; 2 more');
  });
});

it('a list of equal elements differs by their number', () => expect(listChange(['a'], ['a', 'a'])).toEqual({ added: ['a'], removed: [] }));

it('a brief value is never longer than allowed', () => {
  for (const value of ['x'.repeat(500), { a: 'ü'.repeat(100) }, [1, 2], null]) expect([...brief(value, 20)].length).toBeLessThanOrEqual(20);
});
