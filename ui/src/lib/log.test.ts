import Anser from 'anser';
import { describe, expect, test } from 'vitest';
import { createLog, find, highlight, matchesOf, matchFrom, nextMatch, stampLength, type Log, type LogOptions, type Style } from './log';
import { chance } from './random.testing';

const encoder = new TextEncoder();

function logOf(text: string | Uint8Array, options?: LogOptions): Log {
  const log = createLog(options);
  log.append(typeof text === 'string' ? encoder.encode(text) : text);
  return log;
}

function linesOf(log: Log) {
  return Array.from({ length: log.last() - log.first() + 1 }, (_, i) => log.line(log.first() + i));
}

const textsOf = (text: string, options?: LogOptions) => linesOf(logOf(text, options)).map((l) => l.text);

/** Whole numbers below a limit, the same ones for the same seed. */
function random(seed: number) {
  const r = chance(seed);
  return (n: number) => Math.floor(r() * n);
}

const scraps = [
  'a', 'bc', ' ', 'ü', '漢', '😀', '\n', '\n', '\r\n', '\r', '\b', '\t', '\x1b[31m', '\x1b[1;42m', '\x1b[0m', '\x1b[m', '\x1b[38;5;208m',
  '\x1b[48;2;1;2;3m', '\x1b[39m', '\x1b[22m', '\x1b[K', '\x1b[2K', '\x1b[3A', '\x1b]0;title\x07', '\x1b(B', '\x1b[7m', '\x1b', '\x1b[', '\x00',
];

function noise(next: (n: number) => number, length: number): Uint8Array {
  const parts = Array.from({ length }, () => (next(12) === 0 ? Uint8Array.of(128 + next(128)) : encoder.encode(scraps[next(scraps.length)]!)));
  return Uint8Array.from(parts.flatMap((p) => [...p]));
}

describe('whatever the network does', () => {
  test('any chunking gives the same lines', () => {
    for (let seed = 1; seed <= 200; seed++) {
      const next = random(seed);
      const bytes = noise(next, 1 + next(120));
      const pieces = createLog();
      for (let at = 0; at < bytes.length; ) {
        const n = 1 + next(7);
        pieces.append(bytes.subarray(at, at + n));
        at += n;
      }
      expect(linesOf(pieces), `seed ${seed}`).toEqual(linesOf(logOf(bytes)));
      expect(pieces.size()).toBe(bytes.length);
    }
  });

  test('lines are those of the text, and show no control character but tabs', () => {
    for (let seed = 1; seed <= 100; seed++) {
      const bytes = noise(random(seed), 80);
      const lines = linesOf(logOf(bytes));
      const text = new TextDecoder().decode(bytes);
      expect(lines.length, `seed ${seed}`).toBe(text.split('\n').length - (text.endsWith('\n') || text === '' ? 1 : 0));
      for (const line of lines) {
        expect(line.text).toBe(line.runs.map((r) => r.text).join(''));
        expect(logOf(bytes).text(line.number)).toBe(line.text);
        expect(line.text).not.toMatch(/[\x00-\x08\x0a-\x1f\x7f]/);
      }
    }
  });

  test('lines longer than a block of bytes stay whole', () => {
    const long = 'x'.repeat(200_000);
    expect(textsOf(`before\n${long}\nafter`, { longest: 1 << 20 })).toEqual(['before', long, 'after']);
  });
});

describe('colours', () => {
  // Each character with its style, as Anser tells it for the whole text at once.
  function whole(text: string) {
    const seen: [string, string | null, string | null][] = [];
    for (const e of new Anser().ansiToJson(`\x1b[10m${text}`)) for (const c of e.content) if (c !== '\n') seen.push([c, e.fg, e.bg]);
    return seen;
  }

  test('go on across lines as they do in one text', () => {
    const codes = ['\x1b[31m', '\x1b[44m', '\x1b[0m', '\x1b[39m', '\x1b[49m', '\x1b[38;5;99m', '\x1b[97m', '\x1b[m'];
    for (let seed = 1; seed <= 200; seed++) {
      const next = random(seed);
      const text = Array.from({ length: 60 }, () => ['\n', 'ab', codes[next(codes.length)]!][next(3)]!).join('');
      const mine = linesOf(logOf(text)).flatMap((l) => l.runs.flatMap((r) => [...r.text].map((c) => [c, r.style.fg ?? null, r.style.bg ?? null])));
      expect(mine, `seed ${seed}`).toEqual(whole(text));
    }
  });

  const styleOf = (text: string): Style => logOf(text).line(1).runs[0]!.style;

  test('decorations', () => {
    expect(styleOf('\x1b[1;3;4mx')).toEqual({ bold: true, italic: true, underline: true });
    expect(styleOf('\x1b[2;9mx')).toEqual({ dim: true, strike: true });
    expect(logOf('\x1b[1ma\x1b[22mb').line(1).runs).toEqual([{ text: 'a', style: { bold: true } }, { text: 'b', style: {} }]);
    expect(logOf('\x1b[1m\na').line(2).runs).toEqual([{ text: 'a', style: { bold: true } }]);
  });

  test('reverse swaps them', () => {
    expect(styleOf('\x1b[7;31mx').bg).toBe(styleOf('\x1b[31mx').fg);
  });
});

describe('as on a terminal', () => {
  test.each([
    ['10%\r20%\r100%\n', '100%'],
    ['loading…\rok\n', 'okading…'],
    ['loading…\r\x1b[Kok\n', 'ok'],
    ['loading…\x1b[2K\rok\n', 'ok'],
    ['done\r\n', 'done'],
    ['50%\r', '50%'],
    ['|\b/\b-\bx\n', 'x'],
    ['a\tb', 'a\tb'],
    ['\x1b(B\x1b[mplain', 'plain'],
    ['\x1b]8;;https://example.com\x1b\\link\x1b]8;;\x1b\\', 'link'],
  ])('%j reads %j', (raw, text) => expect(textsOf(raw)).toEqual([text]));
});

describe('much', () => {
  test('a very long line shows its start and says how much is left', () => {
    const line = logOf('abcdefghij', { longest: 4 }).line(1);
    expect([line.text, line.left]).toEqual(['abcd', 6]);
  });

  test('a very long progress bar shows its end', () => {
    const bar = Array.from({ length: 1000 }, (_, i) => `${i}%`).join('\r');
    expect(textsOf(bar, { longest: 100 })).toEqual(['999%']);
  });

  test('of a log larger than is kept the oldest lines go, and numbers and colours stay', () => {
    const all = createLog();
    const some = createLog({ keep: 100_000 });
    const next = random(7);
    for (let i = 1; i <= 30_000; i++) {
      const bytes = encoder.encode(`${['\x1b[32m', '', '\x1b[0m', ''][next(4)]}line ${i}\n`);
      all.append(bytes);
      some.append(bytes);
    }
    expect(some.first()).toBeGreaterThan(1);
    expect([some.last(), some.size()]).toEqual([all.last(), all.size()]);
    for (let n = some.first(); n <= some.last(); n += 97) expect(some.line(n)).toEqual(all.line(n));
    expect(some.line(some.first())).toEqual(all.line(some.first()));
  });
});

describe('search', () => {
  test('finds what is to be read, not what colours it', () => {
    const log = logOf('an \x1b[31mErr\x1b[1mor\x1b[0m: error\nnone\nERROR\n');
    expect(find(log, 'error', 1, 3)).toEqual([
      { line: 1, start: 3, end: 8 },
      { line: 1, start: 10, end: 15 },
      { line: 3, start: 0, end: 5 },
    ]);
    expect(find(log, 'ERROR', 1, 3).map((m) => m.line)).toEqual([3]);
    expect(find(log, 'm', 1, 3)).toEqual([]);
  });

  test('parts of the log give together what the whole gives', () => {
    const log = logOf(Array.from({ length: 200 }, (_, i) => `line ${i % 7}`).join('\n'));
    const parts = [1, 51, 101, 151].flatMap((n) => find(log, '3', n, n + 49));
    expect(parts).toEqual(find(log, '3', 1, 200));
  });

  test('each line has its own matches', () => {
    const log = logOf('aa\nb\na\n');
    const matches = find(log, 'a', 1, 3);
    for (let line = 0; line < 5; line++) expect(matchesOf(matches, line)).toEqual(matches.filter((m) => m.line === line));
  });

  test('next and previous go round', () => {
    const matches = find(logOf('a\nb\na\na'), 'a', 1, 4);
    expect([matchFrom(matches, 2), matchFrom(matches, 9), matchFrom([], 1)]).toEqual([1, 0, -1]);
    expect([nextMatch(matches, 2, 1), nextMatch(matches, 0, -1), nextMatch([], 0, 1)]).toEqual([0, 2, -1]);
  });

  test('highlighting changes no text and marks the ranges', () => {
    const log = logOf('one \x1b[31mtwo\x1b[0m three two\n');
    const matches = find(log, 'o', 1, 1);
    for (let cut = 0; cut < 14; cut++) {
      const pieces = highlight(log.line(1).runs, matches, cut);
      expect(pieces.map((p) => p.text).join('')).toBe(log.text(1));
      expect(pieces.filter((p) => p.range !== undefined).map((p) => p.text)).toEqual(matches.map(() => 'o'));
      const ends = pieces.reduce<number[]>((sum, p) => [...sum, (sum.at(-1) ?? 0) + p.text.length], []);
      if (cut > 0) expect(ends).toContain(cut);
    }
  });
});

test.each([
  ['2026-11-21T21:40:17.123Z runner on a begins', 24],
  ['[2026-11-21 21:40:17] x', 21],
  ['2026/11/21 21:40:17 x', 19],
  ['21:40 x', 0],
  ['no 2026-11-21T21:40:17Z', 0],
])('the time in %j', (text, length) => expect(stampLength(text)).toBe(length));
