import { describe, expect, test } from 'vitest';
import { between, commonDomain, groupTiles, move, rowsOf, type Placed, type Spot } from './wall.ts';

const machine = (n: number): Placed => ({
  Uuid: `u${n}`,
  Name: `m${n}`,
  Profiles: n % 3 === 0 ? [] : n % 3 === 1 ? ['p10', 'p2'] : ['p2'],
  Stage: `s${n % 4}`,
  Workflow: n % 2 ? 'w' : '',
  Pool: 'default',
});
const machines = Array.from({ length: 37 }, (_, n) => machine(n));
const self = (m: Placed) => m;

describe('groups', () => {
  test('hold every machine in its order, and those without a value come last', () => {
    for (const by of ['none', 'stage', 'workflow', 'pool', 'some/param']) {
      const groups = groupTiles(machines, self, by, (m) => (Number(m.Name.slice(1)) % 5 ? m.Name.length : undefined));
      expect(groups.flatMap((g) => g.tiles).map((m) => m.Uuid).sort()).toEqual(machines.map((m) => m.Uuid).sort());
      for (const g of groups) expect([...g.tiles]).toEqual(machines.filter((m) => g.tiles.includes(m)));
      expect(groups.findIndex((g) => g.key === '')).toBe(groups.some((g) => g.key === '') ? groups.length - 1 : -1);
    }
  });

  test('show a machine with several profiles in each, in the order people count', () => {
    const groups = groupTiles(machines, self, 'profile');
    expect(groups.map((g) => g.label)).toEqual(['p2', 'p10', 'no profile']);
    expect(groups[0].tiles.filter((m) => groups[1].tiles.includes(m)).length).toBe(groups[1].tiles.length);
  });

  test('of a param tell true from "true" no more than people do, and lists by their elements', () => {
    const values = [true, 'true', ['a', 'b', 'a'], [], null, { x: 1 }];
    const groups = groupTiles(machines.slice(0, 6), self, 'p', (m) => values[Number(m.Name.slice(1))]);
    expect(groups.map((g) => [g.label, g.tiles.length])).toEqual([['a', 1], ['b', 1], ['true', 2], ['{"x":1}', 1], ['no p', 2]]);
  });
});

describe('rows', () => {
  const groups = groupTiles(machines, self, 'stage');
  test('hold every tile once, none longer than there are columns', () => {
    for (let columns = 1; columns < 12; columns++) {
      const rows = rowsOf(groups, columns, new Set(), true);
      expect(rows.flatMap((r) => r.tiles ?? [])).toEqual(groups.flatMap((g) => g.tiles));
      expect(Math.max(...rows.map((r) => r.tiles?.length ?? 0))).toBeLessThanOrEqual(columns);
      expect(rows.filter((r) => !r.tiles).length).toBe(groups.length);
    }
  });

  test('of a closed group are not there, its head is', () => {
    const rows = rowsOf(groups, 5, new Set(['s1']), true);
    expect(rows.filter((r) => r.group.key === 's1').map((r) => r.tiles)).toEqual([undefined]);
  });

  test('arrows reach every tile and never leave the wall', () => {
    const rows = rowsOf(groups, 5, new Set(['s2']), true);
    const valid = ({ row, column }: Spot) => rows[row]?.tiles?.[column];
    let at = move(rows, { row: 0, column: 0 }, 'ArrowRight', 3)!;
    const seen = [valid(at)];
    for (;;) {
      const next = move(rows, at, 'ArrowRight', 3)!;
      if (next === at) break;
      at = next;
      seen.push(valid(at));
    }
    expect(seen).toEqual(rows.flatMap((r) => r.tiles ?? []));
    for (const key of ['ArrowRight', 'ArrowLeft', 'ArrowUp', 'ArrowDown', 'PageUp', 'PageDown', 'Home', 'End']) {
      rows.forEach((r, row) => r.tiles?.forEach((_, column) => expect(valid(move(rows, { row, column }, key, 3)!), key).toBeDefined()));
    }
    expect(move(rows, at, 'x', 3)).toBeUndefined();
  });

  test('left undoes right', () => {
    const rows = rowsOf(groups, 4, new Set(), true);
    rows.forEach((r, row) =>
      r.tiles?.forEach((_, column) => {
        const right = move(rows, { row, column }, 'ArrowRight', 3)!;
        if (right.row !== row || right.column !== column) expect(move(rows, right, 'ArrowLeft', 3)).toEqual({ row, column });
      }),
    );
  });

  test('a range is the same from both ends and holds both', () => {
    const rows = rowsOf(groups, 4, new Set(), true);
    const a = { row: 1, column: 2 };
    const b = { row: 7, column: 0 };
    const all = rows.flatMap((r) => r.tiles ?? []);
    const range = between(rows, a, b);
    expect(range).toEqual(between(rows, b, a));
    expect(range).toEqual(all.slice(all.indexOf(rows[1].tiles![2]), all.indexOf(rows[7].tiles![0]) + 1));
    expect(between(rows, a, a)).toEqual([rows[1].tiles![2]]);
  });
});

test.each([
  [['a.x.org', 'b.x.org'], '.x.org'],
  [['a.x.org', 'b.y.org'], ''],
  [['a.x.org', 'b.a.x.org'], ''],
  [['a', 'b'], ''],
  [['a.x.org', 'b'], ''],
  [['a.x.org'], ''],
  [[], ''],
])('names %j share %j', (names, want) => expect(commonDomain(names)).toBe(want));
