/** Something that can be searched for. */
export interface Searched {
  kind: string;
  key: string;
  name: string;
  about: string;
  more: string; // searched as well, and not shown
  href: string;
}
export type Found = Searched;

/**
 * What holds all words of the text, the best first: those whose name is the text, begins with it,
 * has a word that begins with it, holds it; then those that hold it elsewhere.
 */
export function find(all: Searched[], text: string, most: number): Found[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) return [];
  const ranked: [number, Searched][] = [];
  for (const one of all) {
    let rank = 0;
    const name = one.name.toLowerCase();
    for (const w of words) {
      const r = rankOf(name, w, one);
      if (r < 0) {
        rank = -1;
        break;
      }
      rank += r;
    }
    if (rank >= 0) ranked.push([rank, one]);
  }
  ranked.sort(([a, x], [b, y]) => a - b || x.name.length - y.name.length || natural.compare(x.name, y.name));
  return ranked.slice(0, most).map(([, one]) => one);
}

const natural = new Intl.Collator('en', { numeric: true });

function rankOf(name: string, word: string, one: Searched): number {
  const at = name.indexOf(word);
  if (at === 0) return name.length === word.length ? 0 : 1;
  if (at > 0) return /[^\p{L}\p{N}]/u.test(name[at - 1]) ? 2 : 3;
  if (one.key.toLowerCase().startsWith(word)) return 1;
  if (one.kind.startsWith(word) || one.about.toLowerCase().includes(word)) return 5;
  return one.more.toLowerCase().includes(word) ? 6 : -1;
}
