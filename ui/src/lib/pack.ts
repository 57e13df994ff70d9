// Content packs as files: read, ordered by what they need of each other, and compared. For lazy
// chunks only, since it brings a YAML parser.
import { parse } from 'yaml';
import { equal, isObject, type Json, type JsonObject } from './json.ts';

export interface PackMeta {
  Name: string;
  Version?: string;
  Prerequisites?: string;
  [name: string]: Json | undefined;
}

export interface Pack {
  meta: PackMeta;
  sections: Record<string, Record<string, Json>>;
}

// readPack is the pack that a file holds. It throws an Error that says what is wrong with it.
export function readPack(text: string): Pack {
  let doc: unknown;
  try {
    doc = parse(text, { maxAliasCount: 100 });
  } catch (err) {
    throw new Error('The file is neither JSON nor YAML: ' + (err as Error).message.split('\n')[0].replace(/:$/, ''), { cause: err });
  }
  const meta = isObject(doc) ? doc.meta : undefined;
  if (!isObject(doc) || !isObject(meta) || typeof meta.Name !== 'string' || meta.Name === '') {
    throw new Error('The file is no content pack: meta with a Name is missing. A folder is made into one by "drp contents bundle".');
  }
  const sections = isObject(doc.sections) ? Object.entries(doc.sections) : [];
  return { meta: { ...meta, Name: meta.Name }, sections: Object.fromEntries(sections.filter((s): s is [string, JsonObject] => isObject(s[1]))) };
}

// needs are the names of the packs that a pack requires.
export function needs(prerequisites: string | undefined): string[] {
  return (prerequisites ?? '')
    .split(',')
    .map((p) => p.split(':')[0].trim())
    .filter(Boolean);
}

// dependents are the packs that require one, directly.
export function dependents<T extends { Name: string; Prerequisites?: string }>(packs: readonly T[], name: string): T[] {
  return packs.filter((p) => p.Name !== name && needs(p.Prerequisites).includes(name));
}

// inOrder puts what others of the list require before them, and leaves the rest as it is. Rings are
// left to the server.
export function inOrder<T>(packs: readonly T[], meta: (pack: T) => PackMeta): T[] {
  const byName = new Map(packs.map((p) => [meta(p).Name, p]));
  const done = new Set<T>();
  const visit = (p: T) => {
    if (done.has(p)) return;
    done.add(p);
    for (const name of needs(meta(p).Prerequisites)) {
      const other = byName.get(name);
      if (other) visit(other);
    }
    ordered.push(p);
  };
  const ordered: T[] = [];
  packs.forEach(visit);
  return ordered;
}

export interface PackChange {
  kind: string;
  key: string;
  how: 'added' | 'removed' | 'changed';
}

// packChanges is what becomes of the objects when one pack takes the place of another.
export function packChanges(old: Pack, next: Pack): PackChange[] {
  const changes: PackChange[] = [];
  for (const kind of [...new Set([...Object.keys(old.sections), ...Object.keys(next.sections)])].sort()) {
    const was = old.sections[kind] ?? {};
    const is = next.sections[kind] ?? {};
    for (const key of [...new Set([...Object.keys(was), ...Object.keys(is)])].sort()) {
      if (!(key in was)) changes.push({ kind, key, how: 'added' });
      else if (!(key in is)) changes.push({ kind, key, how: 'removed' });
      else if (!equal(own(was[key]), own(is[key]))) changes.push({ kind, key, how: 'changed' });
    }
  }
  return changes;
}

// What the server adds to every object says nothing, nor does what is empty: a file leaves it out.
const added = new Set(['Validated', 'Available', 'Errors', 'ReadOnly', 'Endpoint', 'Bundle', 'Partial']);

function own(v: Json): Json {
  return isObject(v) ? solid(Object.fromEntries(Object.entries(v).filter(([name]) => !added.has(name)))) : v;
}

function solid(v: Json): Json {
  if (Array.isArray(v)) return v.map(solid);
  if (!isObject(v)) return v;
  return Object.fromEntries(Object.entries(v).map(([name, x]) => [name, solid(x)] as const).filter(([, x]) => !blank(x)));
}

const blank = (v: Json): boolean => v === null || v === '' || v === false || v === 0 || (typeof v === 'object' && Object.keys(v).length === 0);

// tally counts changes in words: "2 added, 1 removed".
export function tally(changes: readonly PackChange[]): string {
  const words = (['added', 'changed', 'removed'] as const).flatMap((how) => {
    const n = changes.filter((c) => c.how === how).length;
    return n > 0 ? [`${n} ${how}`] : [];
  });
  return words.join(', ') || 'no object changes';
}
