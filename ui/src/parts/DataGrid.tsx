import { useMediaQuery } from '@mantine/hooks';
import { useVirtualizer } from '@tanstack/react-virtual';
import {
  type KeyboardEvent, memo, type MouseEvent, type ReactNode, type RefObject, useCallback, useEffect, useId, useLayoutEffect, useMemo, useRef, useState,
} from 'react';
import { navigate } from '../app/router.ts';
import { useShortcuts } from '../app/shortcuts.ts';
import { sorter, type SortKey } from '../lib/natural.ts';
import { ColumnsButton } from './ColumnsButton.tsx';
import classes from './DataGrid.module.css';
import { type GridLayout, useGridLayout } from './gridLayout.ts';
import { GridHead, widthOfAll } from './GridHead.tsx';

// A list of anything, windowed: fluid with 10,000 rows, cards on a narrow screen.
//
//   const columns: Column<Profile>[] = [          // outside the component, or in useMemo: rows redraw when it changes
//     { id: 'Name', header: 'Name', cell: (p) => p.Name, sort: (p) => p.Name, width: 240 },
//     { id: 'Description', header: 'Description', cell: (p) => p.Description, grow: true },
//     { id: 'Bundle', header: 'Pack', cell: (p) => p.Bundle, sort: (p) => p.Bundle, hidden: true },   // until it is chosen
//   ];
//   <DataGrid name="profiles" label="Profiles" rows={items} columns={columns} rowKey={(p) => p.Name}
//     href={(p) => link('profiles', p.Name)} loading={loading} empty="No profiles yet." toolbar={<FilterBox …/>} total={all.length} />
//
// The first column is the title of a row: with href it is a link, do not put another one into its cell.
// Selecting (checkboxes; x, shift for a range, Ctrl+A, Escape) is there when selection and onSelection are given.
// Sort is the id of a column, with - before it descending; keep it in the address: [sort, onSort] = useQueryState('sort', 'Name').
// Rows that come in order: inOrder. Rows that come by pages: onEnd is called when the last one is in sight.
// Keys when it has the focus: arrows, Home, End, PageUp, PageDown, with shift to select; space, Enter. With pageKeys, for
// the grid that a page is about, j k x work wherever nobody types. It scrolls inside: <Page fill>, or give it a height.

export type Column<T> = {
  id: string;
  header: string;
  cell: (row: T) => ReactNode;
  sort?: (row: T) => SortKey; // texts in natural order; absent: the column cannot be sorted by
  width?: number; // px; 140 if not given
  grow?: boolean; // takes the room that is left
  hidden?: boolean; // until it is chosen
  numeric?: boolean; // aligned to the right
  group?: string; // heading in the list of columns
};

export type DataGridProps<T> = {
  name: string; // of what is remembered in the browser: columns and widths
  label: string; // what it is a list of
  rows: readonly T[];
  columns: readonly Column<T>[];
  rowKey: (row: T) => string;
  href?: (row: T) => string; // of a row's page, as link() yields it
  sort?: string;
  onSort?: (sort: string) => void;
  inOrder?: boolean;
  selection?: ReadonlySet<string>;
  onSelection?: (keys: ReadonlySet<string>) => void;
  layout?: GridLayout; // to keep it elsewhere too: useGridLayout
  toolbar?: ReactNode; // before the count: a filter, buttons
  total?: number; // of how many the rows are a part
  loading?: boolean;
  empty?: ReactNode; // what to say when there are none
  onEnd?: () => void;
  onVisible?: (rows: readonly T[]) => void; // the rows in sight, as they change
  pageKeys?: boolean;
  bare?: boolean; // without count and choice of columns
  height?: string; // at most, where the page is not one that the grid fills: <Page fill> with the grid as its last child
};

const rowHeight = 32;
const cardHeight = 112;

export function DataGrid<T>(props: DataGridProps<T>) {
  const { columns, rowKey, rows, inOrder, selection, onSelection, loading, onEnd, onVisible } = props;
  const defaults = useMemo(() => columns.filter((c) => !c.hidden).map((c) => c.id), [columns]);
  const ownLayout = useGridLayout(props.name, defaults);
  const layout = props.layout ?? ownLayout;
  const shown = useSame(useMemo(() => pick(columns, layout.shown), [columns, layout.shown]));
  const [ownSort, setOwnSort] = useState('');
  const sort = props.sort ?? ownSort;
  const arranged = useArranged(rows, columns, inOrder ? '' : sort);
  const ordered = inOrder ? rows : arranged;
  const cards = useMediaQuery('(max-width: 48em)', false, { getInitialValueInEffect: false });

  const scroller = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: ordered.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => (cards ? cardHeight : rowHeight),
    getItemKey: useItemKey(cards, ordered, rowKey),
    overscan: 8,
    scrollPaddingStart: cards ? 0 : rowHeight, // below the head
    initialRect: { width: 0, height: 800 }, // so the first rows are drawn at once
  });
  useEffect(() => virtual.measure(), [virtual, cards]);
  const items = virtual.getVirtualItems();
  const first = items[0]?.index ?? 0;
  const last = items.at(-1)?.index ?? -1;
  useEffect(() => {
    if (last >= 0) onVisible?.(ordered.slice(first, last + 1));
    if (last >= ordered.length - 1 && ordered.length > 0) onEnd?.();
  }, [first, last, ordered, onVisible, onEnd]);

  const select = useSelect(ordered, rowKey, selection, onSelection);
  const cursor = useCursor(props, ordered, select, scroller, (i) => virtual.scrollToIndex(i));
  const selectable = Boolean(selection && onSelection);
  const id = useId();
  const rowProps = { columns: shown, rowKey, href: props.href, select: selectable ? select.click : undefined, point: cursor.set, prefix: id };
  const body = items.map((v) => {
    const row = ordered[v.index]!;
    const key = rowKey(row);
    const common = { ...rowProps, row, index: v.index, selected: selection?.has(key) ?? false, current: key === cursor.key };
    return cards ? <Card key={key} {...common} measure={virtual.measureElement} /> : <Row key={key} {...common} />;
  });
  const before = items[0]?.start ?? 0;
  const after = virtual.getTotalSize() - (items.at(-1)?.end ?? 0);
  const onScreen = items.some((v) => rowKey(ordered[v.index]!) === cursor.key);

  return (
    <div className={classes.outer}>
      {!props.bare && <div className={classes.toolbar}>
        <div className={classes.tools}>{props.toolbar}</div>
        <Count shown={ordered.length} total={props.total ?? ordered.length} selected={selection?.size ?? 0} loading={loading} />
        <ColumnsButton columns={columns} layout={layout} sort={sort} onSort={inOrder && !props.onSort ? undefined : (props.onSort ?? setOwnSort)} cards={cards} />
      </div>}
      <div className={classes.scroller} ref={scroller} style={{ maxHeight: props.height }} onKeyDown={cursor.onKeyDown} onMouseOver={tellWhole}>
        {ordered.length === 0 ? (
          <div className={classes.empty} role="status">{loading ? 'Loading …' : (props.empty ?? 'Nothing here.')}</div>
        ) : cards ? (
          <div style={{ paddingTop: before, paddingBottom: after }}>
            <div role="list" aria-label={props.label}>{body}</div>
          </div>
        ) : (
          <table role="grid" className={classes.table} style={{ width: widthOfAll(shown, layout, selectable) }} aria-label={props.label}
            aria-rowcount={ordered.length + 1} aria-multiselectable={selectable || undefined} tabIndex={0}
            aria-activedescendant={onScreen ? `${id}-${cursor.key}` : undefined}>
            <GridHead columns={shown} layout={layout} sort={sort} onSort={props.onSort ?? setOwnSort} fixed={inOrder && !props.onSort}
              selectAll={selectable ? { state: select.state, toggle: select.toggleAll, count: ordered.length } : undefined} />
            <tbody>
              {before > 0 && <Gap height={before} columns={shown.length + (selectable ? 1 : 0)} />}
              {body}
              {after > 0 && <Gap height={after} columns={shown.length + (selectable ? 1 : 0)} />}
            </tbody>
          </table>
        )}
      </div>
    </div>
  );
}

/** A cell that is cut off tells all of its text where the mouse is. */
function tellWhole(e: MouseEvent<HTMLElement>): void {
  const cell = (e.target as HTMLElement).closest('td');
  if (cell) cell.title = cell.scrollWidth > cell.clientWidth && !cell.querySelector('[title]') ? cell.innerText : '';
}

const pick = <T,>(columns: readonly Column<T>[], ids: readonly string[]): Column<T>[] =>
  ids.map((id) => columns.find((c) => c.id === id)).filter((c) => c !== undefined);

/** useArranged is the rows in the order of a column. Where it is told apart from the grid, a filter need not sort: inOrder. */
export function useArranged<T>(rows: readonly T[], columns: readonly Column<T>[], sort: string): readonly T[] {
  const [arrange] = useState(() => sorter<T>());
  const by = columns.find((c) => c.id === sort.replace(/^-/, ''))?.sort;
  return useMemo(() => (by ? arrange(rows, by, sort.startsWith('-')) : rows), [arrange, rows, by, sort]);
}

/** useSame is the same list for as long as it holds the same: rows are drawn anew when their columns change. */
function useSame<T>(list: readonly T[]): readonly T[] {
  const [kept, keep] = useState(list);
  const same = kept.length === list.length && kept.every((v, i) => v === list[i]);
  if (!same) keep(list);
  return same ? kept : list;
}

/** Cards have heights of their own, which stay with them; rows are all as high, so that any order is as good. */
function useItemKey<T>(cards: boolean, rows: readonly T[], rowKey: (row: T) => string): (i: number) => string | number {
  const byRow = useCallback((i: number) => rowKey(rows[i]!), [rows, rowKey]);
  return cards ? byRow : byPlace;
}
const byPlace = (i: number): number => i;

function Count({ shown, total, selected, loading }: { shown: number; total: number; selected: number; loading?: boolean }) {
  const n = shown === total ? total.toLocaleString('en') : `${shown.toLocaleString('en')} of ${total.toLocaleString('en')}`;
  return (
    <span className={classes.count} role="status">
      {loading && total === 0 ? '' : n}
      {selected > 0 && <b> · {selected.toLocaleString('en')} selected</b>}
    </span>
  );
}

const Gap = ({ height, columns }: { height: number; columns: number }) => (
  <tr aria-hidden="true"><td colSpan={columns} style={{ height, padding: 0, border: 0 }} /></tr>
);

type RowProps<T> = {
  row: T;
  index: number;
  columns: readonly Column<T>[];
  rowKey: (row: T) => string;
  href?: (row: T) => string;
  select?: (key: string, range: boolean) => void;
  point: (key: string) => void;
  prefix: string;
  selected: boolean;
  current: boolean;
};

const Row = memo(function Row<T>({ row, index, columns, rowKey, href, select, point, prefix, selected, current }: RowProps<T>) {
  const key = rowKey(row);
  return (
    <tr id={`${prefix}-${key}`} aria-rowindex={index + 2} aria-selected={select ? selected : undefined} data-current={current || undefined}
      className={classes.row} onMouseDown={() => point(key)}>
      {select && <td className={classes.check}><Check selected={selected} onToggle={(range) => select(key, range)} label={`Select row ${index + 1}`} /></td>}
      {columns.map((c, i) => (
        <td key={c.id} data-numeric={c.numeric || undefined}>
          {i === 0 && href ? <a href={href(row)} tabIndex={-1} className={classes.title}>{c.cell(row)}</a> : c.cell(row)}
        </td>
      ))}
    </tr>
  );
}) as <T>(props: RowProps<T>) => ReactNode;

type CardProps<T> = RowProps<T> & { measure: (node: Element | null) => void };

const Card = memo(function Card<T>({ row, index, columns, rowKey, href, select, point, prefix, selected, current, measure }: CardProps<T>) {
  const key = rowKey(row);
  const [title, ...rest] = columns;
  return (
    <div id={`${prefix}-${key}`} ref={measure} data-index={index} role="listitem" data-selected={selected || undefined} data-current={current || undefined}
      className={classes.card} onMouseDown={() => point(key)}>
      <div className={classes.cardHead}>
        {select && <Check selected={selected} onToggle={(range) => select(key, range)} label={`Select row ${index + 1}`} />}
        {title && (href ? <a href={href(row)} className={classes.title}>{title.cell(row)}</a> : title.cell(row))}
      </div>
      <div className={classes.facts}>
        {rest.map((c) => {
          const content = c.cell(row);
          const blank = content === '' || content === null || content === undefined || content === false || c.sort?.(row) === '';
          return !blank && <div key={c.id}><span className={classes.factName}>{c.header}</span> {content}</div>;
        })}
      </div>
    </div>
  );
}) as <T>(props: CardProps<T>) => ReactNode;

function Check({ selected, onToggle, label }: { selected: boolean; onToggle: (range: boolean) => void; label: string }) {
  const click = (e: MouseEvent<HTMLInputElement>): void => onToggle(e.shiftKey);
  return <input type="checkbox" tabIndex={-1} checked={selected} onClick={click} onChange={() => undefined} aria-label={label} />;
}

type Select = {
  click: (key: string, range: boolean) => void;
  toggleAll: () => void;
  clear: () => void;
  state: 'all' | 'some' | 'none';
};

/** useSelect changes what is selected: one row, a range from the last one, all rows. */
function useSelect<T>(
  rows: readonly T[], rowKey: (row: T) => string, selection: ReadonlySet<string> | undefined, onSelection?: (keys: ReadonlySet<string>) => void,
): Select {
  const anchor = useRef<string>(undefined);
  const latest = useRef({ rows, selection, onSelection });
  useLayoutEffect(() => {
    latest.current = { rows, selection, onSelection };
  });
  const click = useCallback(
    (key: string, range: boolean) => {
      const { rows, selection = new Set(), onSelection } = latest.current;
      const next = new Set(selection);
      const from = range && anchor.current !== undefined ? rows.findIndex((r) => rowKey(r) === anchor.current) : -1;
      if (from >= 0) {
        const to = rows.findIndex((r) => rowKey(r) === key);
        for (const r of rows.slice(Math.min(from, to), Math.max(from, to) + 1)) next.add(rowKey(r));
      } else if (!next.delete(key)) next.add(key);
      anchor.current = key;
      onSelection?.(next);
    },
    [rowKey],
  );
  const state = useMemo(() => {
    if (!selection || selection.size === 0 || rows.length === 0) return 'none';
    return rows.every((r) => selection.has(rowKey(r))) ? 'all' : 'some';
  }, [rows, rowKey, selection]);
  const toggleAll = useCallback(() => {
    onSelection?.(state === 'all' ? new Set() : new Set([...(selection ?? []), ...rows.map(rowKey)]));
  }, [onSelection, state, selection, rows, rowKey]);
  return { click, toggleAll, state, clear: () => onSelection?.(new Set()) };
}

/** useCursor is the row that the keys act on. It stays with its row as rows come, go and move. */
function useCursor<T>(
  { rowKey, href, pageKeys, selection }: DataGridProps<T>, rows: readonly T[], select: Select, scroller: RefObject<HTMLDivElement | null>, show: (index: number) => void,
) {
  const [key, set] = useState<string>();
  const at = (): number => (key === undefined ? -1 : rows.findIndex((r) => rowKey(r) === key));
  const go = (i: number, range = false): boolean => {
    if (rows.length === 0) return false;
    const next = Math.max(0, Math.min(rows.length - 1, i));
    const to = rowKey(rows[next]!);
    if (range && selection && key !== undefined) {
      if (!selection.has(key)) select.click(key, false);
      select.click(to, true);
    }
    set(to);
    show(next);
    scroller.current?.querySelector('table')?.focus({ preventScroll: true });
    return true;
  };
  const toggle = (): boolean => {
    if (key === undefined || !selection) return false;
    select.click(key, false);
    return true;
  };
  useShortcuts(
    !pageKeys ? [] : [
      { keys: 'j', label: 'Next row', group: 'List', run: () => go(at() + 1) },
      { keys: 'k', label: 'Previous row', group: 'List', run: () => go(Math.max(0, at() - 1)) },
      ...(selection ? [
        { keys: 'x', label: 'Select the row', group: 'List', run: toggle },
        { keys: 'J', label: 'Select down', group: 'List', run: () => go(at() + 1, true) },
        { keys: 'K', label: 'Select up', group: 'List', run: () => go(at() - 1, true) },
        { keys: 'ctrl+a', label: 'Select all', group: 'List' },
      ] : []),
      ...(href ? [{ keys: 'Enter', label: 'Open the row', group: 'List' }] : []),
    ],
  );
  const act = (e: KeyboardEvent): boolean => {
    if (e.altKey) return false;
    if (e.ctrlKey || e.metaKey) {
      if (e.key !== 'a' || !selection) return false;
      if (select.state !== 'all') select.toggleAll();
      return true;
    }
    const page = Math.max(1, Math.floor((scroller.current?.clientHeight ?? 0) / rowHeight) - 2);
    switch (e.key) {
      case 'ArrowDown': return go(at() + 1, e.shiftKey);
      case 'ArrowUp': return go(Math.max(0, at() - 1), e.shiftKey);
      case 'PageDown': return go(at() + page, e.shiftKey);
      case 'PageUp': return go(at() - page, e.shiftKey);
      case 'Home': return go(0, e.shiftKey);
      case 'End': return go(rows.length - 1, e.shiftKey);
      case ' ': return toggle();
      case 'Enter':
        if (at() < 0 || !href) return false;
        navigate(href(rows[at()]!));
        return true;
      case 'Escape':
        if (!selection?.size) return false;
        select.clear();
        return true;
    }
    return false;
  };
  const onKeyDown = (e: KeyboardEvent): void => {
    const inside = (e.target as HTMLElement).closest('thead, a, button, input');
    if (inside && e.key !== 'Escape' && !e.key.startsWith('Arrow')) return;
    if ((e.target as HTMLElement).closest('thead')) return;
    if (act(e)) e.preventDefault();
  };
  return { key, set, onKeyDown };
}
