import { type KeyboardEvent, type PointerEvent, useEffect, useRef, useState } from 'react';
import classes from './DataGrid.module.css';
import type { Column } from './DataGrid.tsx';
import type { GridLayout } from './gridLayout.ts';

export type SelectAll = { state: 'all' | 'some' | 'none'; toggle: () => void; count: number };

type Props<T> = {
  columns: readonly Column<T>[];
  layout: GridLayout;
  sort: string;
  onSort: (sort: string) => void;
  fixed?: boolean; // the order is not this grid's to change
  selectAll?: SelectAll;
};

const checkWidth = 36;
const widthOf = <T,>(c: Column<T>, layout: GridLayout): number => layout.widths[c.id] ?? c.width ?? 140;

export const widthOfAll = <T,>(columns: readonly Column<T>[], layout: GridLayout, selectable: boolean): number =>
  columns.reduce((sum, c) => sum + widthOf(c, layout), selectable ? checkWidth : 0);

/** GridHead is the head of a grid: click to sort, drag to reorder, pull an edge (or its arrow keys) to resize. */
export function GridHead<T>({ columns, layout, sort, onSort, fixed, selectAll }: Props<T>) {
  const [pulled, setPulled] = useState<{ id: string; width: number }>();
  const [dragged, setDragged] = useState<string>();
  const [over, setOver] = useState<string>();
  const width = (c: Column<T>): number => (pulled?.id === c.id ? pulled.width : widthOf(c, layout));
  const grows = (c: Column<T>): boolean => Boolean(c.grow) && !layout.widths[c.id] && pulled?.id !== c.id;
  return (
    <>
      <colgroup>
        {selectAll && <col style={{ width: checkWidth }} />}
        {columns.map((c) => <col key={c.id} style={{ width: grows(c) ? undefined : width(c) }} />)}
        {!columns.some(grows) && <col />}
      </colgroup>
      <thead>
        <tr aria-rowindex={1}>
          {selectAll && <th scope="col" className={classes.check}><CheckAll {...selectAll} /></th>}
          {columns.map((c) => (
            <th key={c.id} scope="col" aria-sort={ariaSort(c, sort)} data-numeric={c.numeric || undefined} data-over={over === c.id || undefined}
              draggable={!pulled} onDragStart={() => setDragged(c.id)} onDragEnd={() => { setDragged(undefined); setOver(undefined); }}
              onDragOver={(e) => { if (dragged) { e.preventDefault(); setOver(c.id); } }}
              onDrop={() => { if (dragged && dragged !== c.id) layout.move(dragged, c.id); }}>
              {c.sort && !fixed ? (
                <button type="button" className={classes.sort} onClick={() => onSort(nextSort(sort, c.id))} title={`Sort by ${c.header}`}>
                  <span>{c.header}</span>
                  <span aria-hidden="true">{sort === c.id ? '▲' : sort === '-' + c.id ? '▼' : ''}</span>
                </button>
              ) : (
                <span className={classes.head}>{c.header}</span>
              )}
              <Edge name={c.header} width={width(c)} onPull={(w) => setPulled({ id: c.id, width: w })}
                onDone={(w) => { setPulled(undefined); layout.resize(c.id, w); }} />
            </th>
          ))}
        </tr>
      </thead>
    </>
  );
}

const nextSort = (sort: string, id: string): string => (sort === id ? '-' + id : id);

function ariaSort<T>(c: Column<T>, sort: string): 'ascending' | 'descending' | undefined {
  return sort === c.id ? 'ascending' : sort === '-' + c.id ? 'descending' : undefined;
}

function CheckAll({ state, toggle, count }: SelectAll) {
  const box = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (box.current) box.current.indeterminate = state === 'some';
  }, [state]);
  return <input ref={box} type="checkbox" checked={state === 'all'} onChange={toggle} aria-label={`Select all ${count.toLocaleString('en')} shown`} />;
}

type EdgeProps = { name: string; width: number; onPull: (width: number) => void; onDone: (width: number) => void };

function Edge({ name, width, onPull, onDone }: EdgeProps) {
  const start = useRef<{ x: number; width: number }>(undefined);
  const at = (e: PointerEvent): number => start.current!.width + e.clientX - start.current!.x;
  const down = (e: PointerEvent<HTMLSpanElement>): void => {
    const shown = e.currentTarget.parentElement!.getBoundingClientRect().width; // wider than its width when it grows
    e.currentTarget.setPointerCapture(e.pointerId);
    start.current = { x: e.clientX, width: shown };
    e.preventDefault();
    e.stopPropagation();
  };
  const up = (e: PointerEvent): void => {
    if (start.current && e.clientX !== start.current.x) onDone(at(e));
    start.current = undefined;
  };
  const key = (e: KeyboardEvent): void => {
    const step = e.key === 'ArrowLeft' ? -16 : e.key === 'ArrowRight' ? 16 : 0;
    if (!step) return;
    e.preventDefault();
    onDone(width + step);
  };
  return (
    <span role="separator" tabIndex={0} aria-orientation="vertical" aria-label={`Width of ${name}`} aria-valuenow={Math.round(width)} aria-valuemin={48} aria-valuemax={2000}
      className={classes.edge} onPointerDown={down} onPointerMove={(e) => start.current && onPull(at(e))} onPointerUp={up} onPointerCancel={() => { start.current = undefined; }}
      onKeyDown={key} />
  );
}
