// Two people change one object: what each has changed since the version both started from, and
// the document that comes of it.
import { equal, isObject, pointer, put, type Json, type Maybe } from './json';

export type Side = 'mine' | 'theirs' | 'base';
export type Standing = 'mine' | 'theirs' | 'both' | 'conflict';

// One field that is not as it was. An absent value is undefined.
export interface Difference {
  path: string;
  standing: Standing; // only mine, only theirs, both the same, or both and different
  base: Maybe;
  mine: Maybe;
  theirs: Maybe;
}

// differences are the fields that I or others have changed, in the order of the document. Maps are
// compared member by member; a list is one field.
export function differences(base: Maybe, mine: Maybe, theirs: Maybe): Difference[] {
  return compare(base, mine, theirs, []);
}

function compare(base: Maybe, mine: Maybe, theirs: Maybe, path: string[]): Difference[] {
  if (equal(base, mine) && equal(base, theirs)) return [];
  if (isObject(base) && isObject(mine) && isObject(theirs)) {
    const keys = new Set([...Object.keys(base), ...Object.keys(theirs), ...Object.keys(mine)]);
    return [...keys].flatMap((k) => compare(own(base, k), own(mine, k), own(theirs, k), [...path, k]));
  }
  return [{ path: pointer(path), standing: standing(base, mine, theirs), base, mine, theirs }];
}

const own = (o: { [key: string]: Json }, k: string): Maybe => (Object.hasOwn(o, k) ? o[k] : undefined);

function standing(base: Maybe, mine: Maybe, theirs: Maybe): Standing {
  if (equal(mine, theirs)) return 'both';
  if (equal(base, theirs)) return 'mine';
  return equal(base, mine) ? 'theirs' : 'conflict';
}

export const conflicts = (all: Difference[]): Difference[] => all.filter((d) => d.standing === 'conflict');

// merge is theirs with what only I have changed, and with what was chosen where we disagree: the
// side for each path. A conflict about which nothing was chosen stays theirs.
export function merge<T extends Json>(base: T, mine: T, theirs: T, choices: Readonly<Record<string, Side>> = {}): T {
  let doc: Maybe = theirs;
  for (const d of differences(base, mine, theirs)) {
    const side = d.standing === 'conflict' ? (choices[d.path] ?? 'theirs') : d.standing;
    if (side === 'mine') doc = put(doc, d.path, d.mine);
    if (side === 'base') doc = put(doc, d.path, d.base);
  }
  return doc as T;
}

// rebase is what an editor goes on with when the object has changed under it: the new version is
// what mine is compared with from now on, and only conflicts are left to choose.
export function rebase<T extends Json>(base: T, mine: T, theirs: T): { base: T; mine: T; conflicts: Difference[] } {
  const open = conflicts(differences(base, mine, theirs));
  const mineFirst = Object.fromEntries(open.map((d): [string, Side] => [d.path, 'mine']));
  return { base: theirs, mine: merge(base, mine, theirs, mineFirst), conflicts: open };
}

// touches tells whether a path lies on, above or below one of the paths.
export const touches = (path: string, paths: readonly string[]): boolean =>
  paths.some((p) => p === path || p.startsWith(path + '/') || path.startsWith(p + '/'));

