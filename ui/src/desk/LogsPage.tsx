import { Button, Select, Text, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { api, type ApiError } from '../api/client.ts';
import type { Machine } from '../api/types.ts';
import { useQueryState } from '../app/router.ts';
import { joinLines, levels, lineMatches, type ServerLine } from '../lib/events.ts';
import { useEvents, useObjects } from '../live/hooks.ts';
import { Icon } from '../parts/Icon.tsx';
import { Page } from '../parts/Page.tsx';
import { Problem } from '../parts/Problem.tsx';
import { Who } from '../parts/Who.tsx';
import classes from './desk.module.css';
import { Stream } from './Stream.tsx';
import { useTicker } from './useTicker.ts';

const most = 5000; // lines that have come are kept

export default function LogsPage() {
  const [level, setLevel] = useQueryState('level');
  const [service, setService] = useQueryState('service');
  const [text, setText] = useQueryState('q');
  const [paused, setPaused] = useState(false);
  const [away, setAway] = useState(false);
  const machines = useObjects<Machine>('machines').byKey;
  // The lines that come are listened to first, so that none is missed between them and those that are kept.
  const { items: came, held, add } = useTicker<ServerLine>(most, paused || away);
  useEvents('log.*.*', (e) => add(e.Object as ServerLine));
  const { data: kept = [], error, refetch } = useQuery<ServerLine[], ApiError>({
    queryKey: ['logs'],
    queryFn: ({ signal }) => api('GET', '/logs', { signal }),
    staleTime: Infinity,
    gcTime: 0,
    retry: false,
  });
  const lines = useMemo(() => joinLines(kept, came), [kept, came]);
  const services = useMemo(() => [...new Set(lines.map((l) => l.Service))].sort(), [lines]);
  const shown = useMemo(() => lines.filter((l) => lineMatches(l, { level, service, text })), [lines, level, service, text]);

  return (
    <Page
      title="Server log"
      fill
      actions={
        <Button size="xs" variant={paused ? 'filled' : 'default'} leftSection={<Icon name={paused ? 'play' : 'pause'} />} aria-pressed={paused} onClick={() => setPaused(!paused)}>
          {paused ? 'Go on' : 'Pause'}
        </Button>
      }
    >
      <div className={classes.filters} role="search" aria-label="Filter the lines">
        <TextInput className={classes.wide} size="xs" aria-label="Words in the lines" placeholder="Search" leftSection={<Icon name="search" />} value={text} onChange={(e) => setText(e.currentTarget.value)} spellCheck={false} />
        <Select
          className={classes.field}
          size="xs"
          aria-label="Level"
          data={[{ value: 'any', label: 'Every level' }, ...levels.filter((l) => l !== 'trace').map((l) => ({ value: l, label: l === 'audit' ? 'audit only' : `${l} and above` }))]}
          value={level || 'any'}
          onChange={(v) => setLevel(!v || v === 'any' ? '' : v)}
          allowDeselect={false}
        />
        <Select className={classes.field} size="xs" aria-label="Service" placeholder="Every service" data={services} value={service || null} onChange={(v) => setService(v ?? '')} clearable clearButtonProps={{ 'aria-label': 'Every service' }} searchable />
        <Text size="xs" c="dimmed" role="status">
          {paused ? `paused, ${held.toLocaleString('en')} waiting` : `${shown.length.toLocaleString('en')} of ${lines.length.toLocaleString('en')} lines`}
        </Text>
      </div>
      {error ? (
        <Problem error={error} retry={() => void refetch()} />
      ) : (
        <Stream
          label="Lines of the server's log, the newest first"
          items={shown}
          itemKey={(l) => `${l.Seq} ${l.Time}`}
          row={(l) => <Line line={l} machine={(uuid) => machines.get(uuid)?.Name} />}
          held={held}
          away={away}
          setAway={setAway}
          empty="No such lines."
        />
      )}
    </Page>
  );
}

const tone: Record<string, string> = { warn: classes.warn, error: classes.error, fatal: classes.error, panic: classes.error, audit: classes.audit };

function Line({ line: l, machine }: { line: ServerLine; machine: (uuid: string) => string | undefined }) {
  return (
    <div className={classes.line} title={l.File ? `${l.File}:${l.Line}` : undefined}>
      <time dateTime={l.Time}>{local(l.Time)}</time>
      <span className={`${classes.level} ${tone[l.Level] ?? ''}`}>{l.Level}</span>
      <span className={classes.muted}>{l.Service}</span>
      <span>
        {l.Message}
        {l.Principal && (
          <>
            {' '}
            <Who who={l.Principal} machine={machine} />
          </>
        )}
        {l.Data.length > 0 && <span className={classes.muted}> {l.Data.map(String).join(' ')}</span>}
      </span>
    </div>
  );
}

function local(time: string): string {
  const t = new Date(time);
  return `${t.toLocaleDateString('sv')} ${t.toLocaleTimeString('sv')}.${String(t.getMilliseconds()).padStart(3, '0')}`;
}
