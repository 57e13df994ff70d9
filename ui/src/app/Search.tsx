import { Anchor, Group, Loader, Modal, ScrollArea, Text, TextInput } from '@mantine/core';
import { useEffect, useMemo, useRef, useState } from 'react';
import type { Machine, Thing } from '../api/types.ts';
import { keyOf } from '../api/types.ts';
import { useObjects } from '../live/hooks.ts';
import { Icon } from '../parts/Icon.tsx';
import { find, type Found, type Searched } from './find.ts';
import { link, navigate } from './router.ts';
import { routes } from './routes.tsx';
import classes from './Search.module.css';

/** Searches everything: pages, machines, and all objects that people give names to. */
export function Search({ opened, close }: { opened: boolean; close: () => void }) {
  return (
    <Modal opened={opened} onClose={close} withCloseButton={false} padding={0} yOffset="10vh" size="lg" aria-label="Search everything">
      {opened && <Panel close={close} />}
    </Modal>
  );
}

const kinds = ['profiles', 'params', 'tasks', 'stages', 'workflows', 'bootenvs', 'templates', 'pools', 'contexts', 'users', 'roles', 'subnets', 'plugins'];
const icons: Record<string, string> = { pages: 'window maximize outline', machines: 'server', profiles: 'id card', params: 'tag', tasks: 'tasks', workflows: 'sitemap' };

function Panel({ close }: { close: () => void }) {
  const [text, setText] = useState('');
  const [at, setAt] = useState(0);
  const { loading, everything } = useEverything();
  const found = useMemo(() => find(everything, text, 50), [everything, text]);
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
  const machines = useObjects<Machine>('machines');
  // The kinds are always the same ones, in the same order, as the rules of hooks demand.
  const others = kinds.map((k) => useObjects(k));
  const snapshots = [machines, ...others];
  const everything = useMemo(
    () => [
      ...routes.flatMap((r) => (r.label ? [{ kind: 'pages', key: r.path, name: r.label, about: '', more: '', href: r.path }] : [])),
      ...machines.items.map((m) => ({
        kind: 'machines', key: m.Uuid, name: m.Name, about: [m.Address, m.Stage, m.Description].filter(Boolean).join(' · '), more: m.Uuid + ' ' + m.HardwareAddrs.join(' '),
        href: link('machines', m.Uuid),
      })),
      ...kinds.flatMap((kind, i) => others[i].items.map((o) => searched(kind, o))),
    ],
    snapshots.map((s) => s.items),
  );
  return { loading: snapshots.some((s) => s.loading), everything };
}

function searched(kind: string, o: Thing): Searched {
  const key = keyOf(kind, o);
  return { kind, key, name: key, about: String(o.Description ?? ''), more: '', href: link(kind, key) };
}
