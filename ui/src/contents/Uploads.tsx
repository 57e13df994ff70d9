import { Alert, Button, CloseButton, Group, Paper, Progress, Stack, Text } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useRef, useState } from 'react';
import { api, ApiError, part } from '../api/client.ts';
import { inOrder, packChanges, readPack, tally, type Pack, type PackChange } from '../lib/pack.ts';
import { Icon } from '../parts/Icon.tsx';
import { Problem } from '../parts/Problem.tsx';
import { upload } from '../parts/upload.ts';
import classes from './contents.module.css';
import { Drop } from './Drop.tsx';
import type { Summary } from './usePacks.ts';

interface Item {
  id: number;
  file: File;
  pack?: Pack;
  old?: Pack; // what it would take the place of
  state: 'waiting' | 'asking' | 'sending' | 'done' | 'refused';
  sent: number; // of 1
  changes?: PackChange[];
  error?: unknown;
  warnings?: string[];
}

/** Content packs on their way to the server: read, compared with what is there, sent in the order of what they need. */
export function Uploads({ packs }: { packs: readonly Summary[] }) {
  const client = useQueryClient();
  const [items, setItems] = useState<Item[]>([]);
  const next = useRef(0);
  const set = (id: number, more: Partial<Item>) => setItems((all) => all.map((i) => (i.id === id ? { ...i, ...more } : i)));

  const take = async (files: File[]) => {
    const read: Item[] = [];
    for (const file of files) {
      const item: Item = { id: next.current++, file, state: 'waiting', sent: 0 };
      try {
        item.pack = readPack(await file.text());
      } catch (error) {
        Object.assign(item, { state: 'refused', error });
      }
      read.push(item);
    }
    setItems((all) => [...all.filter((i) => i.state !== 'done'), ...read]);
    const sound = read.filter((i) => i.pack !== undefined);
    for (const item of inOrder(sound, (i) => i.pack!.meta)) await begin(item);
  };

  const begin = async (item: Item) => {
    const name = item.pack!.meta.Name;
    if (!packs.some((p) => p.meta.Name === name)) return send(item, false);
    try {
      const old = await api<Pack>('GET', '/contents/' + part(name));
      set(item.id, { state: 'asking', old, changes: packChanges(old, item.pack!) });
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return send(item, false);
      set(item.id, { state: 'refused', error });
    }
  };

  const send = async (item: Item, replaceWritable: boolean) => {
    const name = item.pack!.meta.Name;
    const query = { replaceWritable: replaceWritable || undefined };
    set(item.id, { state: 'sending', sent: 0, error: undefined });
    try {
      const how = { query, onProgress: (sent: number) => set(item.id, { sent }) };
      const done = item.old ? await upload<Summary>('/contents/' + part(name), item.file, { ...how, method: 'PUT' }) : await upload<Summary>('/contents', item.file, how);
      set(item.id, { state: 'done', warnings: done.Warnings });
    } catch (error) {
      set(item.id, { state: 'refused', error });
    }
    void client.invalidateQueries({ queryKey: ['contents'] });
  };

  return (
    <Stack gap="xs">
      <Drop label="Upload packs" hint="or drop .yaml and .json files of content packs here" accept=".json,.yaml,.yml" multiple onFiles={(files) => void take(files)} />
      {items.map((i) => (
        <Transfer key={i.id} item={i} onSend={(all) => void send(i, all)} onAgain={() => void begin(i)} onClose={() => setItems((all) => all.filter((x) => x.id !== i.id))} />
      ))}
    </Stack>
  );
}

/** Whether it is writable objects that stand in the way of a pack: only they can give way to it. */
const overrides = (error: unknown) => error instanceof ApiError && error.messages.length > 0 && error.messages.every((m) => m.includes('would override layer writable-'));

const words: Record<Item['state'], string> = { waiting: 'waits', asking: 'replaces', sending: 'is sent', done: 'is loaded', refused: 'is refused' };
const icons: Record<Item['state'], string> = { waiting: 'clock outline', asking: 'circle question', sending: 'upload', done: 'circle check', refused: 'circle xmark' };
const colours: Record<Item['state'], string> = { waiting: 'grey', asking: 'orange', sending: 'blue', done: 'green', refused: 'red' };

interface TransferProps {
  item: Item;
  onSend: (replaceWritable: boolean) => void;
  onAgain: () => void;
  onClose: () => void;
}

function Transfer({ item, onSend, onAgain, onClose }: TransferProps) {
  const meta = item.pack?.meta;
  return (
    <Paper withBorder p="xs" role="group" aria-label={`Upload of ${item.file.name}`}>
      <Group justify="space-between" wrap="nowrap" align="start">
        <Group gap="xs">
          <Text size="sm" fw={600}>
            {meta ? [meta.Name, meta.Version].filter(Boolean).join(' ') : item.file.name}
          </Text>
          <Text size="sm" component="span">
            <Icon name={icons[item.state]} color={colours[item.state]} /> {words[item.state]}
          </Text>
          {meta && (
            <Text size="xs" c="dimmed">
              {item.file.name}
            </Text>
          )}
        </Group>
        {item.state !== 'sending' && <CloseButton size="sm" aria-label={`Put ${item.file.name} aside`} onClick={onClose} />}
      </Group>
      {item.state === 'sending' && <Progress mt="xs" size="sm" value={item.sent * 100} animated aria-label={`${item.file.name}: sent`} />}
      {item.state === 'asking' && <Replace item={item} onYes={() => onSend(false)} onNo={onClose} />}
      {item.state === 'refused' && (
        <Stack mt="xs" gap="xs" align="start">
          <Problem error={item.error} title="The pack was not loaded" />
          {item.pack && (
            <Group gap="xs">
              {overrides(item.error) && (
                <Button size="xs" variant="default" onClick={() => onSend(true)}>
                  Load it in place of the writable objects
                </Button>
              )}
              <Button size="xs" variant="default" onClick={onAgain}>
                Try again
              </Button>
            </Group>
          )}
        </Stack>
      )}
      {item.state === 'done' && (item.warnings?.length ?? 0) > 0 && (
        <Alert mt="xs" color="yellow" variant="light" title="Loaded, with warnings">
          {item.warnings!.map((w, n) => (
            <Text key={n} size="sm">
              {w}
            </Text>
          ))}
        </Alert>
      )}
    </Paper>
  );
}

const marks = { added: '+', changed: '~', removed: '−' };

function Replace({ item, onYes, onNo }: { item: Item; onYes: () => void; onNo: () => void }) {
  const was = item.old!.meta.Version;
  const changes = item.changes ?? [];
  return (
    <Stack mt="xs" gap="xs">
      <Text size="sm">
        {`It takes the place of ${item.old!.meta.Name}${was ? ' ' + was : ''}: ${tally(changes)}.`}
      </Text>
      {changes.length > 0 && (
        // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- it scrolls
        <ul className={classes.changes} tabIndex={0} aria-label="Changes">
          {changes.map((c) => (
            <li key={c.kind + '/' + c.key}>
              <Text span ff="monospace" size="sm" aria-label={c.how}>
                {marks[c.how]}
              </Text>{' '}
              {c.kind} {c.key}
            </li>
          ))}
        </ul>
      )}
      <Group gap="xs">
        <Button size="xs" onClick={onYes}>
          Replace
        </Button>
        <Button size="xs" variant="default" onClick={onNo}>
          Keep what is there
        </Button>
      </Group>
    </Stack>
  );
}
