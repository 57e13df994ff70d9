import { ActionIcon, Button, UnstyledButton } from '@mantine/core';
import { useElementSize, useMergedRef } from '@mantine/hooks';
import { defaultRangeExtractor, useVirtualizer } from '@tanstack/react-virtual';
import { type CSSProperties, type KeyboardEvent, memo, type MouseEvent, useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react';
import { countStates } from '../lib/machine-state.ts';
import { between, commonDomain, type Group, move, type Row, rowsOf, type Spot } from '../lib/wall.ts';
import { Icon } from '../parts/Icon.tsx';
import { StateBadge } from '../parts/StateBadge.tsx';
import { type Size, Tile, type WallTile } from './Tile.tsx';
import { TileCard } from './TileCard.tsx';
import classes from './Wall.module.css';

const shapes: Record<Size, { width: number; height: number; gap: number }> = {
  s: { width: 28, height: 28, gap: 0 },
  m: { width: 170, height: 50, gap: 6 },
  l: { width: 250, height: 88, gap: 8 },
};
const headHeight = 42;

interface Props {
  groups: Group<WallTile>[];
  heads: boolean; // the groups have names
  size: Size;
  selection: ReadonlySet<string>;
  onSelection: (next: ReadonlySet<string>) => void;
  /** A click selects instead of opening the machine. */
  selecting: boolean;
}

/** The tiles, of which only those in sight are in the page. */
export function Board({ groups, heads, size, selection, onSelection, selecting }: Props) {
  const { ref: sized, width } = useElementSize();
  const scroller = useRef<HTMLDivElement>(null);
  const shape = shapes[size];
  const columns = Math.max(1, Math.floor((width - 4 + shape.gap) / (shape.width + shape.gap)));
  const [closed, setClosed] = useState<ReadonlySet<string>>(new Set());
  const rows = useMemo(() => rowsOf(groups, columns, closed, heads), [groups, columns, closed, heads]);
  const keys = useKeys(rows, selection, onSelection, scroller);
  const [card, setCard] = useState<{ uuid: string; at: DOMRect }>();

  const virtual = useVirtualizer({
    count: width ? rows.length : 0,
    getScrollElement: () => scroller.current,
    estimateSize: (i) => (rows[i].tiles ? shape.height + shape.gap : headHeight),
    getItemKey: useCallback((i: number) => `${rows[i].group.key} ${rows[i].tiles ? i : ''} ${size}`, [rows, size]),
    overscan: 2,
    // the tile that the tab key reaches stays there
    rangeExtractor: (range) => [...new Set([...defaultRangeExtractor(range), ...(keys.row >= 0 ? [keys.row] : [])])].sort((a, b) => a - b),
  });
  useLayoutEffect(() => keys.follow(virtual.scrollToIndex));

  const toggle = (key: string) => setClosed((now) => (now.has(key) ? new Set([...now].filter((k) => k !== key)) : new Set([...now, key])));
  const click = (e: MouseEvent) => {
    const tile = tileOf(e.target);
    if (!tile || !(selecting || e.ctrlKey || e.metaKey || e.shiftKey)) return;
    e.preventDefault();
    if (e.shiftKey) keys.selectTo(tile.dataset.spot!);
    else keys.toggle(tile.dataset.spot!);
  };
  const domain = useMemo(() => commonDomain(groups.flatMap((g) => g.tiles.map((t) => t.machine.Name))), [groups]);
  const hovered = card && find(groups, card.uuid);
  const pointed = useRef<{ uuid?: string; timer?: ReturnType<typeof setTimeout> }>({});
  const point = (tile: HTMLElement | undefined) => {
    if (tile?.dataset.uuid === pointed.current.uuid) return;
    clearTimeout(pointed.current.timer);
    pointed.current = { uuid: tile?.dataset.uuid };
    if (!tile) setCard(undefined);
    else pointed.current.timer = setTimeout(() => setCard({ uuid: tile.dataset.uuid!, at: tile.getBoundingClientRect() }), card ? 30 : 250);
  };
  useEffect(() => () => clearTimeout(pointed.current.timer), []);

  return (
    <div
      ref={useMergedRef(sized, scroller)}
      className={classes.wall}
      data-size={size}
      role="grid"
      aria-label="Machines"
      aria-multiselectable
      aria-rowcount={rows.length}
      style={{ '--columns': columns, '--gap': `${shape.gap}px` } as CSSProperties}
      onKeyDown={(e) => {
        if (e.key === 'Escape') setCard(undefined);
        keys.press(e, Math.max(1, Math.floor((scroller.current?.clientHeight ?? 0) / (shape.height + shape.gap)) - 1));
      }}
      onClick={click}
      onFocus={(e) => {
        const tile = tileOf(e.target);
        if (tile) keys.focus(tile.dataset.spot!);
        setCard(tile && tile.matches(':focus-visible') ? { uuid: tile.dataset.uuid!, at: tile.getBoundingClientRect() } : undefined);
      }}
      onBlur={() => setCard(undefined)}
      onPointerMove={(e) => e.pointerType === 'mouse' && point(tileOf(e.target))}
      onPointerLeave={() => point(undefined)}
      onScroll={() => point(undefined)}
    >
      <div className={classes.rows} role="presentation" style={{ height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map(({ index, start, size: height, key }) => {
          const { group, tiles: inRow } = rows[index] ?? {};
          if (!group) return null;
          const style = { height, transform: `translateY(${start}px)` };
          if (!inRow) {
            return (
              <Head key={key} group={group} open={!closed.has(group.key)} toggle={() => toggle(group.key)} style={style} row={index}>
                {selecting && (
                  <Button size="compact-xs" variant="subtle" onClick={() => onSelection(new Set([...selection, ...group.tiles.map((t) => t.machine.Uuid)]))}>
                    Select
                  </Button>
                )}
              </Head>
            );
          }
          return (
            <div key={key} role="row" aria-rowindex={index + 1} className={classes.row} style={{ ...style, height: height - shape.gap }}>
              <Tiles tiles={inRow} group={group.key} size={size} domain={domain} active={index === keys.row ? keys.active : ''} selection={selection} />
            </div>
          );
        })}
      </div>
      {hovered && <TileCard tile={hovered} at={card.at} />}
    </div>
  );
}

interface TilesProps {
  tiles: WallTile[];
  group: string;
  size: Size;
  domain: string;
  active: string;
  selection: ReadonlySet<string>;
}

/** The tiles of a row, drawn anew when one of them changes. */
const Tiles = memo(
  ({ tiles, group, size, domain, active, selection }: TilesProps) =>
    tiles.map((t) => {
      const spot = spotAt(t, group);
      return <Tile key={spot} {...t} size={size} domain={domain} spot={spot} active={spot === active} selected={selection.has(t.machine.Uuid)} />;
    }),
  ({ tiles: was, ...before }, { tiles: is, ...now }) =>
    was.length === is.length && was.every((t, i) => t === is[i]) && (Object.keys(now) as (keyof typeof now)[]).every((k) => before[k] === now[k]),
);

function find(groups: readonly Group<WallTile>[], uuid: string): WallTile | undefined {
  for (const g of groups) for (const t of g.tiles) if (t.machine.Uuid === uuid) return t;
  return undefined;
}

function Head({ group, open, toggle, style, row, children }: {
  group: Group<WallTile>; open: boolean; toggle: () => void; style: CSSProperties; row: number; children: React.ReactNode;
}) {
  const counts = countStates(group.tiles.map((t) => t.state));
  return (
    <div role="row" aria-rowindex={row + 1} className={classes.head} style={style}>
      <div role="rowheader" className={classes.title}>
        <UnstyledButton onClick={toggle} aria-expanded={open} fw={600} fz="sm">
          <Icon name={open ? 'chevron down' : 'chevron right'} size="0.75em" /> {group.label} <span className={classes.count}>{group.tiles.length.toLocaleString('en')}</span>
        </UnstyledButton>
      </div>
      <div role="gridcell" className={classes.counts}>
        {counts.map(([state, n]) => (
          <StateBadge key={state} state={state} count={n} iconOnly title={`${n} ${state}`} />
        ))}
        {children}
      </div>
    </div>
  );
}

const tileOf = (target: EventTarget) => (target as Element).closest<HTMLElement>('[data-spot]') ?? undefined;
const spotOf = (group: Group<unknown>, t: WallTile) => spotAt(t, group.key);
const spotAt = (t: WallTile, group: string) => `${t.machine.Uuid} ${group}`;

/** The keys of the wall: one tile has the focus, arrows lead to the next, wherever it is; space selects. */
function useKeys(rows: Row<WallTile>[], selection: ReadonlySet<string>, onSelection: (next: ReadonlySet<string>) => void, wall: React.RefObject<HTMLDivElement | null>) {
  const [chosen, setChosen] = useState('');
  const wanted = useRef('');
  const from = useRef('');
  const find = (spot: string): Spot | undefined => {
    const [uuid] = spot.split(' ', 1);
    const group = spot.slice(uuid.length + 1);
    for (let row = 0; row < rows.length; row++) {
      if (rows[row].group.key !== group) continue;
      const column = rows[row].tiles?.findIndex((t) => t.machine.Uuid === uuid) ?? -1;
      if (column >= 0) return { row, column };
    }
    return undefined;
  };
  const first = () => {
    const row = rows.findIndex((r) => r.tiles);
    return row < 0 ? undefined : { row, column: 0 };
  };
  const at = useMemo(() => (chosen ? find(chosen) : undefined) ?? first(), [rows, chosen]);
  const name = ({ row, column }: Spot) => spotOf(rows[row].group, rows[row].tiles![column]);
  const active = at ? name(at) : '';

  const select = (uuids: Iterable<string>) => onSelection(new Set([...selection, ...uuids]));
  const toggle = (spot: string) => {
    const [uuid] = spot.split(' ', 1);
    from.current = spot;
    onSelection(selection.has(uuid) ? new Set([...selection].filter((u) => u !== uuid)) : new Set([...selection, uuid]));
  };
  const selectTo = (spot: string) => {
    const [a, b] = [find(from.current || active), find(spot)];
    if (b) select(between(rows, a ?? b, b).map((t) => t.machine.Uuid));
  };
  // what has been selected by keys starts where the focus was
  useEffect(() => {
    if (selection.size === 0) from.current = '';
  }, [selection]);

  const press = (e: KeyboardEvent, page: number) => {
    if (!at || !tileOf(e.target)) return;
    if (e.key === ' ') toggle(active);
    else if (e.key === 'Escape' && selection.size) onSelection(new Set());
    else if (e.key === 'a' && (e.ctrlKey || e.metaKey)) select(rows.flatMap((r) => r.tiles?.map((t) => t.machine.Uuid) ?? []));
    else if (e.ctrlKey || e.metaKey || e.altKey) return;
    else {
      const to = move(rows, at, e.key, page);
      if (!to) return;
      wanted.current = name(to);
      if (e.shiftKey) {
        from.current ||= active;
        selectTo(wanted.current);
      }
      setChosen(wanted.current);
    }
    e.preventDefault();
  };

  // A tile that is not in the page yet comes into sight first.
  const follow = (scrollTo: (row: number) => void) => {
    if (!wanted.current || !at) return;
    const tile = wall.current?.querySelector<HTMLElement>(`[data-spot="${CSS.escape(wanted.current)}"]`);
    scrollTo(at.row);
    if (!tile) return;
    wanted.current = '';
    tile.focus({ preventScroll: true });
  };

  return { active, row: at?.row ?? -1, press, toggle, selectTo, follow, focus: setChosen };
}

export function SelectionBar({ count, all, onAll, onClear, children }: {
  count: number; all: number; onAll: () => void; onClear: () => void; children: React.ReactNode;
}) {
  return (
    <div className={classes.selection} role="region" aria-label="Selection">
      <b>{count.toLocaleString('en')} selected</b>
      {children}
      {count < all && (
        <Button size="compact-sm" variant="subtle" onClick={onAll}>
          Select all {all.toLocaleString('en')} shown
        </Button>
      )}
      <ActionIcon variant="subtle" color="gray" size="sm" onClick={onClear} aria-label="Select none">
        <Icon name="xmark" />
      </ActionIcon>
    </div>
  );
}
