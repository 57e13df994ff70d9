import { Button, Text } from '@mantine/core';
import { useEffect, useRef, useState } from 'react';
import { keyOf, type Event, type Machine } from '../api/types.ts';
import { useEvents } from '../live/hooks.ts';
import { Icon } from '../parts/Icon.tsx';
import { Ref } from '../parts/Ref.tsx';
import { Card } from './Card.tsx';
import classes from './Overview.module.css';

const kept = 40;
const calm = 250; // milliseconds between two looks at what has come

interface Line {
  id: number;
  time: string;
  kind: string;
  key: string;
  name: string;
  action: string;
  what: string;
  who: string;
}

/** Events as they happen, the newest on top. */
export function Ticker({ nameOf, broad }: { nameOf: (uuid: string) => string | undefined; broad: boolean }) {
  const [lines, setLines] = useState<readonly Line[]>([]);
  const [paused, setPaused] = useState(false);
  const [missed, setMissed] = useState(0);
  const waiting = useRef<Line[]>([]);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const next = useRef(0);
  useEffect(() => () => clearTimeout(timer.current), []);
  const flush = () => {
    timer.current = undefined;
    const come = waiting.current.splice(0).reverse();
    setLines((now) => [...come, ...now].slice(0, kept));
  };
  useEvents('*.*.*', (e) => {
    if (e.Type === 'log') return; // has a page of its own
    waiting.current.push(lineOf(e, next.current++));
    if (waiting.current.length > kept) waiting.current.shift();
    if (paused) setMissed((n) => n + 1);
    else timer.current ??= setTimeout(flush, calm);
  });
  const toggle = () => {
    if (paused) flush();
    setMissed(0);
    setPaused(!paused);
  };
  return (
    <Card
      title="Events"
      width={broad ? 'broad' : undefined}
      more={{ href: '#/events', label: 'All events' }}
      aside={
        <Button size="compact-xs" variant="default" onClick={toggle} aria-pressed={paused} leftSection={<Icon name={paused ? 'play' : 'pause'} />}>
          {paused ? `Go on${missed ? ` (${missed.toLocaleString('en')} more)` : ''}` : 'Pause'}
        </Button>
      }
    >
      {lines.length === 0 ? (
        <Text size="sm" c="dimmed">
          What happens from now on stands here.
        </Text>
      ) : (
        <ol className={classes.events} tabIndex={0} aria-label="Events, the newest first">
          {lines.map((l) => (
            <li key={l.id}>
              <time dateTime={l.time}>{new Date(l.time).toLocaleTimeString('en-GB')}</time>
              <span className={classes.quiet}>
                {l.kind} {l.action}
              </span>
              <span className={classes.name}>
                <Ref kind={l.kind} id={l.key}>
                  {l.name || nameOf(l.key) || l.key.slice(0, 8)}
                </Ref>
              </span>
              <span className={classes.what} title={l.who}>
                {l.what}
              </span>
            </li>
          ))}
        </ol>
      )}
    </Card>
  );
}

function lineOf(e: Event, id: number): Line {
  const o = (e.Object ?? {}) as Partial<Machine> & Record<string, unknown>;
  const job = e.Type === 'jobs';
  return {
    id,
    time: e.Time,
    kind: e.Type,
    key: (e.Object ? keyOf(e.Type, e.Object) : '') || e.Key,
    name: job ? String(o.Task ?? '') : String(o.Name ?? o.Id ?? ''),
    action: e.Action,
    what: job ? String(o.State ?? '') : changed(e),
    who: e.Principal,
  };
}

/** The fields that an event has changed. */
function changed({ Object: now, Original: before }: Event): string {
  if (!now || !before) return '';
  const [a, b] = [now as Record<string, unknown>, before as Record<string, unknown>];
  return Object.keys({ ...a, ...b })
    .filter((k) => k !== 'Secret' && JSON.stringify(a[k]) !== JSON.stringify(b[k]))
    .map((k) => (typeof a[k] === 'string' || typeof a[k] === 'number' || typeof a[k] === 'boolean' ? `${k} ${a[k] === '' ? '""' : String(a[k])}` : k))
    .join(', ');
}
