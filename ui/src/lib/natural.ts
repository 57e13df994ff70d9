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
export function sortedBy<T>(items: readonly T[], key: (item: T) => SortKey, descending = false): T[] {
  const sign = descending ? -1 : 1;
  const keyed = items.map((item) => {
    const k = key(item);
    return { item, k: typeof k === 'string' ? naturalKey(k) : k };
  });
  keyed.sort((a, b) => sign * compareKeys(a.k, b.k));
  return keyed.map(({ item }) => item);
}

const ranks: Record<string, number> = { boolean: 0, number: 1, string: 2 };

function compareKeys(a: SortKey, b: SortKey): number {
  if (typeof a !== typeof b) return ranks[typeof a]! - ranks[typeof b]!;
  return a < b ? -1 : a > b ? 1 : 0;
}
