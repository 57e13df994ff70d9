// What a patch of history does, in words and values: history's patches test the value that each
// operation loses, so that before and after are both told.
import { equal, isObject, tokens, type Json } from './json';
import type { Operation } from './jsonpatch';

export type Verb = 'created' | 'deleted' | 'replaced' | 'set' | 'changed' | 'removed';

export interface Change {
  verb: Verb;
  path: string[]; // of the field; empty: the object itself
  before?: Json;
  after?: Json;
}

/** The changes that a patch makes, in its order; tests that stand for nothing else are left out. */
export function describePatch(patch: readonly Operation[] | null): Change[] {
  const was = new Map<string, Json>();
  const changes: Change[] = [];
  for (const op of patch ?? []) {
    if (op.op === 'test') {
      was.set(op.path, op.value as Json);
      continue;
    }
    const change = changeOf(op, was);
    if (change) changes.push(change);
  }
  return changes;
}

function changeOf(op: Operation, was: ReadonlyMap<string, Json>): Change | undefined {
  const path = tokens(op.path);
  const known = was.has(op.path) ? { before: was.get(op.path)! } : {};
  const whole = path.length === 0;
  switch (op.op) {
    case 'add':
      return { verb: whole ? 'created' : 'set', path, after: op.value as Json };
    case 'remove':
      return { verb: whole ? 'deleted' : 'removed', path, ...known };
    case 'replace':
      return { verb: whole ? 'replaced' : 'changed', path, ...known, after: op.value as Json };
    case 'copy':
    case 'move':
      return { verb: 'set', path, after: `(${op.op} of ${op.from})` };
    default:
      return undefined;
  }
}

/** A field as people write it: Params cluster/leader. */
export function fieldName(path: readonly string[]): string {
  return path.join(' › ');
}

/** What came to a list and what went from it; undefined where both are not lists, or only the order has changed. */
export function listChange(before: Json | undefined, after: Json | undefined): { added: Json[]; removed: Json[] } | undefined {
  if (!Array.isArray(before) || !Array.isArray(after)) return undefined;
  const added = without(after, before);
  const removed = without(before, after);
  return added.length + removed.length > 0 ? { added, removed } : undefined;
}

function without(list: readonly Json[], others: readonly Json[]): Json[] {
  const left = [...others];
  return list.filter((value) => {
    const i = left.findIndex((other) => equal(other, value));
    if (i >= 0) left.splice(i, 1);
    return i < 0;
  });
}

/** A value on one line, of limited length. */
export function brief(value: Json | undefined, longest = 60): string {
  if (value === undefined) return '';
  const text = JSON.stringify(value);
  return text.length > longest ? `${[...text].slice(0, longest - 1).join('')}…` : text;
}

/** A change on one line. */
export function inWords(change: Change): string {
  const { verb, path, before, after } = change;
  if (path.length === 0) return verb === 'replaced' ? 'replaced as a whole' : verb;
  const name = fieldName(path);
  const list = listChange(before, after);
  if (list) {
    return `${name}: ${[...list.added.map((v) => `+ ${brief(v)}`), ...list.removed.map((v) => `− ${brief(v)}`)].join(', ')}`;
  }
  if (verb === 'set') return `${name}: set to ${brief(after)}`;
  if (verb === 'removed') return before === undefined ? `${name}: removed` : `${name}: ${brief(before)} removed`;
  return before === undefined ? `${name}: ${brief(after)}` : `${name}: ${brief(before)} → ${brief(after)}`;
}

/** All changes of a patch on one line; what does not fit is counted. */
export function summary(changes: readonly Change[], most = 3): string {
  if (changes.length === 0) return 'stored again as it was';
  const shown = changes.slice(0, most).map(inWords).join('; ');
  return changes.length > most ? `${shown}; ${changes.length - most} more` : shown;
}

/** Whether a value is better shown on lines of its own. */
export function isLarge(value: Json | undefined): boolean {
  return (isObject(value) || Array.isArray(value) || typeof value === 'string') && JSON.stringify(value).length > 80;
}
