import { Anchor, Group, Loader, Modal, ScrollArea, Text, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useEffect, useMemo, useRef, useState } from 'react';
import { api } from '../api/client.ts';
import type { Machine, Thing } from '../api/types.ts';
import { keyOf } from '../api/types.ts';
import { useKinds } from '../live/hooks.ts';
import { Icon } from '../parts/Icon.tsx';
import { find, type Found, type Searched } from './find.ts';
import { link, navigate } from './router.ts';
import { nav } from './routes.tsx';
import classes from './Search.module.css';

/** Searches everything: pages, machines, and all objects that people give names to. */
export function Search({ opened, close }: { opened: boolean; close: () => void }) {
  return (
    <Modal opened={opened} onClose={close} withCloseButton={false} padding={0} yOffset="10vh" size="lg" attributes={{ content: { 'aria-label': 'Search everything' } }}>
      {opened && <Panel close={close} />}
    </Modal>
  );
}

/** Those that grow without bound, and those without routes of their own, are found on pages of theirs. */
const unbounded = new Set(['jobs', 'leases', 'preferences']);
const icons: Record<string, string> = { pages: 'window maximize outline', machines: 'server', profiles: 'id card', params: 'tag', tasks: 'tasks', workflows: 'sitemap' };

function Panel({ close }: { close: () => void }) {
  const [text, setText] = useState('');
  const [at, setAt] = useState(0);
  const { loading, everything } = useEverything();
  const found = useMemo(() => [...find(everything, text, 50), ...job(text)], [everything, text]);
  const list = useRef<HTMLDivElement>(null);
  useEffect(() => setAt(0), [text]);
  useEffect(() => {
    list.current?.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: 'nearest' });
  }, [at, found]);

  const go = (f: Found | undefined) => {
    if (!f) return;
    close();
    navigate(f.href);
  };
  return (
    <>
      <TextInput
        data-autofocus
        size="md"
        variant="unstyled"
        px="md"
        placeholder="Name, address, UUID, or what it is about"
        aria-label="Search everything"
        role="combobox"
        aria-expanded
        aria-controls="search-results"
        aria-activedescendant={found[at] ? 'search-' + at : undefined}
        leftSection={<Icon name="search" />}
        rightSection={loading ? <Loader size="xs" /> : null}
        value={text}
        onChange={(e) => setText(e.currentTarget.value)}
        onKeyDown={(e) => {
          if (e.key === 'ArrowDown') setAt((i) => Math.min(i + 1, found.length - 1));
          else if (e.key === 'ArrowUp') setAt((i) => Math.max(i - 1, 0));
          else if (e.key === 'Enter') go(found[at]);
          else return;
          e.preventDefault();
        }}
      />
      <ScrollArea.Autosize mah="60vh" type="auto">
        <div role="listbox" id="search-results" aria-label="What was found" ref={list}>
          {found.map((f, i) => (
            <Anchor
              key={f.kind + f.key}
              id={'search-' + i}
              role="option"
              aria-selected={i === at}
              tabIndex={-1}
              className={classes.item}
              href={f.href}
              underline="never"
              c="var(--mantine-color-text)"
              onClick={close}
              onMouseMove={() => setAt(i)}
            >
              <Icon name={icons[f.kind] ?? 'cube'} />
              <span className={classes.name}>{f.name}</span>
              <Text span size="xs" c="dimmed" className={classes.about} truncate>
                {f.about}
              </Text>
              <Text span size="xs" c="dimmed">
                {f.kind}
              </Text>
            </Anchor>
          ))}
        </div>
        {text !== '' && !found.length && (
          <Group p="md">
            <Text size="sm">{loading ? 'Still reading …' : `Nothing has “${text}” in its name, description, address or UUID.`}</Text>
          </Group>
        )}
      </ScrollArea.Autosize>
    </>
  );
}

function useEverything(): { loading: boolean; everything: Searched[] } {
  const { data: kinds = [] } = useQuery({ queryKey: ['objects'], queryFn: () => api<string[]>('GET', '/objects') });
  const { data: packs = [] } = useQuery({ queryKey: ['contents', 'names'], queryFn: () => api<{ meta: { Name: string; Description: string } }[]>('GET', '/contents') });
  const tables = useKinds(useMemo(() => kinds.filter((k) => !unbounded.has(k)), [kinds]));
  const everything = useMemo(
    () => [
      ...nav.map((r) => ({ kind: 'pages', key: r.path, name: r.label ?? '', about: '', more: '', href: r.path })),
      ...packs.map(({ meta }) => ({ kind: 'contents', key: meta.Name, name: meta.Name, about: meta.Description, more: '', href: '/contents/' + encodeURIComponent(meta.Name) })),
      ...[...tables].flatMap(([kind, t]) => t.items.map((o) => searched(kind, o))),
    ],
    [packs, tables],
  );
  return { loading: !kinds.length || [...tables.values()].some((t) => t.loading), everything };
}

function searched(kind: string, o: Thing): Searched {
  const key = keyOf(kind, o);
  if (kind !== 'machines') return { kind, key, name: key, about: String(o.Description ?? ''), more: '', href: link(kind, key) };
  const m = o as unknown as Machine;
  const about = [m.Address, m.Stage, m.Description].filter(Boolean).join(' · ');
  return { kind, key, name: m.Name, about, more: m.Uuid + ' ' + m.HardwareAddrs.join(' '), href: link(kind, key) };
}

/** Jobs are too many to be searched; one whose UUID is known is found by it. */
function job(text: string): Found[] {
  const uuid = text.trim().toLowerCase();
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(uuid) ? [{ kind: 'jobs', key: uuid, name: uuid, about: 'the job of this UUID', more: '', href: link('jobs', uuid) }] : [];
}
