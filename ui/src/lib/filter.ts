import { own } from './json.ts';
import { type Access, compileCondition, type Condition, type Field, type Fields, type Operator, operators } from './match.ts';

// What a person types to find objects, and what becomes of it: a quick test of an object, the
// API's query, and the words of a drp command.
//
//   web rack4                  words: each is found in the name, key, address, description ...
//   Stage=prep  Stage!=prep    a field, a param or Meta.NAME, and its value
//   Stage=Ne(prep)             the API's operators, as it writes them
//   Name Re ^web               or as drp takes them
//   rack/unit>4  Name~^web     or in short
//   Description="two words"    quotes keep blanks and brackets

/** Language is what can be named in a filter of one kind. */
export type Language = { fields: Fields; params: readonly string[] };

export type Term = Condition & { from: number; to: number };
export type FilterError = { message: string; from: number; to: number };

/** Filter is what was read. All of its words and terms must hold. */
export type Filter = {
  words: string[];
  terms: Term[];
  error?: FilterError; // the first one; what is wrong is not among the terms
  unknown: string[]; // names that are neither a field nor a known param
};

const signs: [string, Operator][] = [['!=', 'Ne'], ['>=', 'Gte'], ['<=', 'Lte'], ['=', 'Eq'], ['>', 'Gt'], ['<', 'Lt'], ['~', 'Re']];

/** reserved are keys of a query that are no filters, so a param of that name cannot be asked for. */
const reserved = new Set(
  'force slim params decode aggregate compose plugin limit offset sort reverse token wait at'.split(' '),
);

const operatorOf = (word: string): Operator | undefined => operators.find((op) => op.toLowerCase() === word.toLowerCase());

export function parseFilter(text: string, language: Language): Filter {
  const filter: Filter = { words: [], terms: [], unknown: [] };
  for (let at = skip(text, 0); at < text.length; at = skip(text, at)) {
    try {
      at = readPart(text, at, language, filter);
    } catch (e) {
      const { message, from, to } = e as FilterError;
      filter.error ??= { message, from, to };
      at = Math.max(to, at + 1);
    }
  }
  if (filter.terms.length > 64) filter.error ??= { message: 'more than 64 conditions; use In(a,b) for many values', from: 0, to: text.length };
  return filter;
}

const fail = (message: string, from: number, to: number): never => {
  throw { message, from, to } satisfies FilterError;
};

const skip = (text: string, at: number): number => at + /^\s*/.exec(text.slice(at))![0].length;

/** readPart reads one word or term and yields where it ends. */
function readPart(text: string, from: number, language: Language, filter: Filter): number {
  if (isQuote(text[from])) {
    const [word, to] = readQuoted(text, from);
    if (word !== '') filter.words.push(word);
    return to;
  }
  const typed = /^[^\s=!<>~]*/.exec(text.slice(from))![0];
  let at = from + typed.length;
  const sign = signs.find(([s]) => text.startsWith(s, at));
  if (typed !== '' && sign) {
    const name = canonical(typed, language);
    const [op, value, to] = sign[0] === '=' ? readValue(text, at + 1) : [sign[1], ...readPlain(text, at + sign[0].length)] as const;
    return add(filter, language, { name, op, text: value, from, to });
  }
  const next = /^\s+([A-Za-z]+)(?=\s|\(|$)/.exec(text.slice(at));
  const op = next && operatorOf(next[1]!);
  if (typed !== '' && op && (known(canonical(typed, language), language) || next[1] === op)) {
    const [value, to] = readArguments(text, at + next[0].length, op);
    return add(filter, language, { name: canonical(typed, language), op, text: value, from, to });
  }
  at = from + /^\S+/.exec(text.slice(from))![0].length;
  filter.words.push(text.slice(from, at));
  return at;
}

function add(filter: Filter, language: Language, term: Term): number {
  if (reserved.has(term.name)) fail(`${term.name} means something else to the server and cannot be asked for`, term.from, term.to);
  try {
    compileCondition(term, language.fields, { key: () => '' });
  } catch (e) {
    fail((e as Error).message, term.from, term.to);
  }
  if (!known(term.name, language)) filter.unknown.push(term.name);
  filter.terms.push(term);
  return term.to;
}

/** canonical is the name as the server has it: fields may be typed in any case. */
function canonical(name: string, { fields, params }: Language): string {
  if (own(fields, name) || params.includes(name)) return name;
  const lower = name.toLowerCase();
  if (lower.startsWith('meta.')) return 'Meta.' + name.slice('meta.'.length);
  return Object.keys(fields).find((f) => f.toLowerCase() === lower) ?? name;
}

const known = (name: string, { fields, params }: Language): boolean =>
  Object.hasOwn(fields, name) || name.startsWith('Meta.') || params.includes(name);

/** readValue reads what stands behind a =, which may be OP(...). */
function readValue(text: string, at: number): [Operator, string, number] {
  const op = /^([A-Za-z]+)\(/.exec(text.slice(at));
  const known = op && operators.find((o) => o === op[1] || o.toLowerCase() === op[1]);
  return known ? [known, ...readBrackets(text, at + op[1]!.length, known)] : ['Eq', ...readPlain(text, at)];
}

/** readArguments reads what stands behind NAME OP. */
function readArguments(text: string, from: number, op: Operator): [string, number] {
  const at = skip(text, from);
  if (at === text.length) fail(`${op} needs a value`, from - op.length, from);
  if (at === from) return readBrackets(text, at, op);
  const [first, to] = readPlain(text, at);
  if ((op !== 'Between' && op !== 'Except') || first.includes(',')) return [first, to];
  const [second, end] = readPlain(text, skip(text, to));
  return [`${first},${second}`, end];
}

function readPlain(text: string, at: number): [string, number] {
  if (isQuote(text[at])) return readQuoted(text, at);
  const value = /^\S*/.exec(text.slice(at))![0];
  return [value, at + value.length];
}

const isQuote = (c: string | undefined): boolean => c === '"' || c === "'";

function readQuoted(text: string, from: number): [string, number] {
  const quote = text[from];
  let out = '';
  for (let at = from + 1; at < text.length; at++) {
    if (text[at] === quote) return [out, at + 1];
    if (text[at] === '\\' && (text[at + 1] === quote || text[at + 1] === '\\')) at++;
    out += text[at];
  }
  return fail(`no closing ${quote}`, from, text.length);
}

/** readBrackets reads (…), in which brackets must come in pairs. */
function readBrackets(text: string, from: number, op: Operator): [string, number] {
  if (isQuote(text[from + 1])) {
    const [value, to] = readQuoted(text, from + 1);
    if (text[to] === ')') return [value, to + 1];
  }
  let depth = 0;
  for (let at = from; at < text.length; at++) {
    if (text[at] === '\\' && op === 'Re') at++;
    else if (text[at] === '(') depth++;
    else if (text[at] === ')' && --depth === 0) return [text.slice(from + 1, at), at + 1];
  }
  return fail('no closing )', from, text.length);
}

/** wordFields are the members in which words are looked for, beside the key. */
const wordFields = ['Name', 'Id', 'Description', 'Address', 'Stage', 'Workflow', 'BootEnv', 'Pool', 'Profiles', 'OS', 'HardwareAddrs', 'Addr', 'Token'] as const;

const haystacks = new WeakMap<object, string>();

/** haystack is all that words are looked for in. Objects are never changed, so it is put together once. */
function haystack<T extends object>(o: T, key: string): string {
  let text = haystacks.get(o);
  if (text === undefined) {
    const parts = wordFields.flatMap((f) => (o as Partial<Record<string, string | string[]>>)[f] ?? []);
    text = [...parts, key].join('\n').toLowerCase();
    haystacks.set(o, text);
  }
  return text;
}

/** compileFilter makes a test of objects out of a filter that has no error. */
export function compileFilter<T extends object>(filter: Filter, fields: Fields, access: Access<T>): (o: T) => boolean {
  const words = filter.words.map((w) => w.toLowerCase());
  const tests = filter.terms.map((t) => compileCondition(t, fields, access));
  return (o) => {
    for (const test of tests) if (!test(o)) return false;
    if (words.length === 0) return true;
    const text = haystack(o, access.key(o));
    return words.every((w) => text.includes(w));
  };
}

/** paramsOf are the params that a filter asks about: their values must be there before it can be answered. */
export const paramsOf = (filter: Filter, { fields }: Language): string[] => [
  ...new Set(filter.terms.map((t) => t.name).filter((n) => !Object.hasOwn(fields, n) && !n.startsWith('Meta.'))),
];

/** toQuery is the filter in the API's words; undefined when it has words, which the API does not know. */
export function toQuery(filter: Filter): [string, string][] | undefined {
  return filter.words.length > 0 ? undefined : filter.terms.map((t) => [t.name, valueOf(t)]);
}

function valueOf({ op, text }: Condition): string {
  const plain = op === 'Eq' && !/^\w+\(.*\)$/s.test(text);
  return plain ? text : `${op}(${text})`;
}

/** toCommand is the command that lists the same objects; undefined as with toQuery. */
export function toCommand(kind: string, filter: Filter): string | undefined {
  const query = toQuery(filter);
  return query && ['drp', kind, 'list', ...query.map(([name, value]) => shellQuote(`${name}=${value}`))].join(' ');
}

export const shellQuote = (s: string): string => (/^[\w@%+=:,./-]+$/.test(s) ? s : `'${s.replaceAll("'", `'\\''`)}'`);

/** termText is how a condition is typed, quoted where it must be. */
export function termText({ name, op, text }: Condition): string {
  const special = text === '' ? op !== 'Eq' : /[\s"'()\\]/.test(text);
  const value = special ? `"${text.replace(/["\\]/g, '\\$&')}"` : text;
  return op === 'Eq' ? `${name}=${value}` : `${name}=${op}(${value})`;
}

/** withTerm adds a condition to what was typed, in the place of one of the same name and operator. */
export function withTerm(text: string, condition: Condition, language: Language): string {
  const old = parseFilter(text, language).terms.find((t) => t.name === condition.name && t.op === condition.op);
  const rest = old ? text.slice(0, old.from) + text.slice(old.to) : text;
  return [rest.replace(/\s+/g, ' ').trim(), termText(condition)].filter(Boolean).join(' ');
}

export type Suggestion = { text: string; note: string };
export type Completion = { from: number; to: number; suggestions: Suggestion[] };

const meanings: Record<Operator, string> = {
  Eq: 'equal', Ne: 'not equal', Lt: 'less', Lte: 'less or equal', Gt: 'greater', Gte: 'greater or equal',
  Between: 'from, to', Except: 'outside from, to', In: 'one of', Nin: 'none of', Re: 'matches the expression',
};

/** complete offers what may stand at the cursor. Present yields the values there are for a name. */
export function complete(text: string, cursor: number, language: Language, present: (name: string) => readonly string[]): Completion {
  const typed = /(?:"[^"]*"?|'[^']*'?|[^\s"'])*$/.exec(text.slice(0, cursor))![0];
  const from = cursor - typed.length;
  const value = /^([^\s=!<>~]+)(!=|>=|<=|=|>|<|~)(?:([A-Za-z]+)\()?["']?(.*)$/s.exec(typed);
  if (value) return completeValue(value, from, cursor, language, present);
  const before = /(\S+)\s+$/.exec(text.slice(0, from));
  if (before && known(canonical(before[1]!, language), language)) {
    const list = operators.filter((op) => op.toLowerCase().startsWith(typed.toLowerCase()));
    if (typed !== '' && list.length > 0) return { from, to: cursor, suggestions: list.map((op) => ({ text: op + ' ', note: meanings[op] })) };
  }
  if (typed === '') return { from, to: cursor, suggestions: [] };
  return { from, to: cursor, suggestions: names(typed, language) };
}

function names(typed: string, { fields, params }: Language): Suggestion[] {
  const fieldNames = Object.keys(fields).sort();
  const all = [...fieldNames.map((f) => ({ text: f + '=', note: typeNote(fields[f]!) })), ...params.map((p) => ({ text: p + '=', note: 'param' }))];
  return best(all, typed.toLowerCase(), 12);
}

const typeNote = (f: Field): string => (f.Unordered ? 'list' : f.Type.replace(/ (string|Address)$/, ''));

function completeValue(
  [typed, name, sign, op, part]: RegExpExecArray, from: number, to: number, language: Language, present: (name: string) => readonly string[],
): Completion {
  const field = canonical(name!, language);
  const open = op ? `${op}(` : '';
  const earlier = op && /^(N?[iI]n|Between|Except)$/.test(op) ? part!.slice(0, part!.lastIndexOf(',') + 1) : '';
  const last = part!.slice(earlier.length).toLowerCase();
  const quoted = (v: string): string => (op || !/[\s"'()]/.test(v) ? v : `"${v.replace(/["\\]/g, '\\$&')}"`);
  const values = best(present(field).map((v) => ({ text: v, note: '' })), last, 10)
    .map(({ text, note }) => ({ text: `${field}${sign}${open}${earlier}${quoted(text)}${op ? (/^N?in$/i.test(op) ? '' : ')') : ''}`, note }));
  const ops = sign === '=' && !op ? operators.filter((o) => o !== 'Eq' && o.toLowerCase().startsWith(last)) : [];
  const suggestions = [...values, ...ops.map((o) => ({ text: `${field}=${o}(`, note: meanings[o] }))];
  return { from, to, suggestions: suggestions.filter((s) => s.text !== typed) };
}

/** best are those that start with what was typed, then those that contain it. */
function best(all: Suggestion[], typed: string, most: number): Suggestion[] {
  const starts = all.filter((s) => s.text.toLowerCase().startsWith(typed));
  const holds = all.filter((s) => !s.text.toLowerCase().startsWith(typed) && s.text.toLowerCase().includes(typed));
  return [...starts, ...holds].slice(0, most);
}
