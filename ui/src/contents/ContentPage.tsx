import { Anchor, Loader, Stack, Text, TextInput, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { useParams } from 'wouter';
import { api, ApiError, part } from '../api/client.ts';
import { link, navigate } from '../app/router.ts';
import { dependents, needs, type Pack } from '../lib/pack.ts';
import { useEvents } from '../live/hooks.ts';
import { DataGrid, type Column } from '../parts/DataGrid.tsx';
import { Icon } from '../parts/Icon.tsx';
import { Page } from '../parts/Page.tsx';
import { Problem } from '../parts/Problem.tsx';
import classes from './contents.module.css';
import { PackMenu } from './ContentsPage.tsx';
import { usePacks } from './usePacks.ts';

interface Row {
  kind: string;
  key: string;
  about: string;
}

const columns: Column<Row>[] = [
  { id: 'Key', header: 'Object', cell: (r) => r.key, sort: (r) => r.key, width: 280 },
  { id: 'Kind', header: 'Kind', cell: (r) => r.kind, sort: (r) => r.kind, width: 140 },
  { id: 'Description', header: 'Description', cell: (r) => r.about, grow: true },
];

// What stands above the list by itself, or not at all.
const apart = ['Name', 'Version', 'Type', 'Description', 'Documentation', 'Icon', 'Color', 'Prerequisites', 'Writable', 'Overwritable', 'Order'];

/** One content pack: what it says of itself, and its objects. */
export default function ContentPage() {
  const { name: given } = useParams<{ name: string }>();
  const name = decodeURIComponent(given);
  const { data, error, refetch } = useQuery<Pack, ApiError>({ queryKey: ['contents', name], queryFn: () => api<Pack>('GET', '/contents/' + part(name)) });
  useEvents(`contents.*.${name}`, () => void refetch());
  const { packs } = usePacks();
  const summary = packs?.find((p) => p.meta.Name === name);
  if (error) {
    return (
      <Page title={name}>
        <Problem error={error} retry={() => void refetch()} />
        <Text size="sm" mt="sm">
          <Anchor href="#/contents">All content packs</Anchor>
        </Text>
      </Page>
    );
  }
  if (!data) return <Loader size="sm" m="md" aria-label="Loading" />;
  const { meta } = data;
  const text = (field: string) => (typeof meta[field] === 'string' ? meta[field] : '');
  const needing = dependents((packs ?? []).map((p) => p.meta), name);
  const facts = Object.entries(meta).filter(([k, v]) => !apart.includes(k) && typeof v === 'string' && v !== '');
  return (
    <Page
      title={text('DisplayName') || name}
      before={<Icon name={text('Icon') || 'box'} color={text('Color')} size="1.4em" />}
      after={
        <Text size="sm" c="dimmed">
          {[meta.Version, text('Type')].filter(Boolean).join(' · ')}
        </Text>
      }
      actions={summary && packs && <PackMenu pack={summary} all={packs} onRemoved={() => navigate('/contents')} />}
    >
      <Stack gap="md">
        {text('Description') && <Text size="sm">{text('Description')}</Text>}
        {summary && summary.Warnings.length > 0 && <Problem error={new ApiError(0, summary.Warnings)} title="Warnings" />}
        <dl className={classes.facts}>
          <Packs label="Requires" names={needs(meta.Prerequisites)} known={packs?.map((p) => p.meta.Name)} />
          <Packs label="Required by" names={needing.map((m) => m.Name)} />
          {facts.map(([label, value]) => (
            <div key={label}>
              <dt>{label}</dt>
              <dd>{String(value)}</dd>
            </div>
          ))}
        </dl>
        <Objects sections={data.sections} />
        {text('Documentation') && (
          <section>
            <Title order={2} size="h5" mb={4}>
              Documentation
            </Title>
            {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- it scrolls */}
            <pre className={classes.prose} tabIndex={0} aria-label="Documentation">
              {text('Documentation').trim()}
            </pre>
          </section>
        )}
      </Stack>
    </Page>
  );
}

function Packs({ label, names, known }: { label: string; names: string[]; known?: string[] }) {
  if (names.length === 0) return null;
  return (
    <div>
      <dt>{label}</dt>
      <dd>
        {names.map((n, i) => (
          <span key={n}>
            {i > 0 && ', '}
            {known && !known.includes(n) ? `${n} (missing)` : <Anchor size="sm" href={'#/contents/' + encodeURIComponent(n)}>{n}</Anchor>}
          </span>
        ))}
      </dd>
    </div>
  );
}

function Objects({ sections }: { sections: Pack['sections'] }) {
  const [search, setSearch] = useState('');
  const rows = useMemo<Row[]>(
    () =>
      Object.entries(sections)
        .flatMap(([kind, section]) => Object.entries(section).map(([key, o]) => ({ kind, key, about: about(o) })))
        .sort((a, b) => a.kind.localeCompare(b.kind) || a.key.localeCompare(b.key)),
    [sections],
  );
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const shown = words.length === 0 ? rows : rows.filter((r) => words.every((w) => `${r.kind} ${r.key} ${r.about}`.toLowerCase().includes(w)));
  return (
    <DataGrid
      name="pack-objects"
      label="Objects of the pack"
      rows={shown}
      total={rows.length}
      columns={columns}
      rowKey={(r) => r.kind + '/' + r.key}
      href={(r) => link(r.kind, r.key)}
      height="60vh"
      toolbar={
        <TextInput flex="1 1 14rem" size="xs" type="search" aria-label="Search the objects" placeholder="Search" leftSection={<Icon name="search" />}
          value={search} onChange={(e) => setSearch(e.currentTarget.value)} />
      }
      empty={rows.length === 0 ? 'The pack has no objects.' : 'Nothing matches.'}
    />
  );
}

const about = (o: unknown) => String((o as { Description?: string } | null)?.Description ?? '');
