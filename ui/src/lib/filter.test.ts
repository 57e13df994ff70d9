import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { compileFilter, complete, parseFilter, paramsOf, shellQuote, termText, toCommand, toQuery, withTerm, type Language } from './filter.ts';
import { addressOrder, operators } from './match.ts';
import { goRegExp } from './re2.ts';

const language: Language = {
  fields: {
    Key: { Type: 'string' }, Uuid: { Type: 'UUID string' }, Name: { Type: 'string' }, Description: { Type: 'string' }, Stage: { Type: 'string' },
    Address: { Type: 'IP Address' }, Profiles: { Type: 'string', Unordered: true }, Runnable: { Type: 'boolean' },
    CurrentTask: { Type: 'integer' }, Valid: { Type: 'boolean' },
  },
  params: ['rack/unit', 'tier'],
};

type Machine = { Uuid: string; Name: string; Stage?: string; Address?: string; Profiles?: string[]; Runnable?: boolean; CurrentTask?: number;
  Description?: string; Validated?: boolean; Meta?: Record<string, string>; params?: Record<string, unknown> };

const uuid = (n: number): string => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
const fleet: Machine[] = [
  { Uuid: uuid(1), Name: 'web1', Stage: 'prep', Address: '10.0.0.9', Profiles: ['cluster', 'rack4'], Runnable: true, CurrentTask: 3, Meta: { icon: 'anchor' }, params: { 'rack/unit': 5, tier: 'gold' } },
  { Uuid: uuid(2), Name: 'web2', Stage: 'none', Address: '10.0.0.10', Profiles: [], Runnable: false, CurrentTask: -1, Description: 'Spare (old) box', params: { 'rack/unit': 40, tier: ['a', 'b'] } },
  { Uuid: uuid(3), Name: 'db1', Stage: 'prep', Address: '', Profiles: ['cluster'], Runnable: true, CurrentTask: 10, Validated: true, Meta: { icon: 'blue' }, params: { 'rack/unit': '7', tier: null } },
  { Uuid: uuid(4), Name: 'db2', Address: 'fd00::1', Runnable: true, CurrentTask: 0 },
];

const access = { key: (m: Machine) => m.Uuid, param: (m: Machine, name: string) => m.params?.[name] };

function find(text: string): string {
  const filter = parseFilter(text, language);
  if (filter.error) return `${filter.error.message} [${text.slice(filter.error.from, filter.error.to)}]`;
  return fleet.filter(compileFilter(filter, language.fields, access)).map((m) => m.Name).join(' ');
}

describe('a filter', () => {
  it.each([
    ['', 'web1 web2 db1 db2'],
    ['web', 'web1 web2'],
    ['WEB spare', 'web2'],
    ['"(old) box"', 'web2'],
    ['Stage=prep', 'web1 db1'],
    ['stage=prep web', 'web1'],
    ['Stage=', 'db2'],
    ['Stage=Ne(prep)', 'web2 db2'],
    ['Stage!=prep', 'web2 db2'],
    ['Name Re ^web', 'web1 web2'],
    ['Name~^(web|db)1$', 'web1 db1'],
    ['Name=Re(^(web|db)1$)', 'web1 db1'],
    ['name re 1$ Stage Eq prep', 'web1 db1'],
    ['Description="Spare (old) box"', 'web2'],
    ['Runnable=true', 'web1 db1 db2'],
    ['Profiles Eq cluster', 'web1 db1'],
    ['Profiles Ne cluster', 'web2 db2'],
    ['Profiles=Nin(rack4, other)', 'web2 db1 db2'],
    ['Meta.icon=anchor', 'web1'],
    ['meta.icon=Ne(anchor)', 'web2 db1 db2'],
    ['rack/unit=Gt(4)', 'web1 web2 db1'],
    ['rack/unit>4 rack/unit<10', 'web1'],
    ['rack/unit=Between(5,40)', 'web1 web2'],
    ['rack/unit Between 5 6', 'web1'],
    ['rack/unit Except 5,6', 'web2 db1'],
    ['rack/unit=Ne(5)', 'web2 db1 db2'],
    ['tier=b', 'web2'],
    ['tier=Re(nil)', 'db1'],
    ['CurrentTask=In(3,10)', 'web1 db1'],
    ['CurrentTask>=0', 'web1 db1 db2'],
    ['Address<10.0.0.10', 'web1 db1'],
    ['Address>10.0.0.10', 'db2'],
    ['Address=Re(invalid)', 'db1'],
    ['Valid=true', 'db1'],
    ['Key=' + uuid(3), 'db1'],
    ['web in', ''],
    ['Runnable=yes', 'Runnable must be true or false [Runnable=yes]'],
    ['web Name=Re(a', 'no closing ) [(a]'],
    ['Name="a', 'no closing " ["a]'],
    ['Name Re', 'Re needs a value [Re]'],
    ['Stage=Between(a)', 'Between needs two values, separated by a comma [Stage=Between(a)]'],
    ['Address=fred', 'Address must be an IP address [Address=fred]'],
    ['Name=Re(a(?=b))', 'the server knows no look-ahead and no look-behind [Name=Re(a(?=b))]'],
    ['sort=a', 'sort means something else to the server and cannot be asked for [sort=a]'],
  ])('%s finds %s', (text, want) => expect(find(text)).toBe(want));

  it('says which names it does not know', () => {
    expect(parseFilter('Meta.x=1 rack/unit=1 fred=2 Stage=a', language).unknown).toEqual(['fred']);
    expect(paramsOf(parseFilter('Meta.x=1 rack/unit=1 rack/unit=2 Stage=a', language), language)).toEqual(['rack/unit']);
  });

  it('becomes the query and the command that find the same', () => {
    const filter = parseFilter(`Stage!=prep Name~^web Description="it's old" tier='Eq(x)'`, language);
    expect(toQuery(filter)).toEqual([['Stage', 'Ne(prep)'], ['Name', 'Re(^web)'], ['Description', "it's old"], ['tier', 'Eq(Eq(x))']]);
    expect(toCommand('machines', filter)).toBe(`drp machines list 'Stage=Ne(prep)' 'Name=Re(^web)' 'Description=it'\\''s old' 'tier=Eq(Eq(x))'`);
    expect(toQuery(parseFilter('web Stage=a', language))).toBeUndefined();
    expect(shellQuote('a b')).toBe(`'a b'`);
  });

  it('quotes what a shell would take for something else', () => {
    const texts = ['a', 'a b', "it's", '$HOME', '`id`', 'a\\\\b', '"', '*', ';ls', 'Re(^a|b$)', '!x', '#', "''", 'ü', '~'];
    const out = execFileSync('sh', ['-c', `printf '%s\\n' ${texts.map(shellQuote).join(' ')}`]).toString();
    expect(out).toBe(texts.map((t) => t + '\n').join(''));
  });

  it('reads back every condition that it writes', () => {
    const texts = ['', 'a', 'a b', 'a"b', "a'b", 'a\\', '\\"', '(', ')', 'a)', 'Ne(x)', 'a,b', '^web(1|2)\\d+$', ' a ', '"', '=', '<', '[(]', 'ü'];
    for (const op of operators) {
      for (const text of texts) {
        if ((op === 'Between' || op === 'Except') && text.split(',').length !== 2) continue;
        if (op === 'Re' && ['a\\', '(', ')', 'a)', ' a '].includes(text)) continue;
        const c = { name: 'Name', op, text };
        const typed = `x ${termText(c)} Stage=prep`;
        const { terms, words, error } = parseFilter(typed, language);
        expect({ typed, error, words, terms: terms.map(({ name, op, text }) => ({ name, op, text })) })
          .toEqual({ typed, error: undefined, words: ['x'], terms: [c, { name: 'Stage', op: 'Eq', text: 'prep' }] });
      }
    }
  });

  it('takes one condition in the place of another', () => {
    expect(withTerm('web Stage=a x', { name: 'Stage', op: 'Eq', text: 'b c' }, language)).toBe('web x Stage="b c"');
    expect(withTerm('', { name: 'Stage', op: 'Ne', text: 'b' }, language)).toBe('Stage=Ne(b)');
  });

  it('never fails on what is typed half', () => {
    const whole = `web "a b" Stage=Ne(prep) Name Re ^(a|b)[c]$ rack/unit=Between(1,2) Description="x \\" y" Runnable=true Address>=10.0.0.1 ~ = !=`;
    for (let n = 0; n <= whole.length; n++) {
      const filter = parseFilter(whole.slice(0, n), language);
      if (!filter.error) compileFilter(filter, language.fields, access)(fleet[0]!);
      complete(whole.slice(0, n), n, language, () => ['a']);
    }
  });
});

describe('completion', () => {
  const at = (text: string): string[] => {
    const c = complete(text, text.length, language, (name) => (name === 'Stage' ? ['none', 'prep', 'two words'] : []));
    return c.suggestions.map((s) => text.slice(0, c.from) + s.text);
  };
  it('offers names, operators and values', () => {
    expect(at('sta')).toEqual(['Stage=']);
    expect(at('web ra')).toEqual(['web rack/unit=']);
    expect(at('Stage=p')).toEqual(['Stage=prep']);
    expect(at('stage=tw')).toEqual(['Stage="two words"']);
    expect(at('Stage=n')).toEqual(['Stage=none', 'Stage=Ne(', 'Stage=Nin(']);
    expect(at('Stage=Ne(p')).toEqual(['Stage=Ne(prep)']);
    expect(at('Stage=In(none,p')).toEqual(['Stage=In(none,prep']);
    expect(at('Stage Be')).toEqual(['Stage Between ']);
    expect(at('web ')).toEqual([]);
  });
});

describe('an expression', () => {
  it.each([
    ['(?i)WEB', 'web1', true], ['^w.b$', 'web', true], ['[[:digit:]]+$', 'web12', true], ['[[:digit:]]+$', 'web', false], ['a{,2}', 'a{,2}', true],
    ['\\Aweb\\z', 'web', true], ['\\Aweb\\z', 'web1', false], ['[]a]b', ']b', true], ['[^]a]b', 'cb', true], ['\\Q.*\\E', 'x.*', true],
    ['\\Q.*\\E', 'xyz', false], ['(?P<n>a)b', 'ab', true], ['\\x41', 'A', true], ['\\-\\<\\@', '-<@', true], ['\\pL+', 'ü', true],
    ['[\\-\\.]', '.', true], ['a}', 'a}', true], ['x\\s', 'x\u00a0', false],
  ])('%s against %s is %s', (re, s, want) => expect(goRegExp(re).test(s)).toBe(want));
  it.each(['(', 'a\\', '[a', '\\1', '(?=a)', '\\y', 'a**'])('%s is refused', (re) => expect(() => goRegExp(re)).toThrow());
});

describe('addresses', () => {
  it('order as addresses do', () => {
    const ordered = ['', '1.2.3.4', '10.0.0.2', '10.0.0.10', '::', '::1', '::1.2.3.4', 'fd00::1', 'fd00::1:0', 'fe80::1%eth0'];
    const keys = ordered.map((a) => addressOrder(a)!);
    expect([...keys].sort()).toEqual(keys);
    expect(['1.2.3', '1.2.3.256', '01.2.3.4', ':', '1:2', ':::', 'g::', '::1::'].map((a) => addressOrder(a))).toEqual(Array(8).fill(undefined));
  });
});
