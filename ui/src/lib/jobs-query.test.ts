import { expect, test } from 'vitest';
import { containing, jobQuery, spans, tabs, type JobFilter } from './jobs-query';
import { chance } from './random.testing';

const none: JobFilter = { state: '', machine: '', task: '', stage: '', workflow: '', since: '' };
const now = Date.parse('2026-11-21T12:00:00Z');

test('no filter asks for all jobs', () => expect(jobQuery(none, now)).toEqual({}));

test('every tab narrows what the others have asked', () => {
  const filter = { ...none, machine: 'u', task: 'a.b', since: '1h' };
  for (const tab of tabs) {
    expect(jobQuery({ ...filter, state: tab.id }, now)).toEqual({ ...tab.query, Machine: 'u', Task: 'Re((?i)a\\.b)', StartTime: 'Gte(2026-11-21T11:00:00.000Z)' });
  }
});

test('every span but any time has a beginning', () => {
  for (const span of spans) expect('StartTime' in jobQuery({ ...none, since: span.id }, now)).toBe(span.id !== '');
});

test('what is typed is meant as it stands', () => {
  const characters = [...'aB.*+?()[]{}|^$\\-: '];
  for (let seed = 0; seed < 200; seed++) {
    const r = chance(seed);
    const text = Array.from({ length: 1 + Math.floor(r() * 6) }, () => characters[Math.floor(r() * characters.length)]).join('');
    const expression = new RegExp(containing(text).slice('Re((?i)'.length, -1), 'i');
    expect(expression.test(`x${text.toUpperCase()}y`), text).toBe(true);
    expect(expression.test('xy'), text).toBe(false);
  }
});
