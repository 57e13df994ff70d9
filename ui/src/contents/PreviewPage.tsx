import { Alert, Anchor, Checkbox, Group, Loader, Paper, SegmentedControl, Select, Stack, Text } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { keepPreviousData, useQuery, useQueryClient } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { api, ApiError, part } from '../api/client.ts';
import type { Machine, Thing } from '../api/types.ts';
import { link, useQueryState } from '../app/router.ts';
import { useEvents, useObjects } from '../live/hooks.ts';
import { Copy } from '../parts/Copy.tsx';
import { Editor, type Language } from '../parts/Editor.tsx';
import { Empty } from '../parts/Empty.tsx';
import { Page } from '../parts/Page.tsx';
import { Problem } from '../parts/Problem.tsx';
import classes from './contents.module.css';

interface Fault {
  Kind: string;
  Key: string;
  Part: string;
  Line: number;
  Column: number;
  Why: string;
  Full: string;
  Source: string;
}

interface Previewed {
  Name: string;
  Path: string;
  Link: string;
  Content: string;
  Meta: Record<string, string>;
  Error?: Fault;
}

const kinds = [
  { value: 'tasks', label: 'Task' },
  { value: 'stages', label: 'Stage' },
  { value: 'bootenvs', label: 'Boot environment' },
  { value: 'text', label: 'Free text' },
];

const systems = [
  { value: '', label: 'All systems' },
  { value: 'linux', label: 'linux' },
  { value: 'windows', label: 'windows' },
  { value: 'darwin', label: 'darwin' },
];

const sample = '#!/usr/bin/env bash\necho "I am {{.Machine.Name}}, at {{.Machine.Address}}"\n';

/** What a machine would get of a task, stage, boot environment or text; rendered again as any of them changes. */
export default function PreviewPage() {
  const [kind, setKind] = useQueryState('kind', 'tasks');
  const [key, setKey] = useQueryState('key');
  const [machine, setMachine] = useQueryState('machine');
  const [os, setOs] = useQueryState('os');
  const [text, setText] = useState(sample);
  const [clear, setClear] = useState(false);
  const machines = useObjects<Machine>('machines');
  const byName = useMemo(() => new Map(machines.items.map((m) => [m.Name, m])), [machines.items]);
  const chosen = byName.get(machine) ?? machines.byKey.get(machine);
  const [settled] = useDebouncedValue(text, 300);
  const free = kind === 'text';
  const ready = chosen !== undefined && (free || key !== '');
  const ask = free ? { Templates: [{ Name: 'text', Contents: settled }], OS: os } : { Kind: kind, Key: key, OS: os };
  const name = ['preview', chosen?.Uuid, JSON.stringify(ask), clear];
  const { data, error, isFetching } = useQuery<Previewed[], ApiError>({
    queryKey: name,
    enabled: ready,
    placeholderData: keepPreviousData,
    retry: false,
    queryFn: ({ signal }) => api<Previewed[]>('POST', `/machines/${part(chosen!.Uuid)}/preview`, { body: ask, query: { decode: clear || undefined }, signal }),
  });
  useAgain(ready ? kind : '', chosen?.Uuid ?? '');
  const shown = ready && !error ? data : undefined;
  const fault = free ? shown?.[0]?.Error : undefined;
  const ownFault = fault !== undefined && fault.Part === 'text' && fault.Line > 0;
  return (
    <Page title="Template preview" after={isFetching && <Loader size="xs" aria-label="Rendering" />}>
      <Stack gap="md">
        <div className={classes.choice}>
          <SegmentedControl
            className={classes.tight}
            aria-label="What to preview"
            size="xs"
            data={kinds}
            value={kind}
            onChange={(k) => {
              setKey('');
              setKind(k);
            }}
          />
          {!free && <Key kind={kind} value={key} onChange={setKey} />}
          <Select
            label="Machine"
            size="xs"
            searchable
            limit={50}
            placeholder="Choose a machine"
            nothingFoundMessage="No such machine"
            data={machines.items.map((m) => m.Name)}
            value={chosen?.Name ?? null}
            onChange={(v) => setMachine(v ?? '')}
          />
          <Select label="For" size="xs" data={systems} value={os} onChange={(v) => setOs(v ?? '')} allowDeselect={false} />
          <Checkbox className={classes.tight} size="xs" label="Secure params in the clear" checked={clear} onChange={(e) => setClear(e.currentTarget.checked)} />
        </div>
        {machine !== '' && !chosen && machines.complete && <Problem error={new Error(`There is no machine ${machine}.`)} title="Not found" />}
        {free && (
          <Editor label="Template" language="shell" value={text} onChange={setText} height="18rem" marks={ownFault ? [{ line: fault.Line, message: fault.Why }] : []} />
        )}
        {!ready && (
          <Empty title={machines.items.length === 0 && machines.complete ? 'There is no machine to render for' : free ? 'Choose a machine' : `Choose a ${word(kind)} and a machine`}>
            The scripts are shown as the machine would get them. Nothing changes.
          </Empty>
        )}
        {ready && error && <Problem error={error} />}
        {shown?.length === 0 && <Empty title={`This ${word(kind)} has no templates${os ? ` for ${os}` : ''}`} />}
        {shown?.map((p) => <Shown key={p.Name} p={p} here={free && ownFault} />)}
      </Stack>
    </Page>
  );
}

const word = (kind: string) => (kinds.find((k) => k.value === kind)?.label ?? kind).toLowerCase();

/** Renders again when what goes into it may have changed. */
function useAgain(kind: string, machine: string) {
  const client = useQueryClient();
  const again = () => void client.invalidateQueries({ queryKey: ['preview'] });
  const owner = kind === '' || kind === 'text' ? '' : kind + ',';
  useEvents(kind && `${owner}templates,params,profiles.*.*`, again);
  useEvents(kind && machine && `machines.*.${machine}`, again);
}

function Key({ kind, value, onChange }: { kind: string; value: string; onChange: (key: string) => void }) {
  const { items } = useObjects<Thing & { Name: string }>(kind);
  const names = items.map((o) => o.Name);
  if (value !== '' && !names.includes(value)) names.unshift(value);
  const label = kinds.find((k) => k.value === kind)?.label ?? kind;
  return (
    <Select
      label={label}
      size="xs"
      searchable
      limit={100}
      placeholder={`Choose a ${word(kind)}`}
      nothingFoundMessage="Nothing found"
      data={names}
      value={value || null}
      onChange={(v) => onChange(v ?? '')}
    />
  );
}

function Shown({ p, here }: { p: Previewed; here: boolean }) {
  const kind = p.Path ? 'file' : p.Link ? 'link' : 'script';
  return (
    <Paper withBorder p="xs" component="section" aria-label={p.Name}>
      <Group justify="space-between" mb={6} gap="xs">
        <Group gap="xs">
          <Text fw={600} size="sm">
            {p.Name}
          </Text>
          <Text size="xs" c="dimmed" style={{ overflowWrap: 'anywhere' }}>
            {[p.Path || p.Link || kind, p.Meta.OS].filter(Boolean).join(' · ')}
          </Text>
        </Group>
        {!p.Error && <Copy text={p.Content} label={`Copy ${p.Name}`} />}
      </Group>
      {p.Error ? <Faulty e={p.Error} here={here} /> : <Editor label={p.Name} language={languageOf(p)} value={p.Content} height={heightOf(p.Content)} />}
    </Paper>
  );
}

function Faulty({ e, here }: { e: Fault; here: boolean }) {
  const place = [e.Key && e.Kind ? '' : e.Key, e.Kind === 'templates' ? '' : e.Part, e.Line > 0 && `line ${e.Line}`, e.Column > 0 && `column ${e.Column}`].filter(Boolean).join(', ');
  return (
    <Stack gap="xs">
      <Alert color="red" variant="light" role="alert" title={e.Why}>
        <Text size="sm" style={{ overflowWrap: 'anywhere' }}>
          {e.Kind && (
            <>
              <Anchor size="sm" c="inherit" underline="always" href={link(e.Kind, e.Key)}>
                {`${e.Kind.replace(/s$/, '')} ${e.Key}`}
              </Anchor>
              {place && ', '}
            </>
          )}
          {place}
        </Text>
        {e.Full !== e.Why && (
          <Text size="xs" mt={4} style={{ overflowWrap: 'anywhere' }}>
            {e.Full}
          </Text>
        )}
      </Alert>
      {e.Source && !here && (
        <Editor label="The template's source" language="shell" value={e.Source} height={heightOf(e.Source)} marks={e.Line > 0 ? [{ line: e.Line, message: e.Why }] : []} />
      )}
    </Stack>
  );
}

/** As high as the text, up to a screen. */
const heightOf = (text: string) => (text.split('\n').length > 24 ? '32rem' : undefined);

function languageOf(p: Previewed): Language {
  const name = p.Path || p.Name;
  if (/\.json$/.test(name)) return 'json';
  if (/\.ya?ml$/.test(name)) return 'yaml';
  return p.Path === '' || /^#!.*sh\b/.test(p.Content) || /\.(sh|cfg|ks|conf)$/.test(name) ? 'shell' : 'text';
}
