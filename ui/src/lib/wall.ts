// The wall without its pictures: which tiles stand in which group, in which row, and where the arrow keys lead.
import { naturalKey } from './natural.ts';

export interface Placed {
  Uuid: string;
  Name: string;
  Profiles: readonly string[];
  Stage: string;
  Workflow: string;
  Pool: string;
}

/** by is none, profile, stage, workflow, pool, or the name of a param. */
export type GroupBy = string;
export const fieldGroups = ['profile', 'stage', 'workflow', 'pool'] as const;

export interface Group<T> {
  key: string;
  label: string;
  tiles: T[];
}

/**
 * Groups in the order of their labels as people count, machines without a value last. A machine with several profiles,
 * or a list as its value, stands in the group of each. value gives the effective value of the param by.
 */
export function groupTiles<T>(tiles: readonly T[], machine: (t: T) => Placed, by: GroupBy, value: (m: Placed) => unknown = () => undefined): Group<T>[] {
  const groups = new Map<string, Group<T>>();
  for (const tile of tiles) {
    for (const label of labels(machine(tile), by, value)) {
      const group = groups.get(label);
      if (group) group.tiles.push(tile);
      else groups.set(label, { key: label, label: label || without(by), tiles: [tile] });
    }
  }
  const order = new Map([...groups.keys()].map((k) => [k, naturalKey(k)]));
  return [...groups.values()].sort((a, b) => Number(!a.key) - Number(!b.key) || (order.get(a.key)! < order.get(b.key)! ? -1 : 1));
}

function labels(m: Placed, by: GroupBy, value: (m: Placed) => unknown): string[] {
  switch (by) {
    case 'none':
      return ['all'];
    case 'profile':
      return m.Profiles.length ? [...m.Profiles] : [''];
    case 'stage':
      return [m.Stage];
    case 'workflow':
      return [m.Workflow];
    case 'pool':
      return [m.Pool];
  }
  const v = value(m);
  if (Array.isArray(v)) return v.length ? [...new Set(v.map(text))] : [''];
  return [text(v)];
}

const text = (v: unknown): string => (v === undefined || v === null ? '' : typeof v === 'string' ? v : JSON.stringify(v));
const without = (by: GroupBy): string => (by === 'none' ? 'all' : `no ${by}`);

export interface Row<T> {
  group: Group<T>;
  /** undefined: this row is the head of its group */
  tiles?: T[];
}

export function rowsOf<T>(groups: readonly Group<T>[], columns: number, closed: ReadonlySet<string>, heads: boolean): Row<T>[] {
  const rows: Row<T>[] = [];
  for (const group of groups) {
    if (heads) rows.push({ group });
    if (heads && closed.has(group.key)) continue;
    for (let i = 0; i < group.tiles.length; i += columns) rows.push({ group, tiles: group.tiles.slice(i, i + columns) });
  }
  return rows;
}

export interface Spot {
  row: number;
  column: number;
}

/** Where a key leads from a tile; undefined if it is none that moves. page is how many rows are seen at once. */
export function move(rows: readonly Row<unknown>[], at: Spot, key: string, page: number): Spot | undefined {
  const width = (row: number) => rows[row]?.tiles?.length ?? 0;
  const next = (from: number, step: 1 | -1) => {
    for (let r = from + step; r >= 0 && r < rows.length; r += step) if (width(r)) return r;
    return -1;
  };
  const in_ = (row: number, column: number): Spot => ({ row, column: Math.min(column, width(row) - 1) });
  const far = (step: 1 | -1, most: number) => {
    let row = at.row;
    for (let r = next(row, step), n = 0; r >= 0 && n < most; r = next(r, step), n++) row = r;
    return row;
  };
  switch (key) {
    case 'ArrowRight': {
      if (at.column + 1 < width(at.row)) return { row: at.row, column: at.column + 1 };
      const row = next(at.row, 1);
      return row < 0 ? at : { row, column: 0 };
    }
    case 'ArrowLeft': {
      if (at.column > 0) return { row: at.row, column: at.column - 1 };
      const row = next(at.row, -1);
      return row < 0 ? at : { row, column: width(row) - 1 };
    }
    case 'ArrowDown':
      return in_(far(1, 1), at.column);
    case 'ArrowUp':
      return in_(far(-1, 1), at.column);
    case 'PageDown':
      return in_(far(1, page), at.column);
    case 'PageUp':
      return in_(far(-1, page), at.column);
    case 'Home':
      return { row: far(-1, Infinity), column: 0 };
    case 'End': {
      const row = far(1, Infinity);
      return { row, column: width(row) - 1 };
    }
  }
  return undefined;
}

/** The tiles between two spots, both among them, in reading order. */
export function between<T>(rows: readonly Row<T>[], a: Spot, b: Spot): T[] {
  const [from, to] = a.row < b.row || (a.row === b.row && a.column <= b.column) ? [a, b] : [b, a];
  return rows.slice(from.row, to.row + 1).flatMap((row, i, all) => {
    const tiles = row.tiles ?? [];
    return tiles.slice(i === 0 ? from.column : 0, i === all.length - 1 ? to.column + 1 : undefined);
  });
}

/** What all names have behind their first dot, with the dot: it need not be shown with each. */
export function commonDomain(names: readonly string[]): string {
  const domain = /\..*$/.exec(names[0] ?? '')?.[0] ?? '';
  return names.length > 1 && names.every((n) => n.endsWith(domain) && n.length - domain.length === n.indexOf('.')) ? domain : '';
}
