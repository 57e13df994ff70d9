import { Anchor, Button, Group, SegmentedControl, Select, Text, UnstyledButton } from '@mantine/core';
import { useCallback, useMemo, useState } from 'react';
import { useQueryState } from '../app/router.ts';
import { useShortcuts } from '../app/shortcuts.ts';
import type { Machine } from '../api/types.ts';
import { countStates, machineStates, meaning, type MachineState } from '../lib/machine-state.ts';
import { own } from '../lib/json.ts';
import { sorter } from '../lib/natural.ts';
import { fieldGroups, groupTiles } from '../lib/wall.ts';
import { useFleet } from '../live/fleet.ts';
import { BulkMenu } from '../machines/BulkMenu.tsx';
import { Empty } from '../parts/Empty.tsx';
import { FilterBox } from '../parts/FilterBox.tsx';
import { Icon } from '../parts/Icon.tsx';
import { Page } from '../parts/Page.tsx';
import { Problem } from '../parts/Problem.tsx';
import { StateBadge } from '../parts/StateBadge.tsx';
import { Board, SelectionBar } from './Board.tsx';
import type { Size, WallTile } from './Tile.tsx';
import { useMachineFilter } from './useMachineFilter.ts';
import classes from './Wall.module.css';

const sizes = [
  { value: 's', label: 'S' },
  { value: 'm', label: 'M' },
  { value: 'l', label: 'L' },
];
const nobody: ReadonlySet<string> = new Set();

/** Every machine as a tile. */
export default function WallPage() {
  const fleet = useFleet();
  const [text, setText] = useQueryState('filter');
  const [by, setBy] = useQueryState('group', 'none');
  const [wanted, setSize] = useQueryState('size');
  const [only, setOnly] = useQueryState('state');
  const [selecting, setSelecting] = useState(false);
  const [selection, setSelection] = useState(nobody);
  const ofParam = by !== 'none' && !(fieldGroups as readonly string[]).includes(by);
  const { filter, language, matches, params, value, error } = useMachineFilter(text, fleet.items, ofParam ? by : undefined);
  const [sort] = useState(() => sorter<Machine>());
  const [tile] = useState(tileMaker);
  const { items, state } = fleet;
  const sorted = useMemo(() => sort(items, nameOf), [items, sort]);
  const tiles = useMemo(() => sorted.filter(matches).map((m) => tile(m, state(m))), [sorted, matches, tile, state]);
  const counts = useMemo(() => countStates(tiles.map((t) => t.state)), [tiles]);
  const locked = useMemo(() => tiles.filter((t) => t.machine.Locked).length, [tiles]);
  const shown = useMemo(() => (only ? tiles.filter((t) => (only === 'locked' ? t.machine.Locked : t.state === only)) : tiles), [tiles, only]);
  const groups = useMemo(() => groupTiles(shown, (t) => t.machine, by, value), [shown, by, value]);
  const size = (['s', 'm', 'l'].includes(wanted) ? wanted : fitting(fleet.items.length)) as Size;
  const present = useCallback((name: string) => presentValues(fleet.items, name), [fleet.items]);
  const select = useCallback((next: ReadonlySet<string>) => setSelection(next), []);
  const chosen = useMemo(() => [...selection].flatMap((uuid) => fleet.byKey.get(uuid) ?? []), [selection, fleet.byKey]);
  const problem = fleet.error ?? error;

  useShortcuts([
    { keys: 'Arrows', label: 'From tile to tile, with Shift to select on the way', group: 'Wall' },
    { keys: 'Space', label: 'Select the tile', group: 'Wall' },
    { keys: 'ctrl+a', label: 'Select all that is shown', group: 'Wall' },
    { keys: 'Enter', label: 'Open the machine', group: 'Wall' },
    { keys: 'Escape', label: 'Select nothing', group: 'Wall' },
  ]);

  return (
    <Page
      title="Wall"
      fill
      after={<Text c="dimmed" size="sm">{fleet.loading ? 'loading…' : `${fleet.items.length.toLocaleString('en')} machines${fleet.complete ? '' : ' so far…'}`}</Text>}
      actions={
        <>
          <Select
            size="xs"
            w={190}
            aria-label="Group by"
            leftSection={<Icon name="layer group" />}
            value={by}
            onChange={(v) => setBy(v ?? 'none', { push: true })}
            allowDeselect={false}
            searchable
            limit={200}
            nothingFoundMessage="No such param"
            data={groupings(params, ofParam ? by : undefined)}
          />
          <SegmentedControl size="xs" aria-label="Size of the tiles" data={sizes} value={size} onChange={(v) => setSize(v)} />
          <Button size="xs" variant={selecting ? 'filled' : 'default'} aria-pressed={selecting} onClick={() => setSelecting(!selecting)} leftSection={<Icon name="square check outline" />}>
            Select
          </Button>
        </>
      }
    >
      <div className={classes.filters}>
        <FilterBox label="Filter machines" value={text} onChange={setText} filter={filter} language={language} present={present} />
        <div className={classes.summary} role="group" aria-label="Show only machines in one state">
          {[...counts, ...(locked ? [['locked', locked] as const] : [])].map(([state, n]) => (
            <UnstyledButton key={state} aria-pressed={only === state} onClick={() => setOnly(only === state ? '' : state, { push: true })} title={state === 'locked' ? 'refuses all changes but the one that unlocks it' : meaning[state]}>
              <StateBadge state={state} count={n} />
            </UnstyledButton>
          ))}
          {only && !counts.some(([s]) => s === only) && only !== 'locked' && (machineStates as readonly string[]).includes(only) && (
            <UnstyledButton aria-pressed onClick={() => setOnly('')}>
              <StateBadge state={only} count={0} />
            </UnstyledButton>
          )}
        </div>
      </div>
      {problem && <Problem error={problem} />}
      {chosen.length > 0 && (
        <SelectionBar count={chosen.length} all={shown.length} onAll={() => setSelection(new Set(shown.map((t) => t.machine.Uuid)))} onClear={() => setSelection(nobody)}>
<BulkMenu machines={chosen} chosen byKey={fleet.byKey} />
        </SelectionBar>
      )}
      {fleet.complete && shown.length === 0 ? (
        <Nothing any={fleet.items.length > 0} clear={() => (setText(''), setOnly(''))} />
      ) : (
        <Board key={by} groups={groups} heads={by !== 'none'} size={size} selection={selection} onSelection={select} selecting={selecting} />
      )}
    </Page>
  );
}

const nameOf = (m: Machine): string => m.Name;

/** The tile of a machine is the same one while nothing of it changes. */
function tileMaker() {
  const made = new WeakMap<Machine, WallTile>();
  return (machine: Machine, state: MachineState): WallTile => {
    let tile = made.get(machine);
    if (tile?.state !== state) made.set(machine, (tile = { machine, state }));
    return tile;
  };
}

/** The largest tiles with which about a screen or two hold all. */
const fitting = (machines: number): Size => (machines <= 40 ? 'l' : machines <= 400 ? 'm' : 's');

function groupings(params: readonly string[], current: string | undefined) {
  const fields = [{ value: 'none', label: 'No groups' }, ...fieldGroups.map((f) => ({ value: f as string, label: `By ${f}` }))];
  const names = [...new Set([...params, ...(current ? [current] : [])])].filter((p) => !fields.some((f) => f.value === p)).sort();
  return [
    { group: 'Fields', items: fields },
    { group: 'Params', items: names.map((p) => ({ value: p, label: p })) },
  ];
}

/** Values of a field that machines have, for the filter's suggestions. */
function presentValues(machines: readonly Machine[], name: string): string[] {
  const found = new Set<string>();
  for (const m of machines) {
    const v = name.startsWith('Meta.') ? own(m.Meta, name.slice(5)) : (m as unknown as Record<string, unknown>)[name];
    for (const one of Array.isArray(v) ? v : [v]) if (one !== undefined && one !== '' && typeof one !== 'object') found.add(String(one));
    if (found.size > 200) break;
  }
  return [...found].sort();
}

function Nothing({ any, clear }: { any: boolean; clear: () => void }) {
  if (any) {
    return (
      <Empty title="No machine is like that">
        <Group justify="center" gap="xs">
          <Button size="compact-sm" variant="default" onClick={clear}>
            Show all machines
          </Button>
        </Group>
      </Empty>
    );
  }
  return (
    <Empty title="There are no machines yet">
      <Anchor href="#/">How machines join</Anchor>
    </Empty>
  );
}
