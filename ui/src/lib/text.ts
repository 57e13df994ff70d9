// Documents as text, JSON or YAML: written, read, and the line of a pointer. For lazy chunks only,
// since it brings a YAML parser.
import { isMap, isPair, isScalar, isSeq, LineCounter, parseDocument, stringify, type Document } from 'yaml';
import { tokens, type Json } from './json.ts';
import { validate, type Flaw } from './schema.ts';

export type Notation = 'json' | 'yaml';

export interface Mark {
  line: number; // from 1
  message: string;
}

export function write(doc: Json, notation: Notation): string {
  return notation === 'json' ? JSON.stringify(doc, null, 2) + '\n' : stringify(doc, { lineWidth: 0 });
}

export interface Reading {
  value?: Json; // absent if the text is none
  marks: Mark[];
}

// read is the document that a text stands for, with what is wrong with it by the schema, each at
// its line.
export function read(text: string, notation: Notation, schema?: unknown): Reading {
  const lines = new LineCounter();
  const doc = parseDocument(text, { lineCounter: lines, uniqueKeys: true, ...(notation === 'json' ? { version: '1.2' as const } : {}) });
  const marks: Mark[] = doc.errors.map((e) => ({ line: lines.linePos(e.pos[0]).line, message: e.message.split('\n')[0].replace(/ at line .*$/, '') }));
  if (marks.length > 0) return { marks };
  let value: Json;
  try {
    value = notation === 'json' ? (JSON.parse(text) as Json) : ((doc.toJS({ maxAliasCount: 100 }) ?? null) as Json);
  } catch (err) {
    return { marks: [{ line: lineOfError(text, String(err)), message: String((err as Error).message).replace(/ in JSON at position.*$/, '') }] };
  }
  return { value, marks: validate(schema, value).map((f) => flawMark(doc, lines, f)) };
}

// What engines say of JSON that is none: at position N, or line N column M.
function lineOfError(text: string, message: string): number {
  const line = /line (\d+)/.exec(message);
  const position = /position (\d+)/.exec(message);
  if (line) return Number(line[1]);
  return position ? text.slice(0, Number(position[1])).split('\n').length : text.trimEnd().split('\n').length;
}

function flawMark(doc: Document.Parsed, lines: LineCounter, flaw: Flaw): Mark {
  const path = tokens(flaw.path);
  const name = path.at(-1);
  return { line: lineOf(doc, lines, path), message: name === undefined ? flaw.message : `${name}: ${flaw.message}` };
}

// lineOf is that of the key of a member or of the element of a list; of the nearest thing above, if
// it is not there.
function lineOf(doc: Document.Parsed, lines: LineCounter, path: string[]): number {
  let node: unknown = doc.contents;
  let offset = rangeOf(node) ?? 0;
  for (const token of path) {
    let next: unknown;
    if (isMap(node)) {
      const pair = node.items.find((p) => isPair(p) && isScalar(p.key) && String(p.key.value) === token);
      offset = rangeOf(pair?.key) ?? offset;
      next = pair?.value;
    } else if (isSeq(node)) {
      next = node.items[Number(token)];
      offset = rangeOf(next) ?? offset;
    }
    node = next;
  }
  return lines.linePos(offset).line;
}

const rangeOf = (node: unknown): number | undefined => (node as { range?: [number, number, number] } | null | undefined)?.range?.[0];

export function lineOfPointer(text: string, path: string): number {
  const lines = new LineCounter();
  return lineOf(parseDocument(text, { lineCounter: lines }), lines, tokens(path));
}
