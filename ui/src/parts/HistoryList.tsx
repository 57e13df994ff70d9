import { ActionIcon, Anchor, Loader, Table, Text, Tooltip } from '@mantine/core';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { ApiError, send } from '../api/client.ts';
import type { HistoryEntry, Machine } from '../api/types.ts';
import { link } from '../app/router.ts';
import { describePatch } from '../lib/describe-patch.ts';
import { useObjects } from '../live/hooks.ts';
import { Ago } from './Ago.tsx';
import { Changes } from './Changes.tsx';
import { Empty } from './Empty.tsx';
import classes from './HistoryList.module.css';
import { Icon } from './Icon.tsx';
import { Problem } from './Problem.tsx';
import { openUndo } from './undo.tsx';
import { Who } from './Who.tsx';

export interface HistoryQuery {
  kind?: string;
  key?: string;
  who?: string;
  job?: string;
  since?: string;
  to?: string;
  limit?: number;
}

export interface History {
  entries: HistoryEntry[];
  next: string; // where older ones begin; "": there are none
  loading: boolean;
  error?: ApiError;
  refetch: () => void;
}

/** A page of history, newest first. Pass undefined to ask nothing. */
export function useHistory(query: HistoryQuery | undefined): History {
  const { data, isPending, error, refetch } = useQuery<{ entries: HistoryEntry[]; next: string }, ApiError>({
    queryKey: ['history', query],
    enabled: query !== undefined,
    placeholderData: keepPreviousData,
    retry: false,
    queryFn: async ({ signal }) => {
      const answer = await send('GET', '/history', { query: { limit: 100, ...query }, signal });
      return { entries: (await answer.json()) as HistoryEntry[], next: answer.headers.get('X-DRP-HISTORY-NEXT') ?? '' };
    },
  });
  return { entries: data?.entries ?? [], next: data?.next ?? '', loading: isPending && query !== undefined, error: error ?? undefined, refetch: () => void refetch() };
}

interface Props {
  history: History;
  /** Columns that say the same in every row are left out. */
  without?: ('object' | 'job')[];
}

/** Who changed what: each change with what was and what is, and a way to take it back. */
export function HistoryList({ history, without = [] }: Props) {
  const { entries, loading, error, refetch } = history;
  const machines = useObjects<Machine>('machines').byKey;
  const machine = (uuid: string) => machines.get(uuid)?.Name;
  const withJob = !without.includes('job') && entries.some((e) => e.Job);
  const withObject = !without.includes('object');
  if (error) return <Problem error={error} retry={refetch} />;
  if (loading) return <Loader size="sm" aria-label="Loading" />;
  if (entries.length === 0) return <Empty title="No changes">Nothing here was changed, or it was so long ago that it is no longer kept.</Empty>;
  return (
    <div className={classes.scroll}>
      <Table className={classes.table} verticalSpacing={6}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Revision</Table.Th>
            <Table.Th>When</Table.Th>
            <Table.Th>Who</Table.Th>
            {withJob && <Table.Th>For job</Table.Th>}
            {withObject && <Table.Th>Object</Table.Th>}
            <Table.Th>Change</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {entries.map((e, i) => (
            <Entry key={`${e.Rev} ${e.Kind} ${e.Key}`} entry={e} first={entries[i - 1]?.Rev !== e.Rev} machine={machine} withJob={withJob} withObject={withObject} refetch={refetch} />
          ))}
        </Table.Tbody>
      </Table>
    </div>
  );
}

interface EntryProps {
  entry: HistoryEntry;
  first: boolean; // of its revision
  machine: (uuid: string) => string | undefined;
  withJob: boolean;
  withObject: boolean;
  refetch: () => void;
}

function Entry({ entry: e, first, machine, withJob, withObject, refetch }: EntryProps) {
  const changes = useMemo(() => describePatch(e.Patch as never), [e.Patch]);
  return (
    <Table.Tr>
      <Table.Td className={classes.narrow}>
        {first && (
          <>
            {e.Rev}
            <Tooltip label={`Undo revision ${e.Rev}`}>
              <ActionIcon ml={6} variant="subtle" color="gray" size="sm" aria-label={`Undo revision ${e.Rev}`} onClick={() => openUndo({ Rev: e.Rev }, `revision ${e.Rev}`, refetch)}>
                <Icon name="undo" size="0.85em" />
              </ActionIcon>
            </Tooltip>
          </>
        )}
      </Table.Td>
      <Table.Td className={classes.narrow}>
        <Ago time={e.Time} />
      </Table.Td>
      <Table.Td className={classes.who}>
        <Who who={e.Who} machine={machine} />
        {e.Undoes && (
          <Text size="xs" c="dimmed">
            undoes {e.Undoes}
          </Text>
        )}
      </Table.Td>
      {withJob && (
        <Table.Td className={classes.narrow}>
          {e.Job && (
            <Anchor size="sm" href={link('jobs', e.Job)} title={e.Job}>
              {e.Job.slice(0, 8)}
            </Anchor>
          )}
        </Table.Td>
      )}
      {withObject && (
        <Table.Td className={classes.who}>
          <Text size="xs" c="dimmed">
            {e.Kind}
          </Text>
          <Anchor size="sm" href={link(e.Kind, e.Key)} title={e.Key}>
            {(e.Kind === 'machines' && machine(e.Key)) || (e.Kind === 'jobs' ? e.Key.slice(0, 8) : e.Key)}
          </Anchor>
        </Table.Td>
      )}
      <Table.Td className={classes.changes}>
        <Changes changes={changes} />
      </Table.Td>
    </Table.Tr>
  );
}
