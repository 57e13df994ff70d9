import { Button, Group } from '@mantine/core';
import { useDebouncedCallback, useDisclosure } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { useCallback, useDeferredValue, useEffect, useMemo, useRef, useState } from 'react';
import { api } from '../api/client.ts';
import type { Machine, Param } from '../api/types.ts';
import { link, useQueryState } from '../app/router.ts';
import { useShortcuts } from '../app/shortcuts.ts';
import { compileFilter, type Filter, type Language, paramsOf, parseFilter, toCommand } from '../lib/filter.ts';
import { countStates, type MachineState } from '../lib/machine-state.ts';
import { type Access, type Fields, valuesOf } from '../lib/match.ts';
import { sortedBy } from '../lib/natural.ts';
import { useFleet } from '../live/fleet.ts';
import { useObjects } from '../live/hooks.ts';
import { Copy } from '../parts/Copy.tsx';
import { DataGrid, useArranged } from '../parts/DataGrid.tsx';
import { Empty } from '../parts/Empty.tsx';
import { FilterBox } from '../parts/FilterBox.tsx';
import { useGridLayout } from '../parts/gridLayout.ts';
import { Icon } from '../parts/Icon.tsx';
import { Page } from '../parts/Page.tsx';
import { Problem } from '../parts/Problem.tsx';
import { StateBadge } from '../parts/StateBadge.tsx';
import { BulkMenu } from './BulkMenu.tsx';
import { machineColumns, paramColumn, paramColumns, paramText } from './columns.tsx';
import { CreateMachine } from './CreateMachine.tsx';
import classes from './machines.module.css';
import { useEffective } from './values.ts';

const rowKey = (m: Machine): string => m.Uuid;
const href = (m: Machine): string => link('machines', m.Uuid);
const fixed = machineColumns(() => 'idle');
const defaults = fixed.filter((c) => !c.hidden).map((c) => c.id);
const none: readonly string[] = [];

/** All machines as a table: filtered as one types, and changed many at a time. */
export default function MachinesPage() {
  const fleet = useFleet();
  const { items, byKey, loading, complete, error } = fleet;
  const [text, setText] = useTyped('filter');
  const [stateShown, setStateShown] = useQueryState('state');
  const [sort, setSort] = useQueryState('sort', 'Name');
  const layout = useGridLayout('machines', defaults, useQueryState('columns'));
  const [selection, setSelection] = useState<ReadonlySet<string>>(new Set());
  const [sight, setSight] = useState<readonly string[]>(none);
  const [creating, creation] = useDisclosure();
  useShortcuts([
    { keys: 'f', label: 'Filter the list', group: 'List', run: () => document.querySelector<HTMLInputElement>('input[aria-label="Filter machines"]')?.focus() },
    { keys: 'c', label: 'Create a machine', group: 'List', run: creation.open },
  ]);

  const language = useLanguage();
  const typed = useDeferredValue(text);
  const filter = useLastGood(useMemo(() => parseFilter(typed, language ?? unknown), [typed, language]));
  const asked = useNames(useMemo(() => (language ? paramsOf(filter, language) : none), [filter, language]));
  const paramNames = useNames(layout.shown.filter((id) => id.startsWith(paramColumn)).map((id) => id.slice(paramColumn.length)));
  const sortName = sort.replace(/^-/, '');
  const everywhere = useNames(sortName.startsWith(paramColumn) ? [...asked, sortName.slice(paramColumn.length)] : asked);
  const effective = useEffective(items, sight, paramNames, everywhere);

  const access = useMemo<Access<Machine>>(() => ({ key: rowKey, param: (m, name) => effective.value(m.Uuid, name) }), [effective]);
  const reading = asked.length > 0 ? access : plain; // values come one after another: no matter to a filter that asks for none
  const fields = language?.fields;
  const { state } = fleet;
  const known = useMemo(() => machineColumns(state), [state]);
  const columns = useMemo(() => {
    const names = new Set([...(language?.params ?? []), ...paramNames]);
    return [...known, ...paramColumns([...names], effective)];
  }, [known, language, paramNames, effective]);
  const sorted = useArranged(items, columns, sort); // before it is filtered: what is typed changes which rows there are, not their order
  const unread = !fields && text !== '';
  const found = useMemo(() => {
    if (!fields) return unread ? [] : sorted;
    return filter.words.length + filter.terms.length === 0 ? sorted : sorted.filter(compileFilter(filter, fields, reading));
  }, [sorted, filter, fields, reading, unread]);
  const counts = useMemo(() => countStates(found.map(state)), [found, state]);
  const rows = useMemo(() => (stateShown ? found.filter((m) => state(m) === stateShown) : found), [found, state, stateShown]);

  const present = usePresent(items, fields, access);
  const see = useDebouncedCallback((seen: readonly Machine[]) => setSight((old) => same(old, seen.map(rowKey))), 60);
  const chosen = useMemo(() => [...selection].map((key) => byKey.get(key)).filter((m) => m !== undefined), [selection, byKey]);
  const selected = useMemo(() => (chosen.length === selection.size ? selection : new Set(chosen.map(rowKey))), [chosen, selection]); // without those that are gone
  const command = useMemo(() => (text === '' || stateShown || filter.error ? undefined : toCommand('machines', filter)), [text, filter, stateShown]);

  const waiting = loading || unread || (everywhere.length > 0 && !effective.complete);
  return (
    <Page
      title="Machines"
      fill
      after={!complete && !loading && !error ? <span role="status">reading …</span> : undefined}
      actions={
        <>
          <BulkMenu machines={chosen.length > 0 ? chosen : rows} chosen={chosen.length > 0} byKey={byKey} ready={complete && !waiting} />
          <Button size="xs" leftSection={<Icon name="plus" />} onClick={creation.open}>Create machine</Button>
        </>
      }
    >
      {error && <Problem error={error} title="The machines cannot be read" />}
      <States counts={counts} shown={stateShown} onShow={setStateShown} />
      <CreateMachine opened={creating} close={creation.close} />
      <DataGrid
        name="machines" label="Machines" rows={rows} columns={columns} rowKey={rowKey} href={href} layout={layout} sort={sort} onSort={setSort}
        selection={selected} onSelection={setSelection} total={items.length} loading={waiting} onVisible={paramNames.length > 0 ? see : undefined} inOrder pageKeys
        toolbar={
          <>
            <FilterBox label="Filter machines" value={text} onChange={setText} filter={filter} language={language ?? unknown} present={present} />
            {command && <Copy text={command} label={`Copy: ${command}`} />}
          </>
        }
        empty={<Nothing all={items.length} clear={() => { setText(''); setStateShown(''); }} create={creation.open} />}
      />
    </Page>
  );
}

const unknown: Language = { fields: {}, params: [] };
const plain: Access<Machine> = { key: rowKey, param: () => undefined };

function Nothing({ all, clear, create }: { all: number; clear: () => void; create: () => void }) {
  if (all > 0) return <>No machine matches. <Button size="compact-xs" variant="default" onClick={clear}>Clear the filter</Button></>;
  return (
    <Empty title="No machines yet">
      <p>Machines appear here by themselves when they boot from the network and discovery is on.</p>
      <Button size="xs" onClick={create}>Create machine</Button>
    </Empty>
  );
}

/** States counts what was found by state, and shows those of one when it is pressed. */
function States({ counts, shown, onShow }: { counts: [MachineState, number][]; shown: string; onShow: (state: string) => void }) {
  const all = shown && !counts.some(([s]) => s === shown) ? [...counts, [shown, 0] as const] : counts;
  if (all.length === 0) return null;
  return (
    <Group gap={4} className={classes.states} role="group" aria-label="Show one state">
      {all.map(([state, n]) => (
        <button key={state} type="button" aria-pressed={shown === state} onClick={() => onShow(shown === state ? '' : state)}>
          <StateBadge state={state} count={n} />
        </button>
      ))}
    </Group>
  );
}

/** useLanguage is what a filter of machines can name, once the server has told. */
function useLanguage(): Language | undefined {
  const { data } = useQuery({ queryKey: ['indexes', 'machines'], queryFn: () => api<Fields>('GET', '/indexes/machines'), staleTime: Infinity });
  const { items } = useObjects<Param>('params');
  const params = useNames(items.map((p) => p.Name));
  return useMemo(() => data && { fields: data, params }, [data, params]);
}

/** useLastGood keeps what was found by the last filter that could be read, beside what is wrong with this one. */
function useLastGood(filter: Filter): Filter {
  const good = useRef(filter);
  return useMemo(() => {
    if (!filter.error) return (good.current = filter);
    return { ...good.current, error: filter.error };
  }, [filter]);
}

/** useNames is the same list for as long as it holds the same. */
function useNames(names: readonly string[]): readonly string[] {
  const [kept, keep] = useState(names);
  const now = same(kept, names);
  if (now !== kept) keep(now);
  return now;
}

const same = (old: readonly string[], now: readonly string[]): readonly string[] => (old.length === now.length && old.every((s, i) => s === now[i]) ? old : now);

/** useTyped is a text that stands in the address, but not after each key. */
function useTyped(name: string): [string, (text: string) => void] {
  const [linked, setLinked] = useQueryState(name);
  const [text, setText] = useState(linked);
  const last = useRef(linked);
  const save = useDebouncedCallback((t: string) => {
    last.current = t;
    setLinked(t);
  }, 250);
  useEffect(() => {
    if (linked === last.current) return;
    last.current = linked; // somebody has gone back, or followed a link
    setText(linked);
  }, [linked]);
  const type = useCallback((t: string) => {
    setText(t);
    save(t);
  }, [save]);
  return [text, type];
}

/** usePresent yields the values there are of a field or param, in order. */
function usePresent(items: readonly Machine[], fields: Fields | undefined, access: Access<Machine>): (name: string) => readonly string[] {
  return useMemo(() => {
    const read = (name: string): readonly string[] => {
      if (fields?.[name]?.Type === 'boolean') return ['true', 'false'];
      if (fields?.[name] && fields[name].Type !== 'string') return none;
      const values = valuesOf(name, fields?.[name], access);
      const texts = new Set<string>();
      for (const m of items) for (const v of values(m)) if (v !== '' && typeof v !== 'object') texts.add(paramText(v));
      return sortedBy([...texts], (t) => t);
    };
    const known = new Map<string, readonly string[]>();
    return (name) => {
      if (!known.has(name)) known.set(name, read(name));
      return known.get(name)!;
    };
  }, [items, fields, access]);
}

