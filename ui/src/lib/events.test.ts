import { expect, test } from 'vitest';
import type { Event } from '../api/types';
import { eventChanges, eventFilter, eventText, joinLines, levels, lineMatches, type ServerLine } from './events';
import { at, equal, pointer } from './json';
import { chance, changed, object } from './random.testing';

test.each([
  ['', '*.*.*'],
  ['machines', 'machines.*.*'],
  ['machines.save', 'machines.save.*'],
  ['profiles.*.a.b.c', 'profiles.*.a.b.c'],
  [' jobs . . ', 'jobs.*.*'],
  ['*.*.*', '*.*.*'],
])('the filter %j is %j', (text, filter) => expect(eventFilter(text)).toBe(filter));

const event = (more: Partial<Event>): Event => ({ Time: '', Type: 'machines', Action: 'update', Key: 'k', Principal: '', Object: null, Original: null, Rev: 7, ...more });

test('a change tells each field that is not as it was, and nothing else', () => {
  for (let seed = 0; seed < 300; seed++) {
    const r = chance(seed);
    const Original = object(r);
    const Object = changed(r, Original);
    const changes = eventChanges(event({ Original, Object }));
    expect(changes.length === 0, `seed ${seed}`).toBe(equal(Original, Object));
    for (const c of changes) expect([c.before, c.after]).toEqual([at(Original, pointer(c.path)), at(Object, pointer(c.path))]);
  }
});

test.each([
  [event({ Action: 'create', Object: { Name: 'a' } }), 'created'],
  [event({ Action: 'delete', Object: { Name: 'a' } }), 'deleted'],
  [event({ Object: { a: 1 }, Original: { a: 2 } }), 'a: 2 → 1'],
  [event({ Type: 'log', Action: 'info', Rev: 0, Object: { Message: 'hello' } }), 'hello'],
  [event({ Type: 'mine', Action: 'said', Rev: 0, Object: { a: 1 } }), '{"a":1}'],
  [event({ Type: 'mine', Action: 'said', Rev: 0 }), ''],
])('event %# in words', (e, words) => expect(eventText(e)).toBe(words));

const line = (more: Partial<ServerLine>): ServerLine => ({ Seq: 1, Time: 't', Service: 'api', Principal: 'user:ann', Level: 'info', File: '', Line: 0, Message: 'Job log', Data: ['bytes=7'], ...more });

test('a level lets itself and higher ones through', () => {
  const shown = (level: string) => levels.filter((l) => lineMatches(line({ Level: l }), { level, service: '', text: '' }));
  expect(shown('')).toEqual(levels);
  levels.forEach((l, i) => expect(shown(l)).toEqual(levels.slice(i)));
});

test('all words are looked for, everywhere in the line', () => {
  const has = (text: string, service = '') => lineMatches(line({}), { level: '', service, text });
  expect([has('job'), has('LOG ann'), has('bytes=7 api'), has('job missing'), has('', 'api'), has('', 'auth')]).toEqual([true, true, true, false, true, false]);
});

test('lines that are told twice stand once', () => {
  const lines = Array.from({ length: 10 }, (_, i) => line({ Seq: i, Time: `t${i}` }));
  for (let from = 0; from <= 10; from++) {
    const came = lines.slice(from).toReversed();
    for (let kept = from; kept <= 10; kept++) expect(joinLines(lines.slice(0, kept), came).map((l) => l.Seq)).toEqual([9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
  }
});
