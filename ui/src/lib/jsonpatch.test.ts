import { applyPatch } from 'rfc6902';
import { describe, expect, it } from 'vitest';
import { at, equal, pointer, put, tokens, type JsonObject } from './json.ts';
import { patchOf } from './jsonpatch.ts';
import { merge } from './merge.ts';
import { chance, changed, json, object } from './random.testing.ts';

const seeds = Array.from({ length: 1000 }, (_, i) => i);

function applied(doc: JsonObject, patch: ReturnType<typeof patchOf>): JsonObject | undefined {
  const copy = structuredClone(doc);
  return patch.every((op) => applyPatch(copy, [op])[0] === null) ? copy : undefined; // all or nothing, as the server does
}

describe('a pointer', () => {
  it('leads back to its tokens', () => {
    for (const list of [[], [''], ['a/b', 'm~n', '~1', '0']]) expect(tokens(pointer(list))).toEqual(list);
  });
  it('finds what was put at it, and nothing else has changed', () => {
    for (const seed of seeds) {
      const r = chance(seed);
      const doc = object(r);
      const path = pointer(['a', 'x/y'].slice(0, r() < 0.5 ? 1 : 2));
      const value = json(r, 1);
      const before = structuredClone(doc);
      const out = put(doc, path, value);
      expect(at(out, path), `seed ${seed}`).toEqual(value);
      expect(doc).toEqual(before);
      expect(at(put(out, path, undefined), path)).toBeUndefined();
    }
  });
});

describe('a patch from base to mine', () => {
  it('makes mine of base, and is empty only when nothing has changed', () => {
    for (const seed of seeds) {
      const r = chance(seed);
      const base = object(r);
      const mine = changed(r, base);
      const patch = patchOf(base, mine);
      expect(applied(base, patch), `seed ${seed}`).toEqual(mine);
      expect(patch.length === 0, `seed ${seed}`).toBe(equal(base, mine));
    }
  });

  it('tests what it replaces and removes right before, and the map that it adds to', () => {
    for (const seed of seeds) {
      const r = chance(seed);
      const base = object(r);
      const patch = patchOf(base, changed(r, base));
      patch.forEach((op, i) => {
        if (op.op === 'replace' || op.op === 'remove') expect(patch[i - 1], `seed ${seed}`).toMatchObject({ op: 'test', path: op.path });
        const parent = pointer(tokens(op.path).slice(0, -1));
        if (op.op === 'add' && parent !== '') expect(patch.slice(0, i), `seed ${seed}`).toContainEqual({ op: 'test', path: parent, value: at(base, parent) });
      });
    }
  });

  it('never writes over what others have changed: it fails, or makes what a merge would', () => {
    let passed = 0;
    for (const seed of seeds) {
      const r = chance(seed);
      const base: JsonObject = { doc: object(r) };
      const mine: JsonObject = { doc: changed(r, base.doc as JsonObject) };
      const theirs: JsonObject = { doc: changed(r, base.doc as JsonObject) };
      const result = applied(theirs, patchOf(base, mine));
      if (result === undefined) continue;
      passed++;
      expect(result, `seed ${seed}`).toEqual(merge(base, mine, theirs));
    }
    expect(passed).toBeGreaterThan(20);
  });
});
