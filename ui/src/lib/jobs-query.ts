// Which jobs a page shows: what stands in the address, and what the server is asked for it.
import type { Query } from '../api/client.ts';

export interface JobFilter {
  state: string; // of tabs
  machine: string; // a UUID
  task: string; // parts of names
  stage: string;
  workflow: string;
  since: string; // of spans
}

export const tabs = [
  { id: '', label: 'All', query: {} },
  { id: 'stuck', label: 'Failing now', query: { Current: true, State: 'failed' }, hint: 'the newest job of its machine has failed' },
  { id: 'running', label: 'Running', query: { State: 'running' } },
  { id: 'created', label: 'Waiting', query: { State: 'created' }, hint: 'created, and no runner has begun them' },
  { id: 'incomplete', label: 'Incomplete', query: { State: 'incomplete' }, hint: 'stopped midway; they run again' },
  { id: 'failed', label: 'Failed', query: { State: 'failed' } },
  { id: 'finished', label: 'Finished', query: { State: 'finished' } },
] as const satisfies readonly { id: string; label: string; query: Query; hint?: string }[];

const minute = 60_000;

export const spans = [
  { id: '', label: 'Any time' },
  { id: '15m', label: 'Last 15 minutes', milliseconds: 15 * minute },
  { id: '1h', label: 'Last hour', milliseconds: 60 * minute },
  { id: '1d', label: 'Last day', milliseconds: 24 * 60 * minute },
  { id: '7d', label: 'Last 7 days', milliseconds: 7 * 24 * 60 * minute },
] as const;

/** What the server is asked for the tab and the filter, without order and page. */
export function jobQuery(filter: JobFilter, now: number, tab = filter.state): Query {
  const query: Query = { ...tabs.find((t) => t.id === tab)?.query };
  if (filter.machine) query.Machine = filter.machine;
  if (filter.task) query.Task = containing(filter.task);
  if (filter.stage) query.Stage = containing(filter.stage);
  if (filter.workflow) query.Workflow = containing(filter.workflow);
  const span = spans.find((s) => s.id === filter.since);
  if (span && 'milliseconds' in span) query.StartTime = `Gte(${new Date(now - span.milliseconds).toISOString()})`;
  return query;
}

/** The filter for values that hold a text, in whatever case. */
export function containing(text: string): string {
  return `Re((?i)${text.replace(/[\\^$.|?*+()[\]{}]/g, '\\$&')})`;
}
