import { Anchor, Button, Group, Loader, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useEffect, useRef } from 'react';
import { api, part } from '../api/client.ts';
import type { Machine } from '../api/types.ts';
import { useQueryState } from '../app/router.ts';
import { useEvents } from '../live/hooks.ts';
import { Editor } from '../parts/Editor.tsx';
import { HistoryList, useHistory } from '../parts/HistoryList.tsx';
import { Problem } from '../parts/Problem.tsx';
import type { TabProps } from './MachinePage.tsx';
import classes from './machine.module.css';

const settle = 250; // milliseconds in which further changes are waited for

/** Who changed the machine, the ways to take that back, and the machine as it was. */
export function HistoryTab({ machine }: TabProps) {
  const [to, setTo] = useQueryState('to');
  const [rev, setRev] = useQueryState('at');
  const history = useHistory({ kind: 'machines', key: machine.Uuid, to: to || undefined });
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  useEvents(`machines.*.${machine.Uuid}`, () => {
    timer.current ??= setTimeout(() => {
      timer.current = undefined;
      history.refetch();
    }, settle);
  });
  const revisions = [...new Set(history.entries.map((e) => e.Rev))];
  if (rev) return <AsOf machine={machine} rev={rev} revisions={revisions} go={setRev} />;
  return (
    <div className={classes.sections}>
      <HistoryList history={history} without={['object']} />
      <Group gap="xs">
        {to && (
          <Button size="xs" variant="default" onClick={() => setTo('')}>
            The newest
          </Button>
        )}
        {history.next && (
          <Button size="xs" variant="default" onClick={() => setTo(history.next, { push: true })}>
            Older ones
          </Button>
        )}
        {revisions.length > 0 && (
          <Button size="xs" variant="default" onClick={() => setRev(String(revisions[0]), { push: true })}>
            See it as it was
          </Button>
        )}
      </Group>
    </div>
  );
}

interface AsOfProps {
  machine: Machine;
  rev: string;
  revisions: number[]; // the newest first
  go: (rev: string) => void;
}

const text = ({ Secret: _, ...machine }: Machine & { Secret?: string }) => JSON.stringify(machine, null, 2);

/** The machine as of a revision, beside what it is now. */
function AsOf({ machine, rev, revisions, go }: AsOfProps) {
  const { data, error, isPending } = useQuery({
    queryKey: ['at', machine.Uuid, rev],
    retry: false,
    queryFn: ({ signal }) => api<Machine>('GET', `/machines/${part(machine.Uuid)}`, { query: { at: rev }, signal }),
  });
  const at = Number(rev);
  const older = revisions.find((r) => r < at);
  const newer = revisions.findLast((r) => r > at);
  return (
    <div className={classes.sections}>
      <Group gap="xs">
        <Anchor component="button" size="sm" onClick={() => go('')}>
          All changes
        </Anchor>
        <Button size="compact-xs" variant="default" disabled={older === undefined} onClick={() => go(String(older))}>
          Older
        </Button>
        <Button size="compact-xs" variant="default" disabled={newer === undefined} onClick={() => go(String(newer))}>
          Newer
        </Button>
        <Text size="sm" role="status">
          As of revision {rev}. Struck out is what is there now instead.
        </Text>
      </Group>
      {error && <Problem error={error} />}
      {isPending && <Loader size="sm" aria-label={`Loading revision ${rev}`} />}
      {data && <Editor key={rev} label={`${machine.Name} as of revision ${rev}`} language="json" value={text(data)} original={text(machine)} />}
    </div>
  );
}
