// The past from history alone: every object as it was at any revision. Patches of history tell what
// they lose, so that the way leads backwards as well as forwards.
import type { HistoryEntry } from '../api/types.ts';
import { tokens, type Json, type Maybe } from './json.ts';

type Op = HistoryEntry['Patch'][number];

/** All that one change did: entries of the same revision. */
export interface Moment {
  rev: number;
  time: number; // milliseconds since 1970
  who: string;
  job: string | undefined;
  entries: HistoryEntry[];
}

export interface Replay {
  /** Every change, the oldest first. */
  readonly moments: readonly Moment[];
  /** An object as it was once the revision was made; undefined: it was not there. */
  get: <T>(kind: string, key: string, rev: number) => T | undefined;
  /** All objects of a kind as they were. */
  all: <T>(kind: string, rev: number) => T[];
  /** Whether the object has any changes here; else it was all the time as it is. */
  knows: (kind: string, key: string) => boolean;
  /** Adds later changes. */
  extend: (later: readonly HistoryEntry[]) => void;
}

/** What an object is between two of its changes is kept so often; what lies between is made anew. */
const mark = 64;

interface Chain {
  steps: HistoryEntry[]; // the oldest first
  marks: Maybe[]; // the object after 0, mark, 2 * mark … steps
  at: number; // so many steps were made to come to now
  now: Maybe;
}

/**
 * Makes a replay of the entries of history, in any order. Objects that were made before the first
 * entry are found by going back from what they are after the last one, which `present` tells.
 */
export function replay(entries: readonly HistoryEntry[], present: (kind: string, key: string) => unknown = () => undefined): Replay {
  const kinds = new Map<string, Map<string, Chain>>();
  const moments: Moment[] = [];

  const extend = (later: readonly HistoryEntry[]) => {
    const last = moments.at(-1)?.rev ?? 0;
    const fresh = later.filter((e) => e.Rev > last).sort((a, b) => a.Rev - b.Rev);
    const grown = new Map<Chain, number>();
    for (const e of fresh) {
      addMoment(moments, e);
      let chains = kinds.get(e.Kind);
      if (!chains) kinds.set(e.Kind, (chains = new Map()));
      let chain = chains.get(e.Key);
      if (!chain) chains.set(e.Key, (chain = { steps: [], marks: [], at: 0, now: undefined }));
      if (!grown.has(chain)) grown.set(chain, chain.steps.length);
      chain.steps.push(e);
    }
    for (const [chain, known] of grown) {
      if (known === 0) found(chain, (k, key) => present(k, key) as Maybe);
      else settle(chain, known);
    }
  };

  const of = (chain: Chain, rev: number) => seek(chain, stepsUpTo(chain.steps, rev));
  extend(entries);
  return {
    moments,
    extend,
    knows: (kind, key) => kinds.get(kind)?.has(key) ?? false,
    get: <T>(kind: string, key: string, rev: number) => {
      const chain = kinds.get(kind)?.get(key);
      return (chain && of(chain, rev)) as T | undefined;
    },
    all: <T>(kind: string, rev: number) => {
      const there: T[] = [];
      for (const chain of kinds.get(kind)?.values() ?? []) {
        const is = of(chain, rev);
        if (is !== undefined) there.push(is as T);
      }
      return there;
    },
  };
}

function addMoment(moments: Moment[], e: HistoryEntry) {
  const last = moments.at(-1);
  if (last?.rev === e.Rev) last.entries.push(e);
  else moments.push({ rev: e.Rev, time: Date.parse(e.Time), who: e.Who, job: e.Job, entries: [e] });
}

/** Finds the beginning of an object's past, and its marks. */
function found(chain: Chain, present: (kind: string, key: string) => Maybe) {
  const first = chain.steps[0]!;
  let base: Maybe;
  if (!begins(first)) {
    base = present(first.Kind, first.Key);
    for (let i = chain.steps.length - 1; i >= 0; i--) base = apply(base, invert(chain.steps[i]!.Patch));
  }
  chain.marks = [base];
  chain.now = base;
  chain.at = 0;
  settle(chain, 0);
}

/** Goes through the steps after the known ones, so that each can be reached in a few. */
function settle(chain: Chain, known: number) {
  seek(chain, known);
  for (let i = known; i < chain.steps.length; i++) {
    seek(chain, i + 1);
    if ((i + 1) % mark === 0) chain.marks[(i + 1) / mark] = chain.now;
  }
}

const begins = (e: HistoryEntry) => e.Patch.some((op) => op.op === 'add' && op.path === '');

/** How many steps were made at a revision. */
function stepsUpTo(steps: readonly HistoryEntry[], rev: number): number {
  let low = 0;
  let high = steps.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (steps[middle]!.Rev <= rev) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The object after so many steps: from where it stands or from the nearest mark, whichever is closer. */
function seek(chain: Chain, to: number): Maybe {
  const near = Math.min(Math.round(to / mark), chain.marks.length - 1);
  if (Math.abs(to - near * mark) < Math.abs(to - chain.at)) {
    chain.at = near * mark;
    chain.now = chain.marks[near];
  }
  while (chain.at < to) chain.now = apply(chain.now, chain.steps[chain.at++]!.Patch);
  while (chain.at > to) chain.now = apply(chain.now, invert(chain.steps[--chain.at]!.Patch));
  return chain.now;
}

/** A document after a patch of history. What lies beside the paths is shared with the old one. */
export function apply(doc: Maybe, patch: readonly Op[]): Maybe {
  for (const op of patch) {
    if (op.op === 'add' || op.op === 'replace') doc = put(doc, tokens(op.path), 0, op.value as Json);
    else if (op.op === 'remove') doc = put(doc, tokens(op.path), 0, undefined);
  }
  return doc === null ? undefined : doc;
}

function put(doc: Maybe, path: string[], depth: number, value: Maybe): Maybe {
  if (depth === path.length) return value;
  const name = path[depth]!;
  if (Array.isArray(doc)) return doc.with(Number(name), put(doc[Number(name)], path, depth + 1, value) ?? null);
  const old = (doc ?? {}) as Record<string, Json>;
  const inner = put(Object.hasOwn(old, name) ? old[name] : undefined, path, depth + 1, value);
  if (inner !== undefined) return { ...old, [name]: inner };
  const { [name]: _, ...rest } = old;
  return rest;
}

/** The patch that takes one of history back: each loss stands behind a test of what was there. */
export function invert(patch: readonly Op[]): Op[] {
  const was = new Map<string, unknown>();
  const back: Op[] = [];
  for (const { op, path, value } of patch) {
    if (op === 'test') was.set(path, value);
    else if (op === 'add') back.push({ op: 'remove', path });
    else back.push({ op: op === 'remove' ? 'add' : 'replace', path, value: was.get(path) });
  }
  return back.reverse();
}
