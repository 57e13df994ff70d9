// Patches (RFC 6902) as the clients of the API make them: what is to change is tested first, so
// that nobody's change is written over unseen.
import type { Operation } from 'rfc6902';
import { equal, isObject, pointer, type Json, type JsonObject } from './json.ts';

export type { Operation };

// patchOf leads from base to mine. Scalars and lists are replaced as a whole. A member that is new
// in a map cannot be tested itself, so the map is: what others add to it in between is then seen too.
// New members of the document itself stand alone, since the server leaves out such as are empty.
export function patchOf(base: JsonObject, mine: JsonObject): Operation[] {
  return changes(base, mine, []);
}

function changes(base: Json, mine: Json, path: string[]): Operation[] {
  if (equal(base, mine)) return [];
  const here = pointer(path);
  if (!isObject(base) || !isObject(mine)) {
    return [{ op: 'test', path: here, value: base }, { op: 'replace', path: here, value: mine }];
  }
  const added = Object.keys(mine).filter((k) => !Object.hasOwn(base, k));
  const guard: Operation[] = added.length > 0 && path.length > 0 ? [{ op: 'test', path: here, value: base }] : [];
  return [
    ...guard,
    ...added.map((k): Operation => ({ op: 'add', path: pointer([...path, k]), value: mine[k] })),
    ...Object.keys(base).flatMap((k) => (Object.hasOwn(mine, k) ? changes(base[k], mine[k], [...path, k]) : removal(base[k], [...path, k]))),
  ];
}

function removal(value: Json, path: string[]): Operation[] {
  const here = pointer(path);
  return [{ op: 'test', path: here, value }, { op: 'remove', path: here }];
}
