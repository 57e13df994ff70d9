import { Anchor, Badge, Button, FileButton, Group, Loader, Menu, Text } from '@mantine/core';
import { useDeferredValue, useMemo, useState } from 'react';
import { useParams } from 'wouter';
import { change, part } from '../api/client.ts';
import { keyField, keyOf } from '../api/types.ts';
import { link, useQueryState } from '../app/router.ts';
import { compileFilter, parseFilter, toQuery } from '../lib/filter.ts';
import { own, type JsonObject } from '../lib/json.ts';
import { asText, columnsOf, type Kind } from '../lib/kind.ts';
import type { Fields } from '../lib/match.ts';
import { read } from '../lib/text.ts';
import { useList, useObjects } from '../live/hooks.ts';
import { confirm } from '../parts/confirm.tsx';
import { DataGrid, type Column } from '../parts/DataGrid.tsx';
import { Empty } from '../parts/Empty.tsx';
import { FilterBox } from '../parts/FilterBox.tsx';
import { Icon } from '../parts/Icon.tsx';
import { Page } from '../parts/Page.tsx';
import { headline, messages, notifyDone, notifyError, Problem } from '../parts/Problem.tsx';
import { CreateDrawer } from './CreateDrawer.tsx';
import { download } from './download.ts';
import { extras } from './extras.tsx';
import { useKind } from './useKind.ts';

// KindPage is the list of the objects of any kind.
export default function KindPage() {
  const { kind: name = '' } = useParams<{ kind: string }>();
  const { kind, indexes, loading, error } = useKind(name);
  if (error) return <Page title={name}><Problem error={error} /></Page>;
  if (loading) return <Page title={name}><Loader size="sm" aria-label="Loading" /></Page>;
  if (name === 'preferences') return <Page title={name}><Empty title="Preferences have a page of their own"><Anchor href="#/prefs">Preferences</Anchor></Empty></Page>;
  if (!kind) return <Page title={name}><Empty title={`There is no kind ${name}`}><Anchor href="#/objects">All kinds</Anchor></Empty></Page>;
  const Listed = onServer.has(name) ? Asked : Held;
  return <Listed key={name} kind={kind} indexes={indexes} />;
}

// Kinds of which there can be more than a page should hold, or with indexes that only the server can answer.
const onServer = new Set(['jobs', 'leases', 'subnets']);

interface Props {
  kind: Kind;
  indexes: Fields;
}

function useTyped(indexes: Fields) {
  const [text, setText] = useQueryState('filter');
  const typed = useDeferredValue(text);
  const language = useMemo(() => ({ fields: indexes, params: [] }), [indexes]);
  const filter = useMemo(() => parseFilter(typed, language), [typed, language]);
  return { text, setText, language, filter };
}

// Held are all objects of the kind, filtered here as one types.
function Held({ kind, indexes }: Props) {
  const { items, loading, complete, error } = useObjects<JsonObject>(kind.name);
  const typed = useTyped(indexes);
  const rows = useMemo(() => {
    const access = { key: (o: JsonObject) => keyOf(kind.name, o), param: kind.params ? (o: JsonObject, p: string) => own(o.Params as JsonObject | undefined, p) : undefined };
    return typed.filter.error ? items : items.filter(compileFilter(typed.filter, indexes, access));
  }, [items, typed.filter, indexes, kind]);
  return <Rows kind={kind} rows={rows} total={items.length} loading={loading || !complete} error={error} typed={typed} />;
}

const page = 200;

// Asked are those that the server finds, in pages.
function Asked({ kind, indexes }: Props) {
  const typed = useTyped(indexes);
  const [limit, setLimit] = useState(page);
  const [sort, setSort] = useQueryState('sort');
  const query = useMemo(() => {
    const terms = Object.fromEntries(toQuery({ ...typed.filter, words: [] }) ?? []);
    const by = sort.replace(/^-/, '');
    return { ...terms, limit, ...(by in indexes ? { sort: by, reverse: sort.startsWith('-') || undefined } : {}) };
  }, [typed.filter, limit, sort, indexes]);
  const { items, total, loading, error } = useList<JsonObject>(kind.name, query);
  const words = typed.filter.words.map((w) => w.toLowerCase());
  const rows = words.length === 0 ? items : items.filter((o) => words.every((w) => JSON.stringify(o).toLowerCase().includes(w)));
  return <Rows kind={kind} rows={rows} total={total} loading={loading} error={error} typed={typed} server={{ sort, setSort, more: () => items.length < total && items.length >= limit && setLimit(limit + page) }} />;
}

interface RowsProps {
  kind: Kind;
  rows: JsonObject[];
  total: number;
  loading: boolean;
  error?: Error;
  typed: ReturnType<typeof useTyped>;
  server?: { sort: string; setSort: (s: string) => void; more: () => void };
}

function Rows({ kind, rows, total, loading, error, typed, server }: RowsProps) {
  const Above = extras[kind.name]?.Above;
  const key = keyField(kind.name);
  const columns = useMemo(() => columnsFor(kind, key), [kind, key]);
  const rowKey = useMemo(() => (o: JsonObject) => keyOf(kind.name, o), [kind]);
  const [sort, setSort] = useQueryState('sort', key);
  const [selection, setSelection] = useState<ReadonlySet<string>>(new Set());
  const [creating, setCreating] = useQueryState('create');
  const [clone, setClone] = useQueryState('clone');
  const chosen = rows.filter((o) => selection.has(rowKey(o)));
  const present = (name: string) => [...new Set(rows.slice(0, 1000).flatMap((o) => (Array.isArray(o[name]) ? o[name] : [o[name]]).filter((v) => typeof v !== 'object').map(String)))].sort();
  return (
    <Page title={kind.name} fill after={kind.about && <Text size="sm" c="dimmed" visibleFrom="sm">{kind.about}</Text>}
      actions={<Actions kind={kind} rows={rows} chosen={chosen} create={() => setCreating('1')} clone={setClone} done={() => setSelection(new Set())} />}>
      {error && <Problem error={error} />}
      {Above && <Above />}
      <DataGrid name={`kind-${kind.name}`} label={kind.name} rows={rows} columns={columns} rowKey={rowKey} href={(o) => link(kind.name, rowKey(o))} loading={loading} total={total}
        sort={server ? server.sort : sort} onSort={server ? server.setSort : setSort} inOrder={server !== undefined} onEnd={server?.more} selection={selection} onSelection={setSelection} pageKeys
        empty={total === 0 ? `There are no ${kind.name} yet.` : 'None of them fits the filter.'}
        toolbar={<FilterBox label="Filter" value={typed.text} onChange={typed.setText} filter={typed.filter} language={typed.language} present={present} />} />
      {(creating || clone) && kind.can.create && <CreateDrawer key={clone} kind={kind} clone={clone || undefined} close={() => (clone ? setClone('') : setCreating(''))} />}
    </Page>
  );
}

function columnsFor(kind: Kind, key: string): Column<JsonObject>[] {
  const shown = columnsOf(kind, key);
  const icon = (o: JsonObject) => (o.Meta as Record<string, string> | undefined)?.icon;
  const has = (name: string) => kind.fields.some((f) => f.name === name);
  return [
    { id: key, header: key, width: 260, sort: (o) => asText(o[key]), cell: (o) => <>{icon(o) && <Icon name={icon(o)!} color={(o.Meta as Record<string, string>).color} />} {asText(o[key])}</> },
    ...(has('Description') ? [{ id: 'Description', header: 'Description', grow: true, sort: (o: JsonObject) => asText(o.Description), cell: (o: JsonObject) => asText(o.Description) }] : []),
    ...shown.map((f, i): Column<JsonObject> => ({
      id: f.name, header: f.name, hidden: i >= (has('Description') ? 3 : 5), numeric: f.shape === 'integer' || f.shape === 'number', sort: (o) => (typeof o[f.name] === 'number' ? (o[f.name] as number) : asText(o[f.name])), cell: (o) => asText(o[f.name]),
    })),
    ...(has('Available') ? [{ id: 'Available', header: 'Usable', width: 150, sort: (o: JsonObject) => asText(o.Available), cell: usable }] : []),
    ...(has('Bundle') ? [{ id: 'Bundle', header: 'Pack', width: 140, sort: (o: JsonObject) => asText(o.Bundle), cell: (o: JsonObject) => asText(o.Bundle) }] : []),
    ...(has('ReadOnly') ? [{ id: 'ReadOnly', header: 'Read-only', width: 100, hidden: true, sort: (o: JsonObject) => asText(o.ReadOnly), cell: (o: JsonObject) => asText(o.ReadOnly) }] : []),
  ];
}

function usable(o: JsonObject) {
  if (o.Available !== false) return 'yes';
  return <Badge color="red" variant="light" size="sm" title={asText(o.Errors)} leftSection={<Icon name="warning sign" />}>not available</Badge>;
}

interface ActionProps {
  kind: Kind;
  rows: JsonObject[];
  chosen: JsonObject[];
  create: () => void;
  clone: (key: string) => void;
  done: () => void;
}

function Actions({ kind, rows, chosen, create, clone, done }: ActionProps) {
  const what = chosen.length > 0 ? chosen : rows;
  const label = chosen.length > 0 ? `Export ${chosen.length}` : 'Export';
  const keys = chosen.map((o) => keyOf(kind.name, o));
  const deletable = chosen.filter((o) => o.ReadOnly !== true).map((o) => keyOf(kind.name, o));
  return (
    <>
      {chosen.length === 1 && kind.can.create && <Button size="xs" variant="default" onClick={() => clone(keys[0])} leftSection={<Icon name="clone" />}>Clone</Button>}
      {chosen.length > 0 && kind.can.remove && (
        <Button size="xs" variant="default" color="red" disabled={deletable.length === 0} title={deletable.length === 0 ? 'They come from packs' : undefined}
          onClick={() => void removeAll(kind.name, deletable, chosen.length - deletable.length).then(done)} leftSection={<Icon name="trash" />}>Delete {deletable.length}</Button>
      )}
      <Menu>
        <Menu.Target><Button size="xs" variant="default" disabled={what.length === 0} leftSection={<Icon name="download" />}>{label}</Button></Menu.Target>
        <Menu.Dropdown>
          <Menu.Item onClick={() => download(`${kind.name}.json`, what, 'json')}>JSON</Menu.Item>
          <Menu.Item onClick={() => download(`${kind.name}.yaml`, what, 'yaml')}>YAML</Menu.Item>
        </Menu.Dropdown>
      </Menu>
      {kind.can.create && (
        <FileButton multiple accept=".json,.yaml,.yml" onChange={(files) => void importAll(kind.name, files)} inputProps={{ 'aria-label': `Import ${kind.name}` }}>
          {(props) => <Button size="xs" variant="default" {...props} leftSection={<Icon name="upload" />}>Import</Button>}
        </FileButton>
      )}
      {kind.can.create && <Button size="xs" onClick={create} leftSection={<Icon name="plus" />}>Create</Button>}
    </>
  );
}

// importAll creates what files hold, each one object or a list of them, as Export writes them. Those that are there already stay as they are.
async function importAll(kind: string, files: File[]): Promise<void> {
  const failed: string[] = [];
  let made = 0;
  for (const file of files) {
    try {
      const { value: doc, marks } = read(await file.text(), file.name.endsWith('.json') ? 'json' : 'yaml');
      if (doc === undefined) throw new Error(marks.map((m) => `line ${m.line}: ${m.message}`).join('; '));
      for (const o of Array.isArray(doc) ? doc : [doc]) {
        await change('POST', `/${kind}`, { body: o }).then(() => made++, (err: unknown) => failed.push(`${file.name}: ${headline(err)}: ${messages(err).join('; ')}`));
      }
    } catch (err) {
      failed.push(`${file.name}: ${(err as Error).message}`);
    }
  }
  if (made > 0) notifyDone(`${made} of ${kind} are created`);
  if (failed.length > 0) notifyError(new Error(failed.join('\n')), `Not created: ${failed.length}`);
}

async function removeAll(kind: string, keys: string[], kept: number): Promise<void> {
  const yes = await confirm({
    title: `Delete ${keys.length} of ${kind}?`, action: 'Delete', danger: true,
    children: <Group gap="xs">{keys.slice(0, 20).join(', ')}{keys.length > 20 && ` and ${keys.length - 20} more`}{kept > 0 && <Text size="sm" c="dimmed">{kept} that come from packs stay.</Text>}</Group>,
  });
  if (!yes) return;
  const failed: [string, unknown][] = [];
  for (const key of keys) await change('DELETE', `/${kind}/${part(key)}`).catch((err: unknown) => failed.push([key, err]));
  if (failed.length === 0) notifyDone(`${keys.length} of ${kind} are deleted`);
  else notifyError(new Error(failed.map(([key, err]) => `${key}: ${headline(err)}: ${messages(err).join('; ')}`).join('\n')), `${failed.length} of ${keys.length} were not deleted`);
}

