import { Button, Group } from '@mantine/core';
import { useEffect, useRef } from 'react';
import { useQueryState } from '../app/router.ts';
import type { JsonObject } from '../lib/json.ts';
import { useEvents } from '../live/hooks.ts';
import { AsOf } from '../parts/AsOf.tsx';
import { HistoryList, useHistory } from '../parts/HistoryList.tsx';
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
  if (rev) return <AsOf kind="machines" id={machine.Uuid} name={machine.Name} now={machine as unknown as JsonObject} rev={rev} revisions={revisions} go={setRev} />;
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
