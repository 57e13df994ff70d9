import { applyPatch } from 'rfc6902';
import { describe, expect, it } from 'vitest';
import { at, equal, type JsonObject } from './json.ts';
import { patchOf } from './jsonpatch.ts';
import { choose, conflicts, differences, merge, rebase, touches, type Side } from './merge.ts';
import { chance, changed, object, type Chance } from './random.testing.ts';

function cases(check: (base: JsonObject, mine: JsonObject, theirs: JsonObject, r: Chance, seed: string) => void) {
  for (let seed = 0; seed < 1000; seed++) {
    const r = chance(seed);
    const base = object(r);
    check(base, changed(r, base), changed(r, base), r, `seed ${seed}`);
  }
}

describe('differences', () => {
  it('hold every field that is not as it was, each with the three values that stand there', () => {
    cases((base, mine, theirs, _, seed) => {
      const found = differences(base, mine, theirs);
      for (const d of found) {
        expect([at(base, d.path), at(mine, d.path), at(theirs, d.path)], seed).toEqual([d.base, d.mine, d.theirs]);
        expect({
          mine: equal(d.base, d.theirs), theirs: equal(d.base, d.mine), both: equal(d.mine, d.theirs),
          conflict: !equal(d.base, d.mine) && !equal(d.base, d.theirs) && !equal(d.mine, d.theirs),
        }[d.standing], seed).toBe(true);
      }
      expect(found.length === 0, seed).toBe(equal(base, mine) && equal(base, theirs));
    });
  });
});

describe('a merge', () => {
  it('has mine or theirs wherever there is a conflict, as was chosen', () => {
    let seen = 0;
    cases((base, mine, theirs, _, seed) => {
      const open = conflicts(differences(base, mine, theirs));
      seen += open.length;
      for (const side of ['mine', 'theirs', 'base'] as const) {
        const merged = merge(base, mine, theirs, choose(open, side));
        for (const d of open) expect(at(merged, d.path), seed).toEqual(d[side]);
      }
    });
    expect(seen).toBeGreaterThan(200);
  });

  it('keeps what only one has changed, whatever is chosen elsewhere', () => {
    cases((base, mine, theirs, r, seed) => {
      const found = differences(base, mine, theirs);
      const choices = Object.fromEntries(conflicts(found).map((d) => [d.path, r() < 0.5 ? 'mine' : 'theirs'] as [string, Side]));
      const merged = merge(base, mine, theirs, choices);
      for (const d of found) {
        if (d.standing !== 'conflict') expect(at(merged, d.path), seed).toEqual(d.standing === 'mine' ? d.mine : d.theirs);
      }
    });
  });

  it('is the other one when one has changed nothing, and all of mine when I overrule everything', () => {
    cases((base, mine, theirs, _, seed) => {
      expect(merge(base, base, theirs), seed).toEqual(theirs);
      expect(merge(base, mine, base), seed).toEqual(mine);
      expect(merge(base, mine, mine), seed).toEqual(mine);
    });
  });

  it('comes about by its patch on theirs', () => {
    cases((base, mine, theirs, r, seed) => {
      const choices = Object.fromEntries(conflicts(differences(base, mine, theirs)).map((d) => [d.path, r() < 0.5 ? 'mine' : 'base'] as [string, Side]));
      const merged = merge(base, mine, theirs, choices);
      const doc = structuredClone(theirs);
      expect(applyPatch(doc, patchOf(theirs, merged)).filter((e) => e !== null), seed).toEqual([]);
      expect(doc, seed).toEqual(merged);
    });
  });
});

describe('a rebase', () => {
  it('loses no edit of mine, shows what others did where I did nothing, and leaves exactly the conflicts', () => {
    cases((base, mine, theirs, _, seed) => {
      const next = rebase({ base, mine }, theirs);
      const before = differences(base, mine, theirs);
      for (const d of before) expect(at(next.mine, d.path), seed).toEqual(d.standing === 'theirs' ? d.theirs : d.mine);
      const after = differences(next.base, next.mine, theirs);
      expect(conflicts(after).map((d) => d.path).sort(), seed).toEqual(conflicts(before).map((d) => d.path).sort());
      expect(after.filter((d) => d.standing === 'theirs'), seed).toEqual([]);
      const doc = structuredClone(theirs);
      const passes = patchOf(next.base, next.mine).every((op) => applyPatch(doc, [op])[0] === null);
      if (conflicts(before).length > 0 && conflicts(before).every((d) => d.base !== undefined)) expect(passes, seed).toBe(false);
      if (passes && conflicts(before).length === 0) expect(doc, seed).toEqual(merge(base, mine, theirs));
    });
  });
});

it('a path touches what lies above and below it', () => {
  expect([touches('/a', ['/a/b']), touches('/a/b', ['/a']), touches('/a', ['/a']), touches('/a', ['/ab'])]).toEqual([true, true, true, false]);
});
