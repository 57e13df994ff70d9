// Two people change one object: what each has changed since the version both started from, and
// the document that comes of it.
import { equal, isObject, pointer, put, type Json, type Maybe } from './json.ts';

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
export function merge<T extends Json>(base: T, mine: T, theirs: T, choices: Choices = {}): T {
  return assemble(theirs, differences(base, mine, theirs), choices, true) as T;
}

export type Choices = Readonly<Record<string, Side>>;

function assemble(theirs: Json, all: Difference[], choices: Choices, withMine: boolean): Maybe {
  let doc: Maybe = theirs;
  for (const d of all) {
    const side = d.standing === 'conflict' ? (choices[d.path] ?? 'theirs') : d.standing;
    if (side === 'base') doc = put(doc, d.path, d.base);
    if (side === 'mine' && withMine) doc = put(doc, d.path, d.mine);
  }
  return doc;
}

export interface Edit<T> {
  base: T; // what it started from
  mine: T;
}

// rebase brings an edit up to date with the version that others have made: it shows what they did
// wherever I did nothing. Where we disagree it keeps mine, and the base that mine was made from, so
// that the conflict stays one until something is chosen.
export function rebase<T extends Json>({ base, mine }: Edit<T>, theirs: T): Edit<T> {
  const all = differences(base, mine, theirs);
  return {
    base: assemble(theirs, all, choose(all, 'base'), false) as T,
    mine: assemble(theirs, all, choose(all, 'mine'), true) as T,
  };
}

// choose is one side for all that we disagree about.
export const choose = (all: Difference[], side: Side): Choices => Object.fromEntries(conflicts(all).map((d) => [d.path, side]));

// touches tells whether a path lies on, above or below one of the paths.
export const touches = (path: string, paths: readonly string[]): boolean =>
  paths.some((p) => p === path || p.startsWith(path + '/') || path.startsWith(p + '/'));

