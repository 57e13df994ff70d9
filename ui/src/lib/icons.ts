// Finds the drawing that a name means: names of Semantic UI and Fomantic ("user outline", "chess king") and of
// Font Awesome ("fa-solid fa-user", "chess-king", "faUser", old names too). The table is made by ui/icons/build.ts.

/** style/name of a file below the folder of icons, e.g. "s/anchor" */
export type Drawing = string;
export type Finder = (name: string) => Drawing | undefined;

/** What is drawn for a name that nobody knows. */
export const fallback: Drawing = 's/server';

const styles = new Map([
  ['outline', 'r'], ['regular', 'r'], ['far', 'r'], ['solid', 's'], ['fas', 's'], ['brands', 'b'], ['brand', 'b'], ['fab', 'b'],
]);

// Words of Semantic UI and Font Awesome that say how an icon stands, not which one it is.
const manner = new Set(
  ('i fa fw mini tiny small large big huge massive link fitted corner bordered circular inverted disabled loading spin pulse ' +
    'rotated flipped colored').split(' '),
);

/** The words of a name: whatever stands between them, and faCamelCase too. */
export function words(name: string): string[] {
  return name
    .replace(/\bfa([A-Z0-9])/g, '$1')
    .replace(/([a-z])([A-Z])/g, '$1-$2')
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter(Boolean);
}

/** One line a drawing: its own name, then other names that no rule leads to it. A blank line ends a style: solid, regular, brands. */
export function finder(table: string): Finder {
  const exact = new Map<string, Drawing>();
  const anyOrder = new Map<string, Drawing>();
  table.split('\n\n').forEach((block, i) => {
    const style = 'srb'[i];
    for (const line of block.split('\n')) {
      const names = line.split(' ');
      for (const name of names) {
        const drawing = `${style}/${names[0]}`;
        exact.set(`${style}/${name}`, drawing);
        const key = `${style}/${sorted(name.split('-'))}`;
        if (!anyOrder.has(key)) anyOrder.set(key, drawing);
      }
    }
  });
  const look = (ws: string[], order: string) => {
    for (const style of order) {
      const drawing = exact.get(`${style}/${ws.join('-')}`);
      if (drawing) return drawing;
    }
    // Semantic's names are classes: their order says nothing
    for (const style of order) {
      const drawing = anyOrder.get(`${style}/${sorted(ws)}`);
      if (drawing) return drawing;
    }
    return undefined;
  };
  const known = new Map<string, Drawing | undefined>();
  const find: Finder = (name) => {
    const all = words(name);
    const style = all.map((w) => styles.get(w)).find(Boolean);
    const order = style === 'r' ? 'rsb' : style === 'b' ? 'bsr' : 'sbr';
    const plain = all.filter((w) => !styles.has(w));
    const named = plain.filter((w) => w !== 'icon');
    const bare = named.filter((w) => !manner.has(w));
    const alt = bare.map((w) => (w === 'alternate' ? 'alt' : w));
    // some of these words are parts of names: the first that is known is meant
    for (const ws of [all, plain, named, named.filter((w) => w !== 'fa'), bare, alt, alt.filter((w) => w !== 'alt')]) {
      const drawing = ws.length > 0 ? look(ws, order) : undefined;
      // an alias may be written down for one style only
      if (drawing) return (style && exact.get(`${style}/${drawing.slice(2)}`)) || drawing;
    }
    return undefined;
  };
  return (name) => {
    if (!known.has(name)) known.set(name, find(name));
    return known.get(name);
  };
}

const sorted = (ws: string[]) => [...ws].sort().join('-');
