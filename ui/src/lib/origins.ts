// Where the values of params come from, as the server tells it (GET /machines/ID/params?origins=true).

import { sortedBy } from './natural.ts';

export interface Origin {
  Value: unknown;
  Kind: string;
  Key: string;
  Via: string[];
}

export interface Effective extends Origin {
  Overrides: Origin[];
}

/** Where a value stands, for people: this machine, profile rack, stage install, default. */
export function originLabel(o: Pick<Origin, 'Kind' | 'Key'>): string {
  if (o.Kind === 'params') return 'default';
  if (o.Kind === 'profiles') return o.Key === 'global' ? 'global' : 'profile ' + o.Key;
  if (o.Kind === 'machines') return 'this machine';
  return o.Kind.replace(/s$/, '') + ' ' + o.Key;
}

/** How an origin comes into it: "through stage install and profile rack"; '' when it does so by itself. */
export function viaLabel(o: Pick<Origin, 'Via'>): string {
  const names = o.Via.map((v) => {
    const slash = v.indexOf('/');
    return v.slice(0, slash).replace(/s$/, '') + ' ' + v.slice(slash + 1);
  });
  return names.length ? 'through ' + names.join(' and ') : '';
}

/** A value that is sealed, and shown to those who may see it only. */
export const isSealed = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && Object.keys(value).sort().join() === 'Key,Nonce,Payload';

export interface ParamRow extends Effective {
  name: string;
}

/** The params by name whose name, value or origin has all the words in it. */
export function paramRows(all: Readonly<Record<string, Effective>>, words: string, defaults: boolean): ParamRow[] {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  return sortedBy(Object.keys(all), (name) => name)
    .map((name) => ({ name, ...all[name] }))
    .filter((row) => defaults || row.Kind !== 'params')
    .filter((row) => {
      const text = [row.name, isSealed(row.Value) ? '' : JSON.stringify(row.Value), originLabel(row)].join(' ').toLowerCase();
      return wanted.every((w) => text.includes(w));
    });
}
