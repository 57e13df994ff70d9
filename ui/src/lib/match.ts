import { own } from './json.ts';
import { goRegExp } from './re2.ts';

// Conditions on objects, held against them here exactly as the server's lists do, so that a
// filter can be answered while it is typed. A test compares the two.

/** Field says how the values of an index are read and ordered, as GET /indexes/KIND tells it. */
export type Field = { Type: string; Unordered?: boolean; Regex?: boolean };
export type Fields = Record<string, Field>;

export const operators = ['Eq', 'Ne', 'Lt', 'Lte', 'Gt', 'Gte', 'Between', 'Except', 'In', 'Nin', 'Re'] as const;
export type Operator = (typeof operators)[number];

/** Condition is one filter of the API: NAME=OP(TEXT). */
export type Condition = { name: string; op: Operator; text: string };

/** Access is how the parts of an object are reached. */
export type Access<T> = {
  key: (o: T) => string;
  /** The effective value of a param; undefined when it has none. */
  param?: (o: T, name: string) => unknown;
};

type Comparable = string | number | boolean;
type Test = (value: unknown) => boolean;

/** compileCondition reads a condition once; what it yields is quick. It throws what is wrong with the text. */
export function compileCondition<T>(c: Condition, fields: Fields, access: Access<T>): (o: T) => boolean {
  const field = own(fields, c.name);
  const values = valuesOf(c.name, field, access);
  const op = c.op === 'Ne' ? 'Eq' : c.op === 'Nin' ? 'In' : c.op;
  const uuidKey = c.name === 'Key' && fields.Uuid?.Type === 'UUID string' && op !== 'Re'; // may be written in any case
  const test = field ? ofField(op, uuidKey ? { ...c, text: c.text.toLowerCase() } : c, field) : ofAny(op, c.text);
  // The negative operators hold when no value is the one named, so they hold of an empty list.
  return op === c.op ? (o) => values(o).some(test) : (o) => !values(o).some(test);
}

/** valuesOf reaches what a condition or a sort order is about: one value, none, or the elements of a list. */
export function valuesOf<T>(name: string, field: Field | undefined, access: Access<T>): (o: T) => readonly unknown[] {
  if (field) return fieldValues(name, field, access);
  if (name.startsWith('Meta.')) {
    const key = name.slice('Meta.'.length);
    return (o) => {
      const v = own((o as { Meta?: Record<string, string> }).Meta, key);
      return v === undefined ? [] : [scalar(v)];
    };
  }
  const { param } = access;
  if (!param) return () => [];
  return (o) => {
    const v = param(o, name);
    return v === undefined ? [] : Array.isArray(v) ? v : [v];
  };
}

function fieldValues<T>(name: string, field: Field, access: Access<T>): (o: T) => readonly unknown[] {
  const read = reader(field.Type);
  if (name === 'Key') return (o) => [access.key(o)];
  const member = name === 'Valid' ? 'Validated' : name;
  if (name === 'OsName') return (o) => [(o as { OS?: { Name?: string } }).OS?.Name ?? ''];
  if (field.Unordered) return (o) => (o as Record<string, string[] | undefined>)[member] ?? [];
  return (o) => [read((o as Record<string, unknown>)[member])];
}

/** reader turns a member of an object into what can be compared. */
function reader(type: string): (v: unknown) => Comparable {
  switch (type) {
    case 'boolean':
      return (v) => v === true;
    case 'integer':
    case 'number':
      return (v) => (typeof v === 'number' ? v : 0);
    case 'IP Address':
      return (v) => addressOrder(String(v ?? '')) ?? '';
    case 'CIDR Address':
      return (v) => prefixOrder(String(v ?? '')) ?? '';
    case 'dateTime':
    case 'Date/Time string':
      return (v) => timeOrder(String(v ?? '')) ?? '';
  }
  return (v) => (typeof v === 'string' ? v : '');
}

function ofField(op: Operator, c: Condition, field: Field): Test {
  if (op === 'Re') {
    const re = goRegExp(c.text);
    if (field.Type === 'IP Address') return (v) => re.test(addressText(v as string));
    return (v) => re.test(String(v));
  }
  const args = argsOf(op, c.text).map((s) => parseFor(c.name, field, s));
  return comparing(op, args, (a, b) => order(a as Comparable, b as Comparable));
}

function ofAny(op: Operator, text: string): Test {
  if (op === 'Re') {
    const re = goRegExp(text);
    return (v) => re.test(goText(v));
  }
  return comparing(op, argsOf(op, text).map(scalar), compareAny);
}

function argsOf(op: Operator, text: string): string[] {
  const many = op === 'In' || op === 'Between' || op === 'Except';
  const args = (many ? text.split(',') : [text]).map((s) => s.trim());
  if (op !== 'In' && many && args.length !== 2) throw new Error(`${op} needs two values, separated by a comma`);
  return args;
}

type Compare = (a: unknown, b: unknown) => number | undefined;

function comparing(op: Operator, args: unknown[], compare: Compare): Test {
  const [low, high] = args;
  const one = (holds: (c: number) => boolean): Test => (v) => {
    const c = compare(v, low);
    return c !== undefined && holds(c);
  };
  const two = (holds: (c: number, d: number) => boolean): Test => (v) => {
    const c = compare(v, low);
    const d = compare(v, high);
    return c !== undefined && d !== undefined && holds(c, d);
  };
  switch (op) {
    case 'Lt':
      return one((c) => c < 0);
    case 'Lte':
      return one((c) => c <= 0);
    case 'Gt':
      return one((c) => c > 0);
    case 'Gte':
      return one((c) => c >= 0);
    case 'Between':
      return two((c, d) => c >= 0 && d <= 0);
    case 'Except':
      return two((c, d) => c < 0 || d > 0);
    case 'In':
      return (v) => args.some((a) => compare(v, a) === 0);
  }
  return one((c) => c === 0);
}

const order = (a: Comparable, b: Comparable): number => (a < b ? -1 : a > b ? 1 : 0);

function parseFor(name: string, field: Field, s: string): Comparable {
  switch (field.Type) {
    case 'boolean':
      if (s !== 'true' && s !== 'false') throw new Error(`${name} must be true or false`);
      return s === 'true';
    case 'integer':
      if (!/^[+-]?\d+$/.test(s)) throw new Error(`${name} must be a number`);
      return Number(s);
    case 'number':
      if (s === '' || Number.isNaN(Number(s))) throw new Error(`${name} must be a number`);
      return Number(s);
    case 'UUID string':
      if (s !== '' && !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(s)) throw new Error(`${name} must be a UUID`);
      return s.toLowerCase();
    case 'IP Address':
      return must(addressOrder(unmap(s)), `${name} must be an IP address`);
    case 'CIDR Address':
      return must(prefixOrder(s), `${name} must be a network such as 10.0.0.0/8`);
    case 'dateTime':
    case 'Date/Time string':
      return must(timeOrder(s), `${name} must be a time such as 2026-01-31T15:04:05Z`);
    case 'string':
      return s;
  }
  throw new Error(`${name} cannot be used in a filter here`);
}

function must(v: string | undefined, complaint: string): string {
  if (v === undefined) throw new Error(complaint);
  return v;
}

/** scalar reads a value for a param: a JSON scalar where it is one, else the text itself. */
export function scalar(s: string): Comparable {
  try {
    const v: unknown = JSON.parse(s);
    if (typeof v === 'string' || typeof v === 'number' || typeof v === 'boolean') return v;
  } catch {
    // a text then
  }
  return s;
}

/** compareAny orders two values of one type; undefined when their types differ. */
function compareAny(a: unknown, b: unknown): number | undefined {
  if (typeof a === 'string') return order(a, typeof b === 'string' ? b : goText(b)); // a text compared with what looks like a number
  if ((typeof a === 'number' || typeof a === 'boolean') && typeof a === typeof b) return order(a, b as Comparable);
  return undefined;
}

/** goText is a value as the server writes it before it holds an expression against it. */
function goText(v: unknown): string {
  if (v === null || v === undefined) return '<nil>';
  if (Array.isArray(v)) return `[${v.map(goText).join(' ')}]`;
  if (typeof v === 'object') {
    const keys = Object.keys(v).sort(order);
    return `map[${keys.map((k) => `${k}:${goText((v as Record<string, unknown>)[k])}`).join(' ')}]`;
  }
  if (typeof v !== 'number') return String(v);
  const small = v !== 0 && Math.abs(v) < 1e-4;
  return (small ? v.toExponential() : String(v)).replace(/e([+-])(\d)$/, 'e$10$2');
}

const unmap = (s: string): string => /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(s)?.[1] ?? s;

/** addressOrder is a text that orders as the address does: none, IPv4, IPv6. Undefined when it is no address. */
export function addressOrder(s: string): string | undefined {
  if (s === '') return '';
  if (!s.includes(':')) return fourOrder(s);
  const [address, zone = ''] = s.split('%');
  const words = sixWords(address!);
  return words && `6${words.map((w) => w.toString(16).padStart(4, '0')).join('')}%${zone}`;
}

function fourOrder(s: string): string | undefined {
  const parts = s.split('.');
  if (parts.length !== 4 || !parts.every((p) => /^(0|[1-9]\d{0,2})$/.test(p) && Number(p) < 256)) return undefined;
  return '4' + parts.map((p) => Number(p).toString(16).padStart(2, '0')).join('');
}

function sixWords(s: string): number[] | undefined {
  const four = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(s);
  const tail = four && fourOrder(four[2]!);
  if (four && !tail) return undefined;
  const text = four ? `${four[1]}${tail!.slice(1, 5)}:${tail!.slice(5)}` : s;
  const [head, rest, more] = text.split('::');
  if (more !== undefined) return undefined;
  const words = (t: string): string[] => (t === '' ? [] : t.split(':'));
  const a = words(head!);
  const b = rest === undefined ? [] : words(rest);
  const gap = 8 - a.length - b.length;
  if (rest === undefined ? gap !== 0 : gap < 1) return undefined;
  const all = [...a, ...Array<string>(gap).fill('0'), ...b];
  return all.every((w) => /^[0-9a-f]{1,4}$/i.test(w)) ? all.map((w) => parseInt(w, 16)) : undefined;
}

function addressText(key: string): string {
  if (key === '') return 'invalid IP';
  if (key[0] === '4') return key.slice(1).match(/../g)!.map((h) => parseInt(h, 16)).join('.');
  const [words, zone] = key.slice(1).split('%');
  if (/^0{20}ffff/.test(words!)) return `::ffff:${addressText('4' + words!.slice(24))}${zone ? '%' + zone : ''}`;
  const short = words!.match(/..../g)!.map((w) => parseInt(w, 16).toString(16)).join(':');
  const runs = [...short.matchAll(/(?<=^|:)0(:0)+(?=:|$)/g)].sort((a, b) => b[0].length - a[0].length);
  const run = runs[0];
  const text = run ? `${short.slice(0, run.index).replace(/:$/, '')}::${short.slice(run.index + run[0].length).replace(/^:/, '')}` : short;
  return zone ? `${text}%${zone}` : text;
}

function prefixOrder(s: string): string | undefined {
  if (s === '') return '';
  const [address, bits] = s.split('/');
  const key = addressOrder(address!);
  const n = Number(bits);
  const size = key?.[0] === '4' ? 32 : 128;
  if (!key || !/^\d+$/.test(bits ?? '') || n > size) return undefined;
  const binary = [...key.slice(1).replace('%', '')].map((h) => parseInt(h, 16).toString(2).padStart(4, '0')).join('');
  return `${key[0]}${binary.slice(0, n).padEnd(size, '0')}/${String(n).padStart(3, '0')}`;
}

function timeOrder(s: string): string | undefined {
  const m = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:[.,](\d+))?(Z|[+-]\d\d:\d\d)$/.exec(s);
  const at = m ? Date.parse(m[1]! + m[3]!) : NaN;
  if (Number.isNaN(at)) return undefined;
  return String(at / 1000 + 1e12).padStart(14, '0') + (m![2] ?? '').slice(0, 9).padEnd(9, '0');
}
