// JSON values, told apart and found by pointers (RFC 6901).

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

// What is absent is undefined: a member that is null is there.
export type Maybe = Json | undefined;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** own is a member of what others have made: names such as constructor are in every object. */
export const own = <T>(o: { readonly [key: string]: T } | null | undefined, key: string): T | undefined => (o && Object.hasOwn(o, key) ? o[key] : undefined);

export function equal(a: unknown, b: unknown): boolean {
  if (Object.is(a, b) || a === b) return true;
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((x, i) => equal(x, b[i]));
  if (!isObject(a) || !isObject(b)) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((k) => Object.hasOwn(b, k) && equal(a[k], b[k]));
}

export const pointer = (tokens: readonly (string | number)[]): string =>
  tokens.map((t) => '/' + String(t).replaceAll('~', '~0').replaceAll('/', '~1')).join('');

export const tokens = (path: string): string[] =>
  path === '' ? [] : path.slice(1).split('/').map((t) => t.replaceAll('~1', '/').replaceAll('~0', '~'));

export function at(doc: Maybe, path: string): Maybe {
  let here = doc;
  for (const token of tokens(path)) {
    if (Array.isArray(here)) here = here[Number(token)];
    else if (isObject(here) && Object.hasOwn(here, token)) here = here[token];
    else return undefined;
  }
  return here;
}

// put is the document with another value at the path, or without one if the value is undefined.
// What lies beside the path is shared with the old document; objects missing on the way are made.
export function put(doc: Maybe, path: string, value: Maybe): Maybe {
  return putAt(doc, tokens(path), value);
}

function putAt(doc: Maybe, [token, ...rest]: string[], value: Maybe): Maybe {
  if (token === undefined) return value;
  if (Array.isArray(doc)) {
    const list = [...doc];
    const inner = putAt(list[Number(token)], rest, value);
    if (inner === undefined) list.splice(Number(token), 1);
    else list[Number(token)] = inner;
    return list;
  }
  const members = isObject(doc) ? Object.entries(doc) : [];
  const inner = putAt(isObject(doc) && Object.hasOwn(doc, token) ? doc[token] : undefined, rest, value);
  if (inner === undefined) return Object.fromEntries(members.filter(([k]) => k !== token));
  const known = members.some(([k]) => k === token);
  return Object.fromEntries(known ? members.map(([k, v]) => [k, k === token ? inner : v]) : [...members, [token, inner]]);
}
