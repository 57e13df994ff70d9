import { describe, expect, it } from 'vitest';
import type { HistoryEntry } from '../api/types.ts';
import { equal, type JsonObject, type Maybe } from './json.ts';
import { patchOf } from './jsonpatch.ts';
import { chance, changed, object } from './random.testing.ts';
import { apply, invert, replay } from './replay.ts';

// A past of some objects that come, change and go: the entries of history, and the state after each revision.
function past(seed: number, revs: number) {
  const r = chance(seed);
  const now = new Map<string, JsonObject>();
  const entries: HistoryEntry[] = [];
  const states: Map<string, JsonObject>[] = [new Map()];
  for (let rev = 1; rev <= revs; rev++) {
    const key = 'k' + Math.floor(r() * 4);
    const is = now.get(key);
    const entry = { Rev: rev, Time: new Date(rev * 1000).toISOString(), Who: 'user:a', Kind: 'profiles', Key: key };
    if (!is) {
      now.set(key, object(r));
      entries.push({ ...entry, Action: 'create', Patch: [{ op: 'add', path: '', value: now.get(key) }] });
    } else if (r() < 0.1) {
      now.delete(key);
      entries.push({ ...entry, Action: 'delete', Patch: [{ op: 'test', path: '', value: is }, { op: 'remove', path: '' }] });
    } else {
      const next = changed(r, is);
      now.set(key, next);
      entries.push({ ...entry, Action: 'update', Patch: patchOf(is, next) as HistoryEntry['Patch'] });
    }
    states.push(new Map(now));
  }
  return { entries, states, r };
}

// Quicker than expect, which then shows how they differ.
const same = (a: Maybe, b: Maybe) => equal(a, b);

const keys = ['k0', 'k1', 'k2', 'k3'];

describe('a replay', () => {
  it('shows every object at every revision as it was, in whatever order it is asked', () => {
    for (let seed = 0; seed < 8; seed++) {
      const { entries, states, r } = past(seed, 200);
      const shown = replay(entries);
      for (let n = 0; n < 60; n++) {
        const rev = Math.floor(r() * states.length);
        for (const key of keys) if (!same(shown.get('profiles', key, rev), states[rev]!.get(key))) expect(shown.get('profiles', key, rev), `seed ${seed} rev ${rev}`).toEqual(states[rev]!.get(key));
        expect(shown.all('profiles', rev)).toHaveLength(states[rev]!.size);
      }
    }
  });

  it('finds what was before its first entry by going back from the present', () => {
    for (let seed = 0; seed < 8; seed++) {
      const { entries, states } = past(seed, 200);
      const last = states.at(-1)!;
      const shown = replay(entries.slice(100), (_, key) => last.get(key));
      for (let rev = 100; rev <= 200; rev++) {
        for (const key of keys) {
          const known = entries.slice(100).some((e) => e.Key === key);
          if (known) if (!same(shown.get('profiles', key, rev), states[rev]!.get(key))) expect(shown.get('profiles', key, rev), `seed ${seed} rev ${rev}`).toEqual(states[rev]!.get(key));
        }
      }
    }
  });

  it('grows as if it had known all from the start', () => {
    for (let seed = 0; seed < 8; seed++) {
      const { entries, states, r } = past(seed, 200);
      const shown = replay([]);
      for (let i = 0; i < entries.length; ) {
        const more = 1 + Math.floor(r() * 90);
        shown.extend(entries.slice(Math.max(0, i - 2), i + more)); // what is known already does not count again
        i += more;
        const rev = Math.floor(r() * Math.min(i, 200));
        for (const key of keys) if (!same(shown.get('profiles', key, rev), states[rev]!.get(key))) expect(shown.get('profiles', key, rev), `seed ${seed} rev ${rev}`).toEqual(states[rev]!.get(key));
      }
      expect(shown.moments).toHaveLength(entries.length);
    }
  });

  it('goes through 100,000 entries, forwards and backwards', () => {
    const base = { Name: 'p', Params: { n: 0 } };
    const entries: HistoryEntry[] = Array.from({ length: 100_000 }, (_, i) => ({
      Rev: i + 1, Time: new Date(i).toISOString(), Who: 'u', Action: i < 100 ? 'create' : 'update', Kind: 'profiles', Key: 'p' + (i % 100),
      Patch: i < 100 ? [{ op: 'add', path: '', value: base }] : [{ op: 'test', path: '/Params/n', value: Math.floor(i / 100) - 1 }, { op: 'replace', path: '/Params/n', value: Math.floor(i / 100) }],
    }));
    const shown = replay(entries);
    for (let rev = 100; rev <= 100_000; rev += 4999) expect(shown.get('profiles', 'p0', rev)).toEqual({ ...base, Params: { n: Math.floor((rev - 1) / 100) } });
    for (let rev = 100_000; rev >= 100; rev -= 4993) expect(shown.all('profiles', rev)).toHaveLength(100);
  }, 30_000);
});

describe('a patch of history', () => {
  it('taken back leaves what was there before', () => {
    for (let seed = 0; seed < 200; seed++) {
      const r = chance(seed);
      const old = object(r);
      const patch = patchOf(old, changed(r, old)) as HistoryEntry['Patch'];
      expect(apply(apply(old as Maybe, patch), invert(patch)), `seed ${seed}`).toEqual(old);
    }
  });
  it('leaves the document alone that it is applied to', () => {
    for (let seed = 0; seed < 200; seed++) {
      const r = chance(seed);
      const old = object(r);
      const before = structuredClone(old);
      apply(old, patchOf(old, changed(r, old)) as HistoryEntry['Patch']);
      expect(old).toEqual(before);
    }
  });
  it('shows what is never told as (hidden)', () => {
    const shown = replay([
      { Rev: 1, Time: '', Who: '', Action: 'create', Kind: 'users', Key: 'a', Patch: [{ op: 'add', path: '', value: { Secret: '(hidden)' } }] },
      { Rev: 2, Time: '', Who: '', Action: 'update', Kind: 'users', Key: 'a', Patch: [{ op: 'test', path: '/Secret', value: '(hidden)' }, { op: 'replace', path: '/Secret', value: '(hidden)' }] },
    ]);
    expect(shown.get('users', 'a', 2)).toEqual({ Secret: '(hidden)' });
    expect(shown.get('users', 'a', 1)).toEqual({ Secret: '(hidden)' });
  });
});
