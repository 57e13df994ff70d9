import { Anchor, Button, Group, Select } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { api } from '../api/client.ts';
import { link, useQueryState } from '../app/router.ts';
import { useEvents } from '../live/hooks.ts';
import { HistoryList, useHistory } from '../parts/HistoryList.tsx';
import { Icon } from '../parts/Icon.tsx';
import { Page } from '../parts/Page.tsx';
import { Typed } from '../parts/Typed.tsx';
import { openUndo } from '../parts/undo.tsx';
import classes from './desk.module.css';

export default function HistoryPage() {
  const [who, setWho] = useQueryState('who');
  const [kind, setKind] = useQueryState('kind');
  const [key, setKey] = useQueryState('key');
  const [job, setJob] = useQueryState('job');
  const [since, setSince] = useQueryState('since');
  const [to, setTo] = useQueryState('to');
  const query = { who, kind, key: kind ? key : '', job, since, to };
  const history = useHistory(query);
  const { data: kinds = [] } = useQuery({ queryKey: ['objects'], queryFn: ({ signal }) => api<string[]>('GET', '/objects', { signal }), staleTime: Infinity });
  const newer = useNewer(to === '', JSON.stringify(query));

  const anew = (set: (v: string) => void) => (v: string) => {
    setTo('');
    set(v);
  };
  const refresh = () => {
    newer.clear();
    history.refetch();
  };
  return (
    <Page
      title="History"
      actions={
        <>
          {job && (
            <Button size="xs" variant="default" leftSection={<Icon name="undo" />} onClick={() => openUndo({ Job: job }, `all that job ${job.slice(0, 8)} changed`, refresh)}>
              Undo all of this job
            </Button>
          )}
          {who && since && !job && (
            <Button size="xs" variant="default" leftSection={<Icon name="undo" />} onClick={() => openUndo({ Who: who, Since: since }, `all that ${who} changed since ${since}`, refresh)}>
              Undo all of {who} since {since}
            </Button>
          )}
        </>
      }
    >
      <div className={classes.filters} role="search" aria-label="Filter history">
        <Typed className={classes.field} label="Who" placeholder="Who: ann, machine:UUID" value={who} onChange={anew(setWho)} />
        <Select
          className={classes.field}
          size="xs"
          aria-label="Kind"
          placeholder="Every kind"
          data={kinds}
          value={kind || null}
          onChange={(v) => {
            anew(setKind)(v ?? '');
            if (!v) setKey('');
          }}
          searchable
          clearable
          clearButtonProps={{ 'aria-label': 'Every kind' }}
        />
        {kind && <Typed className={classes.field} label="Key" placeholder="Key of an object" value={key} onChange={anew(setKey)} />}
        <Typed className={classes.field} label="Job" placeholder="Job (UUID)" value={job} onChange={anew(setJob)} />
        <Typed className={classes.field} label="Since" placeholder="Since: 1h, 2d, revision, time" value={since} onChange={anew(setSince)} />
        {kind && key && (
          <Anchor size="sm" href={link(kind, key)}>
            to the object
          </Anchor>
        )}
      </div>
      {newer.count > 0 && (
        <div>
          <Button size="compact-sm" variant="light" leftSection={<Icon name="arrow up" />} onClick={refresh}>
            Show newer changes
          </Button>
        </div>
      )}
      <HistoryList history={history} without={job ? ['job'] : []} />
      <Group justify="flex-end" gap="xs">
        {to && (
          <Button size="xs" variant="default" onClick={() => setTo('', { push: true })}>
            To the newest
          </Button>
        )}
        {history.next && (
          <Button size="xs" variant="default" onClick={() => setTo(history.next, { push: true })} rightSection={<Icon name="chevron right" />}>
            Older changes
          </Button>
        )}
      </Group>
    </Page>
  );
}

/** How many changes came since the page was read. The page does not move under the reader. */
function useNewer(wanted: boolean, page: string) {
  const [count, setCount] = useState(0);
  useEffect(() => setCount(0), [page]);
  useEvents(wanted ? '*.create,update,save,delete.*' : '', (e) => e.Rev && setCount((n) => (n === 0 ? 1 : n)));
  return { count, clear: () => setCount(0) };
}
