// Events and lines of the server's log, as the pages show them.
import type { Event } from '../api/types.ts';
import { brief, describePatch, summary, type Change } from './describe-patch.ts';
import { isObject, type Json } from './json.ts';
import { patchOf } from './jsonpatch.ts';

/** A filter TYPE.ACTION.KEY of what people type: parts that are missing are any. Keys may hold dots. */
export function eventFilter(text: string): string {
  const [type = '', action = '', ...key] = text.trim().split('.');
  return [type, action, key.join('.')].map((p) => p.trim() || '*').join('.');
}

/** What an event tells: the changed fields of a change, nothing of other events. */
export function eventChanges(e: Event): Change[] {
  if (!e.Rev || !isObject(e.Object)) return [];
  if (e.Action === 'create') return [{ verb: 'created', path: [], after: e.Object }];
  if (e.Action === 'delete') return [{ verb: 'deleted', path: [], before: e.Object }];
  return isObject(e.Original) ? describePatch(patchOf(e.Original, e.Object)) : [];
}

/** An event on one line. */
export function eventText(e: Event): string {
  if (e.Type === 'log' && isObject(e.Object)) return String(e.Object.Message ?? '');
  if (e.Rev && (isObject(e.Original) || e.Action === 'create' || e.Action === 'delete')) return summary(eventChanges(e));
  return e.Object === null || e.Object === undefined ? '' : brief(e.Object as Json, 120);
}

/** A line of the server's log. */
export interface ServerLine {
  Seq: number;
  Time: string;
  Service: string;
  Principal: string;
  Level: string;
  File: string;
  Line: number;
  Message: string;
  Data: unknown[];
}

/** From the lowest; audit is always of interest. */
export const levels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'panic', 'audit'] as const;

export interface LineFilter {
  level: string; // at least; '': any
  service: string;
  text: string;
}

/** Whether a line is one of those looked for. Texts may stand in the message, its data, or who it was. */
export function lineMatches(line: ServerLine, { level, service, text }: LineFilter): boolean {
  if (level && rank(line.Level) < rank(level)) return false;
  if (service && line.Service !== service) return false;
  if (!text) return true;
  const all = [line.Message, line.Service, line.Principal, ...line.Data.map(String)].join(' ').toLowerCase();
  return text.toLowerCase().split(/\s+/).every((word) => all.includes(word));
}

const rank = (level: string) => (levels as readonly string[]).indexOf(level);

/** The lines that were kept, and those that came meanwhile, each once, the newest first. */
export function joinLines(kept: readonly ServerLine[], came: readonly ServerLine[]): ServerLine[] {
  const name = (l: ServerLine) => `${l.Seq} ${l.Time}`;
  const seen = new Set(came.map(name));
  return [...came, ...kept.filter((l) => !seen.has(name(l))).toReversed()];
}
