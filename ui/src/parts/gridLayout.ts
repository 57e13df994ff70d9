import { useCallback, useMemo, useState } from 'react';

/** Layout is which columns a grid shows, in which order and how wide. It is kept in the browser: ids and pixels only. */
export type Layout = { shown: readonly string[]; widths: Readonly<Record<string, number>> };

export type GridLayout = Layout & {
  isDefault: boolean;
  toggle: (id: string) => void;
  /** Puts a shown column where another is. */
  move: (id: string, to: string) => void;
  resize: (id: string, width: number) => void;
  reset: () => void;
};

export const narrowest = 48;

/**
 * useGridLayout keeps the layout of the grid of that name. Address is a state in the page's address, as useQueryState
 * yields it: what stands there goes before what this browser remembers, so that a link shows the columns it was made with.
 */
export function useGridLayout(name: string, defaults: readonly string[], address?: [string, (v: string) => void]): GridLayout {
  const [own, setOwn] = useState<Partial<Layout>>(() => load(name));
  const [linked, setLinked] = address ?? ['', undefined];
  const shown = useMemo(() => (linked ? linked.split(',') : (own.shown ?? defaults)), [linked, own.shown, defaults]);
  const widths = own.widths ?? noWidths;

  const change = useCallback(
    (next: Partial<Layout>) => {
      setOwn(next);
      save(name, next);
    },
    [name],
  );
  const setShown = useCallback(
    (ids: readonly string[] | undefined) => {
      change({ shown: ids, widths });
      setLinked?.(ids ? ids.join(',') : '');
    },
    [change, widths, setLinked],
  );

  return useMemo(
    () => ({
      shown,
      widths,
      isDefault: shown.join() === defaults.join() && Object.keys(widths).length === 0,
      toggle: (id) => setShown(toggled(shown, id)),
      move: (id, to) => setShown(moved(shown, id, to)),
      resize: (id, width) => change({ shown: own.shown, widths: { ...widths, [id]: Math.max(narrowest, Math.round(width)) } }),
      reset: () => {
        change({});
        setLinked?.('');
      },
    }),
    [shown, widths, defaults, own.shown, change, setShown, setLinked],
  );
}

const noWidths: Record<string, number> = {};

const toggled = (ids: readonly string[], id: string): string[] => (ids.includes(id) ? ids.filter((i) => i !== id) : [...ids, id]);

/** moved is the ids with one of them in the place of another, which makes room for it. */
export function moved(ids: readonly string[], id: string, to: string): string[] {
  const from = ids.indexOf(id);
  const at = ids.indexOf(to);
  if (from < 0 || at < 0) return [...ids];
  const rest = ids.filter((i) => i !== id);
  return [...rest.slice(0, at), id, ...rest.slice(at)];
}

const storageKey = (name: string): string => `drp.grid.${name}`;

function load(name: string): Partial<Layout> {
  try {
    return readLayout(localStorage.getItem(storageKey(name)));
  } catch {
    return {}; // no storage: the defaults then
  }
}

/** readLayout reads what was stored, of whatever age it is. */
export function readLayout(text: string | null): Partial<Layout> {
  if (!text) return {};
  const v = JSON.parse(text) as { shown?: unknown; widths?: unknown };
  const shown = Array.isArray(v.shown) ? v.shown.filter((id) => typeof id === 'string') : [];
  const widths = Object.entries(v.widths ?? {}).filter((e): e is [string, number] => typeof e[1] === 'number' && e[1] >= narrowest);
  return { ...(shown.length > 0 && { shown }), ...(widths.length > 0 && { widths: Object.fromEntries(widths) }) };
}

function save(name: string, layout: Partial<Layout>): void {
  try {
    localStorage.setItem(storageKey(name), JSON.stringify(layout));
  } catch {
    // it is forgotten with the page then
  }
}
