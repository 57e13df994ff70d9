// The log of a job as a model: bytes in, lines out. Bytes are kept as they came and made into text
// only for the lines somebody looks at, so that a log of 100 MB costs little more than its bytes,
// and no character is torn wherever the network has cut it. Nothing here makes HTML.
import Anser from 'anser';

/** How a piece of text looks. Colours are "r, g, b"; the page makes them readable in its theme. */
export interface Style {
  fg?: string;
  bg?: string;
  bold?: boolean;
  dim?: boolean;
  italic?: boolean;
  underline?: boolean;
  strike?: boolean;
}

export interface Run {
  text: string;
  style: Style;
}

export interface LogLine {
  number: number; // from 1
  text: string; // of all runs
  runs: Run[];
  left: number; // bytes of a very long line that are not shown
}

export interface Log {
  append(bytes: Uint8Array): void;
  /** Bytes so far, the dropped ones included: where to go on. */
  size(): number;
  /** The lowest number of a line that is still kept, and the highest there is (0: none). */
  first(): number;
  last(): number;
  line(number: number): LogLine;
  text(number: number): string;
}

export interface LogOptions {
  keep?: number; // bytes; of longer logs the oldest lines are dropped
  longest?: number; // bytes of one line that are shown
}

const blockBits = 16;
const blockSize = 1 << blockBits;
const newline = 10;
const escape = 27;
const carriageReturn = 13;

export function createLog({ keep = 128 << 20, longest = 16 << 10 }: LogOptions = {}): Log {
  const blocks: (Uint8Array | undefined)[] = [];
  const decoder = new TextDecoder();
  let size = 0;
  let starts = [0]; // where the lines begin that are kept, and where the next one will
  let dropped = 0; // lines before those
  let escaped = false; // the line being received has an escape sequence
  // Styles go on across lines: the numbers of lines at whose start the style changes, and to what.
  let marks: number[] = [];
  let carried: Carried[] = [];

  function append(bytes: Uint8Array) {
    const base = size;
    store(bytes);
    let nextEscape = bytes.indexOf(escape);
    for (let at = 0; at < bytes.length; ) {
      const end = bytes.indexOf(newline, at);
      const stop = end < 0 ? bytes.length : end;
      if (nextEscape >= 0 && nextEscape < at) nextEscape = bytes.indexOf(escape, at);
      if (nextEscape >= 0 && nextEscape < stop) escaped = true;
      if (end < 0) break;
      endLine(base + end + 1);
      at = end + 1;
    }
    if (size - starts[0]! > keep + blockSize) drop();
  }

  function store(bytes: Uint8Array) {
    for (let at = 0; at < bytes.length; ) {
      const offset = size & (blockSize - 1);
      const block = (blocks[size >> blockBits] ??= new Uint8Array(blockSize));
      const part = bytes.subarray(at, at + blockSize - offset);
      block.set(part, offset);
      at += part.length;
      size += part.length;
    }
  }

  function endLine(next: number) {
    if (escaped) {
      const before = styleAt(starts.length - 1 + dropped);
      const after = carry(before, decoder.decode(slice(starts.at(-1)!, next)));
      if (!same(before, after)) {
        marks.push(starts.length + dropped);
        carried.push(after);
      }
      escaped = false;
    }
    starts.push(next);
  }

  function drop() {
    const from = size - keep;
    const n = Math.min(upper(starts, from), starts.length - 1);
    starts = starts.slice(n);
    dropped += n;
    const known = upper(marks, dropped) - 1;
    if (known > 0) {
      marks = marks.slice(known);
      carried = carried.slice(known);
    }
    for (let i = (starts[0]! >> blockBits) - 1; i >= 0 && blocks[i]; i--) blocks[i] = undefined;
  }

  function slice(from: number, to: number): Uint8Array {
    const first = from >> blockBits;
    const offset = from & (blockSize - 1);
    if (offset + to - from <= blockSize) return blocks[first]?.subarray(offset, offset + to - from) ?? new Uint8Array();
    const whole = new Uint8Array(to - from);
    for (let at = from; at < to; ) {
      const within = at & (blockSize - 1);
      const part = blocks[at >> blockBits]!.subarray(within, Math.min(blockSize, within + to - at));
      whole.set(part, at - from);
      at += part.length;
    }
    return whole;
  }

  function styleAt(index: number): Carried {
    return carried[upper(marks, index) - 1] ?? plain;
  }

  function bounds(number: number) {
    const i = number - 1 - dropped;
    const start = starts[i];
    if (start === undefined) return { start: 0, end: 0, left: 0 };
    let end = i + 1 < starts.length ? starts[i + 1]! - 1 : size;
    while (end > start && byteAt(end - 1) === carriageReturn) end--;
    const left = Math.max(0, end - start - longest);
    return { start, end, left };
  }

  const byteAt = (at: number) => blocks[at >> blockBits]![at & (blockSize - 1)];

  /** The shown part of a line: its start, or of a progress bar its end. */
  function shown(number: number): { raw: string; left: number } {
    const { start, end, left } = bounds(number);
    if (left === 0) return { raw: decoder.decode(slice(start, end)), left };
    const tail = slice(end - longest, end);
    const back = tail.indexOf(carriageReturn);
    return back >= 0
      ? { raw: decoder.decode(tail.subarray(back)), left: 0 }
      : { raw: decoder.decode(slice(start, start + longest)), left };
  }

  function line(number: number): LogLine {
    const { raw, left } = shown(number);
    const runs = runsOf(raw, styleAt(number - 1));
    return { number, text: runs.map((r) => r.text).join(''), runs, left };
  }

  function text(number: number): string {
    const { raw } = shown(number);
    const bare = raw.includes('\x1b') ? raw.replace(codes, '') : raw;
    return special.test(bare) ? runsOf(raw, plain).map((r) => r.text).join('') : bare;
  }

  return {
    append,
    size: () => size,
    first: () => dropped + 1,
    last: () => dropped + starts.length - (starts.at(-1)! === size ? 1 : 0),
    line,
    text,
  };
}

/** How many of the sorted values are not above a limit. */
function upper(sorted: readonly number[], limit: number): number;
function upper<T>(sorted: readonly T[], limit: number, of: (item: T) => number): number;
function upper<T>(sorted: readonly T[], limit: number, of = (item: T) => item as number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (of(sorted[middle]!) <= limit) low = middle + 1;
    else high = middle;
  }
  return low;
}

// The fields of Anser that say how the text that follows looks.
interface Carried {
  fg: string | null;
  bg: string | null;
  decorations: string[];
}

const plain: Carried = { fg: null, bg: null, decorations: [] };

function same(a: Carried, b: Carried): boolean {
  return a === b || (a.fg === b.fg && a.bg === b.bg && a.decorations.join() === b.decorations.join());
}

const codes = /\x1b\[[\d;]*m/g;
const resets = /\x1b\[0*m$/;

/** The style at the end of a line that begins with one. */
function carry(before: Carried, raw: string): Carried {
  const all = raw.match(codes);
  if (!all) return before;
  if (resets.test(all.at(-1)!)) return plain;
  const reader = readerFrom(before);
  reader.ansiToJson(all.join(''));
  return { fg: reader.fg, bg: reader.bg, decorations: [...new Set(reader.decorations)] };
}

function readerFrom(style: Carried): Anser & Carried {
  return Object.assign(new Anser(), { ...style, decorations: [...style.decorations] });
}

const special = /[\x00-\x08\x0b-\x1f\x7f]/;
const eraseRest = '\x01';
const eraseLine = '\x02';

/** What a terminal does beside colours, brought down to what write() knows. */
function simplify(raw: string): string {
  return raw
    .replace(/[\x00-\x07\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f]/g, (c) => (c === '\x07' ? c : ''))
    .replace(/\x1b\][^\x07\x1b]*(?:\x07|\x1b\\|$)/g, '') // titles and links
    .replace(/\x07/g, '')
    .replace(/\x1b\[0?K/g, eraseRest)
    .replace(/\x1b\[2K/g, eraseLine)
    .replace(/\x1b\[[\x20-\x3f]*[\x40-\x6c\x6e-\x7e]/g, '') // all other sequences but colours
    .replace(/\x1b\[[\x20-\x3f]*$/g, '') // one that has not come whole
    .replace(/\x1b[\x20-\x2f]*[\x30-\x5a\x5c-\x7e]/g, '') // character sets and such
    .replace(/\x1b(?!\[)/g, '');
}

function runsOf(raw: string, start: Carried): Run[] {
  if (!special.test(raw)) return raw === '' ? [] : [{ text: raw, style: styleOf(start.fg, start.bg, start.decorations) }];
  const text = simplify(raw);
  const reader = readerFrom(start);
  // The first entry of Anser has no style of its own: an empty sequence makes it one that has.
  const entries = reader.ansiToJson(`\x1b[${String(neutral)}m${text}`);
  const runs = entries
    .filter((e) => e.content !== '')
    .map((e) => ({ text: e.content, style: styleOf(e.fg, e.bg, e.decorations) }));
  return /[\r\b\x01\x02]/.test(text) ? write(runs) : merge(runs);
}

// A code that means nothing: the style before it goes on.
const neutral = 10;

function styleOf(fg: string | null, bg: string | null, decorations: readonly string[]): Style {
  const style: Style = {};
  if (fg) style.fg = fg;
  if (bg) style.bg = bg;
  if (decorations.includes('bold')) style.bold = true;
  if (decorations.includes('dim') || decorations.includes('hidden')) style.dim = true;
  if (decorations.includes('italic')) style.italic = true;
  if (decorations.includes('underline')) style.underline = true;
  if (decorations.includes('strikethrough')) style.strike = true;
  return style;
}

/** Writes as a terminal does: a carriage return leads to the start of the line, and what is there is written over. */
function write(runs: readonly Run[]): Run[] {
  let cells: Run[] = [];
  let column = 0;
  for (const run of runs) {
    for (const c of run.text) {
      if (c === '\r') column = 0;
      else if (c === '\b') column = Math.max(0, column - 1);
      else if (c === eraseRest) cells = cells.slice(0, column);
      else if (c === eraseLine) cells = [];
      else {
        while (cells.length < column) cells.push({ text: ' ', style: {} });
        cells[column++] = { text: c, style: run.style };
      }
    }
  }
  return merge(cells);
}

function merge(runs: readonly Run[]): Run[] {
  const merged: Run[] = [];
  for (const run of runs) {
    const last = merged.at(-1);
    if (last && equal(last.style, run.style)) last.text += run.text;
    else merged.push({ ...run });
  }
  return merged;
}

function equal(a: Style, b: Style): boolean {
  return (
    a === b ||
    (a.fg === b.fg &&
      a.bg === b.bg &&
      a.bold === b.bold &&
      a.dim === b.dim &&
      a.italic === b.italic &&
      a.underline === b.underline &&
      a.strike === b.strike)
  );
}

export interface Match {
  line: number;
  start: number; // in the line's text
  end: number;
}

/** Where a text stands in the lines from first to last; upper and lower case are the same unless the query has an upper one. */
export function find(log: Log, query: string, first: number, last: number): Match[] {
  const found: Match[] = [];
  if (query === '') return found;
  const exact = query !== query.toLowerCase();
  const wanted = exact ? query : fold(query);
  for (let line = Math.max(first, log.first()); line <= last; line++) {
    const text = exact ? log.text(line) : fold(log.text(line));
    for (let at = text.indexOf(wanted); at >= 0; at = text.indexOf(wanted, at + wanted.length)) {
      found.push({ line, start: at, end: at + wanted.length });
    }
  }
  return found;
}

/** Lower case where that keeps the length, so that places in it are places in the text. */
function fold(text: string): string {
  const lower = text.toLowerCase();
  return lower.length === text.length ? lower : text.replace(/[A-Z]/g, (c) => c.toLowerCase());
}

/** The match that follows a line (or precedes it), round the end: its index, -1 if there is none. */
export function nextMatch(matches: readonly Match[], current: number, step: 1 | -1): number {
  return matches.length === 0 ? -1 : (current + step + matches.length) % matches.length;
}

/** The first match at or after a line, else the first of all. */
export function matchFrom(matches: readonly Match[], line: number): number {
  if (matches.length === 0) return -1;
  const i = matches.findIndex((m) => m.line >= line);
  return i < 0 ? 0 : i;
}

/** Those of the sorted matches that are in a line. */
export function matchesOf(matches: readonly Match[], line: number): readonly Match[] {
  const from = upper(matches, line - 1, (m) => m.line);
  const to = upper(matches, line, (m) => m.line);
  return from === to ? none : matches.slice(from, to);
}

const none: readonly Match[] = [];

/** The runs of a line, cut where marked ranges begin and end, and at one more place. */
export function highlight(runs: readonly Run[], ranges: readonly { start: number; end: number }[], cut = 0): (Run & { range?: number })[] {
  if (ranges.length === 0 && cut === 0) return [...runs];
  const pieces: (Run & { range?: number })[] = [];
  let at = 0;
  let r = 0;
  for (const run of runs) {
    const end = at + run.text.length;
    for (let from = at; from < end; ) {
      while (r < ranges.length && ranges[r]!.end <= from) r++;
      const range = ranges[r];
      const inside = range !== undefined && range.start <= from;
      const edge = range === undefined ? end : Math.min(end, inside ? range.end : range.start);
      const to = from < cut ? Math.min(edge, cut) : edge;
      const piece = { text: run.text.slice(from - at, to - at), style: run.style };
      pieces.push(inside ? { ...piece, range: r } : piece);
      from = to;
    }
    at = end;
  }
  return pieces;
}

const stamp = /^\[?\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?: ?(?:Z|UTC|[+-]\d\d:?\d\d))?\]?/;

/** How many characters at the start of a line are a time; 0: none. */
export function stampLength(text: string): number {
  return stamp.exec(text)?.[0].length ?? 0;
}
