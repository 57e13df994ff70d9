const made = new Map<string, string>(); // lists are sorted again and again, mostly the same texts
const most = 50_000;

/** naturalKey is a text that orders as people count: web2 before web10, in any case of letters. */
export function naturalKey(s: string): string {
  let key = made.get(s);
  if (key === undefined) {
    key = s.toLowerCase().replace(/\d+/g, (digits) => digits.replace(/^0+(?=\d)/, '').padStart(16, '0'));
    if (made.size >= most) made.clear();
    made.set(s, key);
  }
  return key;
}

export type SortKey = string | number | boolean;

/** sortedBy is the items in the order of their keys; equal ones keep theirs. Each key is made once. */
export const sortedBy = <T>(items: readonly T[], key: (item: T) => SortKey, descending = false): T[] => [...sorter<T>()(items, key, descending)];

type Keyed<T> = { item: T; at: number; key: SortKey };

/**
 * A sorter sorts a list that changes as sortedBy does, and remembers it: keys are made of those items alone that are new, and
 * while no key changes nothing is sorted.
 */
export function sorter<T>(): (items: readonly T[], key: (item: T) => SortKey, descending?: boolean) => readonly T[] {
  let from: readonly T[] = [];
  let by: ((item: T) => SortKey) | undefined;
  let down = false;
  let places: Keyed<T>[] = []; // as the items came
  let order: Keyed<T>[] = []; // as they are sorted
  let sorted: readonly T[] = [];
  return (items, key, descending = false) => {
    const known = key === by;
    if (known && items === from && descending === down) return sorted;
    const make = (item: T): SortKey => {
      const k = key(item);
      return typeof k === 'string' ? naturalKey(k) : k;
    };
    let same = known && descending === down && items.length === places.length;
    if (known && items.length === places.length) {
      items.forEach((item, at) => {
        const place = places[at]!;
        if (place.item === item) return;
        const k = make(item);
        if (k !== place.key) same = false;
        place.item = item;
        place.key = k;
      });
    } else {
      const old = new Map(known ? places.map((p) => [p.item, p.key]) : []);
      places = items.map((item, at) => ({ item, at, key: old.get(item) ?? make(item) }));
      order = [...places];
    }
    const sign = descending ? -1 : 1;
    if (!same) order.sort((a, b) => sign * compareKeys(a.key, b.key) || a.at - b.at);
    [from, by, down] = [items, key, descending];
    return (sorted = order.map(({ item }) => item));
  };
}

const ranks: Record<string, number> = { boolean: 0, number: 1, string: 2 };

function compareKeys(a: SortKey, b: SortKey): number {
  if (typeof a !== typeof b) return ranks[typeof a]! - ranks[typeof b]!;
  return a < b ? -1 : a > b ? 1 : 0;
}
