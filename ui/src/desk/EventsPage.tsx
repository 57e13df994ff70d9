import { Anchor, Autocomplete, Button, Text } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import type { Event, Machine } from '../api/types.ts';
import { link, useQueryState } from '../app/router.ts';
import { eventChanges, eventFilter, eventText } from '../lib/events.ts';
import { useEvents, useObjects } from '../live/hooks.ts';
import { Changes } from '../parts/Changes.tsx';
import { Icon } from '../parts/Icon.tsx';
import { Page } from '../parts/Page.tsx';
import { Who } from '../parts/Who.tsx';
import classes from './desk.module.css';
import { PostEvent } from './PostEvent.tsx';
import { Stream } from './Stream.tsx';
import { useTicker } from './useTicker.ts';

const most = 1000; // events are kept

const examples = ['*.*.*', 'machines.*.*', 'jobs.*.*', 'jobs.create.*', 'profiles.*.*', 'machines,profiles.update,save.*', 'log.*.*', 'log.warn,error.*', 'users.*.*'];

interface Told {
  id: number;
  event: Event;
}

export default function EventsPage() {
  const [text, setText] = useQueryState('filter', '*.*.*');
  const [settled] = useDebouncedValue(text, 300);
  const [paused, setPaused] = useState(false);
  const [away, setAway] = useState(false);
  const [posting, setPosting] = useState(false);
  const [open, setOpen] = useState<ReadonlySet<number>>(new Set());
  const { items, held, add, clear } = useTicker<Told>(most, paused || away);
  const machines = useObjects<Machine>('machines').byKey;
  const count = useRef(0);
  const filter = eventFilter(settled);
  useEvents(filter, (event) => add({ id: ++count.current, event }));
  useEffect(clear, [filter, clear]);

  const toggle = useCallback((id: number) => setOpen((old) => (old.has(id) ? new Set([...old].filter((x) => x !== id)) : new Set(old).add(id))), []);
  const machine = (uuid: string) => machines.get(uuid)?.Name;
  return (
    <Page
      title="Events"
      fill
      actions={
        <>
          <Button size="xs" variant={paused ? 'filled' : 'default'} leftSection={<Icon name={paused ? 'play' : 'pause'} />} aria-pressed={paused} onClick={() => setPaused(!paused)}>
            {paused ? 'Go on' : 'Pause'}
          </Button>
          <Button size="xs" variant="default" onClick={clear} disabled={items.length === 0}>
            Clear
          </Button>
          <Button size="xs" variant="default" onClick={() => setPosting(true)} leftSection={<Icon name="paper plane" />}>
            Send an event
          </Button>
        </>
      }
    >
      <div className={classes.filters}>
        <Autocomplete
          className={classes.wide}
          size="xs"
          aria-label="Filter TYPE.ACTION.KEY"
          placeholder="TYPE.ACTION.KEY"
          data={examples}
          filter={({ options }) => options}
          value={text}
          onChange={setText}
          leftSection={<Icon name="filter" />}
          spellCheck={false}
        />
        <Text size="xs" c="dimmed" role="status">
          {paused ? `paused, ${held.toLocaleString('en')} waiting` : `${filter}: ${items.length.toLocaleString('en')} shown`}
        </Text>
      </div>
      <Stream
        label="Events, the newest first"
        items={items}
        itemKey={(t) => t.id}
        row={(t) => <EventRow event={t.event} open={open.has(t.id)} toggle={() => toggle(t.id)} machine={machine} />}
        held={held}
        away={away}
        setAway={setAway}
        empty="Waiting for events. Whatever changes on the server shows here as it happens."
      />
      {posting && <PostEvent close={() => setPosting(false)} />}
    </Page>
  );
}

interface RowProps {
  event: Event;
  open: boolean;
  toggle: () => void;
  machine: (uuid: string) => string | undefined;
}

function EventRow({ event: e, open, toggle, machine }: RowProps) {
  const text = useMemo(() => eventText(e), [e]);
  return (
    <>
      <div className={classes.event}>
        <time dateTime={e.Time} title={e.Time}>
          {new Date(e.Time).toLocaleTimeString('en-GB')}
        </time>
        <span>
          {e.Type} <b>{e.Action}</b>
        </span>
        <span title={e.Key}>{e.Rev ? <Anchor size="sm" href={link(e.Type, e.Key)}>{nameOf(e, machine)}</Anchor> : e.Key}</span>
        <span>
          <Who who={e.Principal} machine={machine} />
        </span>
        <button type="button" aria-expanded={open} onClick={toggle} title={text}>
          <Icon name={open ? 'caret down' : 'caret right'} /> {text || 'details'}
        </button>
        <span className={classes.rev}>{e.Rev || ''}</span>
      </div>
      {open && <Detail event={e} />}
    </>
  );
}

function nameOf(e: Event, machine: RowProps['machine']): string {
  const { Name, Task } = (e.Object ?? {}) as { Name?: unknown; Task?: unknown };
  if (e.Type === 'machines') return typeof Name === 'string' ? Name : (machine(e.Key) ?? e.Key);
  return e.Type === 'jobs' && typeof Task === 'string' ? Task : e.Key;
}

function Detail({ event: e }: { event: Event }) {
  const changes = eventChanges(e).filter((c) => c.path.length > 0);
  return (
    <div className={classes.detail}>
      {changes.length > 0 && <Changes changes={changes} most={50} />}
      <details open={changes.length === 0}>
        <summary>Object</summary>
        <pre className={classes.json} tabIndex={0}>
          {JSON.stringify(e.Object, null, 2)}
        </pre>
      </details>
    </div>
  );
}
