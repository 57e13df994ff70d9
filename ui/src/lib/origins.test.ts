import { expect, test } from 'vitest';
import { isSealed, originLabel, paramRows, viaLabel, type Effective } from './origins.ts';

const of = (Kind: string, Key: string, Value: unknown = 1, Via: string[] = []): Effective => ({ Value, Kind, Key, Via, Overrides: [] });

test('origins are named as operators name them', () => {
  expect(originLabel(of('machines', 'u'))).toBe('this machine');
  expect(originLabel(of('profiles', 'global'))).toBe('global');
  expect(originLabel(of('profiles', 'rack'))).toBe('profile rack');
  expect(originLabel(of('stages', 'install'))).toBe('stage install');
  expect(originLabel(of('params', 'x'))).toBe('default');
  expect(viaLabel(of('profiles', 'a', 1, ['stages/st', 'profiles/b/c']))).toBe('through stage st and profile b/c');
  expect(viaLabel(of('machines', 'u'))).toBe('');
});

test('a search finds names, values and origins, and never what is sealed', () => {
  const sealed = { Key: 'c2VjcmV0', Nonce: 'x', Payload: 'y' };
  const all = { 'b/name': of('profiles', 'rack', { city: 'Bonn' }), a: of('params', 'a', true), secret: of('machines', 'u', sealed) };
  const names = (words: string, defaults = true) => paramRows(all, words, defaults).map((r) => r.name);
  expect(names('')).toEqual(['a', 'b/name', 'secret']);
  expect(names('', false)).toEqual(['b/name', 'secret']);
  expect(names('RACK bonn')).toEqual(['b/name']);
  expect(names('default')).toEqual(['a']);
  expect(names('c2VjcmV0')).toEqual([]);
  expect(isSealed(sealed)).toBe(true);
  expect(isSealed({ Key: 1 })).toBe(false);
});
