import { expect, test } from 'vitest';
import { find, type Searched } from './find.ts';

const thing = (name: string, about = '', more = ''): Searched => ({ kind: 'machines', key: name, name, about, more, href: '' });
const all = [thing('web10'), thing('rack-web'), thing('web'), thing('cobweb'), thing('web2'), thing('db1', 'behind the web'), thing('db2', '', 'aa:bb'), thing('x')];

test('what is meant most likely comes first', () => {
  expect(find(all, 'WEB', 9).map((f) => f.name)).toEqual(['web', 'web2', 'web10', 'rack-web', 'cobweb', 'db1']);
});

test('every word must be there, wherever', () => {
  expect(find(all, 'web db', 9).map((f) => f.name)).toEqual(['db1']);
  expect(find(all, 'aa:bb', 9).map((f) => f.name)).toEqual(['db2']);
  expect(find(all, 'web nowhere', 9)).toEqual([]);
});

test('nothing asked, nothing found; never more than asked for', () => {
  expect(find(all, '  ', 9)).toEqual([]);
  expect(find(all, 'web', 2)).toHaveLength(2);
});
