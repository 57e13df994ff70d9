// Random JSON for tests of laws: the same for the same seed.
import { equal, isObject, type Json, type JsonObject } from './json.ts';

export type Chance = () => number;

// chance is mulberry32: numbers from 0 to 1.
export function chance(seed: number): Chance {
  let s = seed;
  return () => {
    s = (s + 0x6d2b79f5) | 0;
    let t = Math.imul(s ^ (s >>> 15), 1 | s);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const pick = <T>(r: Chance, list: readonly T[]): T => list[Math.floor(r() * list.length)];

const names = ['a', 'b', 'Params', 'x/y', 'm~n', '', '0'];

export function json(r: Chance, depth = 3): Json {
  const shape = depth === 0 ? r() * 0.6 : r();
  if (shape < 0.6) return pick<Json>(r, [null, true, false, 0, 1, -2.5, '', 'a', 'text']);
  if (shape < 0.7) return Array.from({ length: Math.floor(r() * 3) }, () => json(r, depth - 1));
  return object(r, depth);
}

export function object(r: Chance, depth = 3): JsonObject {
  return Object.fromEntries(Array.from({ length: Math.floor(r() * 5) }, () => [pick(r, names), json(r, depth - 1)]));
}

// changed is the document with some members changed, added and removed.
export function changed(r: Chance, doc: JsonObject, depth = 3): JsonObject {
  const out: JsonObject = {};
  for (const [k, v] of Object.entries(doc)) {
    const fate = r();
    if (fate < 0.1) continue;
    if (fate < 0.3) out[k] = json(r, 2);
    else out[k] = isObject(v) && depth > 0 ? changed(r, v, depth - 1) : v;
  }
  if (r() < 0.3) out[pick(r, names)] = json(r, 2);
  return equal(out, doc) && r() < 0.5 ? { ...out, a: json(r, 1) } : out;
}
