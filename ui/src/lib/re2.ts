// The server's regular expressions are RE2's, the browser's are not: what stands here reads the
// former and gives the latter, or says what the server would not understand.
import { linear, type Matcher } from './linear.ts';

const posix: Record<string, string> = {
  alnum: '0-9A-Za-z', alpha: 'A-Za-z', ascii: '\\x00-\\x7f', blank: '\\t ', cntrl: '\\x00-\\x1f\\x7f', digit: '0-9', graph: '!-~',
  lower: 'a-z', print: ' -~', punct: '!-\\/:-@\\[-`\\{-~', space: '\\t\\n\\v\\f\\r ', upper: 'A-Z', word: '0-9A-Za-z_', xdigit: '0-9A-Fa-f',
};

const blank = '\\t\\n\\f\\r '; // what \s is to RE2

/** goRegExp compiles an expression as the server reads it; the error says what is wrong with it. */
export function goRegExp(expression: string): Matcher {
  const start = /^\(\?([a-zA-Z]+)\)/.exec(expression);
  const flags = start?.[1] ?? '';
  if (/[^ims]/.test(flags)) throw new Error(`flags (?${flags}) cannot be used here`);
  const source = translate(start ? expression.slice(start[0].length) : expression);
  try {
    new RegExp(source, 'u' + [...new Set(flags)].join('')); // says what is wrong
  } catch (e) {
    throw new Error((e as Error).message.replace(/^Invalid regular expression: \/.*\/\w*: /s, '').toLowerCase());
  }
  return linear(source, flags);
}

function translate(s: string): string {
  let out = '';
  for (let i = 0; i < s.length; ) {
    const [text, n] = piece(s, i);
    out += text;
    i += n;
  }
  return out;
}

/** piece is the next bit of an expression in the browser's words, and its length in the server's. */
function piece(s: string, i: number): [string, number] {
  const rest = s.slice(i);
  switch (rest[0]) {
    case '\\':
      return escape(rest, false);
    case '[':
      return charClass(rest);
    case '(':
      return group(rest);
    case '{': {
      const repeat = /^\{(\d+)(?:,(\d*))?\}/.exec(rest);
      if (!repeat) return ['\\{', 1];
      if (Number(repeat[1]) > 1000 || Number(repeat[2] ?? 0) > 1000) throw new Error('a repetition goes to 1000 at most');
      return [repeat[0], repeat[0].length];
    }
    case '}':
    case ']':
      return ['\\' + rest[0], 1];
  }
  return [rest[0]!, 1];
}

function group(rest: string): [string, number] {
  if (/^\(\?(=|!|<=|<!)/.test(rest)) throw new Error('the server knows no look-ahead and no look-behind');
  const named = /^\(\?P?<(\w+)>/.exec(rest);
  if (named) return [`(?<${named[1]}>`, named[0].length];
  const flags = /^\(\?[ims]*(-[ims]+)?:/.exec(rest);
  if (flags) return [flags[0], flags[0].length];
  if (rest.startsWith('(?')) throw new Error('flags stand at the start of an expression');
  return ['(', 1];
}

function escape(rest: string, inClass: boolean): [string, number] {
  const c = rest[1];
  if (c === undefined) throw new Error('a \\ at the end');
  if (c === 's') return [inClass ? blank : `[${blank}]`, 2];
  if (c === 'S' && !inClass) return [`[^${blank}]`, 2];
  if (/[dDwWtnrfv]/.test(c) || (/[bB]/.test(c) && !inClass)) return ['\\' + c, 2];
  if (c === 'a') return ['\\x07', 2];
  if (c === 'A' && !inClass) return ['(?<![^])', 2];
  if (c === 'z' && !inClass) return ['(?![^])', 2];
  if (c === 'Q' && !inClass) return quoted(rest);
  const hex = /^\\x(?:\{([0-9a-fA-F]{1,6})\}|([0-9a-fA-F]{2}))/.exec(rest);
  if (hex) return [`\\u{${hex[1] ?? hex[2]}}`, hex[0].length];
  const property = /^\\([pP])(?:\{(\^?)(\w+)\}|(\w))/.exec(rest);
  if (property) return [unicode(property), property[0].length];
  if (/[0-9]/.test(c)) throw new Error('the server knows no back-references');
  if (/[a-zA-Z]/.test(c)) throw new Error(`the server knows no \\${c}`);
  return [literal(c), 2];
}

function quoted(rest: string): [string, number] {
  const end = rest.indexOf('\\E');
  const text = rest.slice(2, end < 0 ? undefined : end);
  return [[...text].map(literal).join(''), end < 0 ? rest.length : end + 2];
}

function unicode([, sign, not, long, short]: RegExpExecArray): string {
  const negative = (sign === 'P') !== (not === '^');
  const name = long ?? short!;
  return `\\${negative ? 'P' : 'p'}{${name.length > 2 ? 'Script=' : ''}${name}}`;
}

const literal = (c: string): string => (/[\w\s]|[^\x00-\x7f]/.test(c) ? c : `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`);

function charClass(rest: string): [string, number] {
  let out = '[';
  let i = 1;
  if (rest[i] === '^') {
    out += '^';
    i++;
  }
  for (let first = true; ; first = false) {
    const c = rest[i];
    if (c === undefined) throw new Error('a [ without its ]');
    if (c === ']' && !first) return [out + ']', i + 1];
    const named = /^\[:(\^?)(\w+):\]/.exec(rest.slice(i));
    if (named) {
      if (named[1] || !posix[named[2]!]) throw new Error(`${named[0]} cannot be used here`);
      out += posix[named[2]!];
      i += named[0].length;
    } else if (c === '\\') {
      const [text, n] = escape(rest.slice(i), true);
      out += text;
      i += n;
    } else {
      out += c === '[' || c === ']' ? '\\' + c : c;
      i++;
    }
  }
}
