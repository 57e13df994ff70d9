import { Button } from '@mantine/core';
import { useVirtualizer } from '@tanstack/react-virtual';
import { useRef, type ReactNode } from 'react';
import { Icon } from '../parts/Icon.tsx';
import classes from './desk.module.css';

interface Props<T> {
  label: string;
  items: readonly T[];
  itemKey: (item: T) => string | number;
  row: (item: T) => ReactNode;
  held: number; // that wait to be shown
  away: boolean; // the reader has scrolled down
  setAway: (away: boolean) => void;
  empty: ReactNode;
}

/** What comes, the newest first, windowed. When the reader scrolls down, nothing moves until he is back at the top. */
export function Stream<T>({ label, items, itemKey, row, held, away, setAway, empty }: Props<T>) {
  const scroller = useRef<HTMLDivElement>(null);
  const rows = useVirtualizer({
    count: items.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => 30,
    getItemKey: (i) => itemKey(items[i]),
    overscan: 15,
  });
  return (
    <div className={classes.around}>
      <div
        ref={scroller}
        className={classes.scroller}
        role="log"
        aria-live="off"
        aria-label={label}
        tabIndex={0}
        onScroll={(e) => setAway(e.currentTarget.scrollTop > 40)}
      >
        {items.length === 0 && <div className={classes.empty}>{empty}</div>}
        <div className={classes.rows} style={{ height: rows.getTotalSize() }}>
          {rows.getVirtualItems().map((v) => (
            <div key={v.key} ref={rows.measureElement} data-index={v.index} className={classes.row} style={{ transform: `translateY(${v.start}px)` }}>
              {row(items[v.index])}
            </div>
          ))}
        </div>
      </div>
      {away && (
        <Button className={classes.back} size="compact-sm" leftSection={<Icon name="arrow up" />} onClick={() => scroller.current?.scrollTo({ top: 0 })}>
          {held > 0 ? `${held.toLocaleString('en')} new` : 'To the newest'}
        </Button>
      )}
    </div>
  );
}
