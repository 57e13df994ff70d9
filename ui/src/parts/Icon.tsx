import { type CSSProperties, useSyncExternalStore } from 'react';
import { dir } from 'virtual:icons';
import { cssColour } from '../lib/colour';
import { fallback, type Finder, finder } from '../lib/icons';
import classes from './Icon.module.css';

interface Props {
  /** a name of Semantic UI, Fomantic or Font Awesome; what nobody knows is a plain server, with the name as its tooltip */
  name: string;
  /** any CSS colour or name of Semantic UI; without, or if it is none, that of the text */
  color?: string;
  /** says what it means, where no text beside it does */
  label?: string;
  /** its height; it is a quarter wider */
  size?: string | number;
  className?: string;
}

/** An icon: a small file of its own, fetched when it is first seen. */
export function Icon({ name, color, label, size, className }: Props) {
  const find = useSyncExternalStore(subscribe, current);
  const drawing = find?.(name);
  const colour = cssColour(color);
  const style: Record<string, string | number | undefined> = {
    maskImage: find && `url("${href(drawing ?? fallback)}")`,
    fontSize: size,
    '--icon-colour': colour,
  };
  return (
    <span
      className={[classes.icon, colour && classes.coloured, !find && classes.waiting, className].filter(Boolean).join(' ')}
      style={style as CSSProperties}
      role={label ? 'img' : undefined}
      aria-label={label}
      aria-hidden={label ? undefined : true}
      title={find && !drawing && name ? name : label}
    />
  );
}

const hrefs = new Map<string, string>();

/** Thousands of icons are of a few drawings. */
function href(drawing: string): string {
  let known = hrefs.get(drawing);
  if (!known) hrefs.set(drawing, (known = new URL(`${dir}/${drawing}.svg`, document.baseURI).href));
  return known;
}

// The table of names is a chunk of its own, asked for as soon as there may be icons.
let find: Finder | undefined;
const waiting = new Set<() => void>();
const current = () => find;
const subscribe = (wake: () => void) => {
  waiting.add(wake);
  return () => void waiting.delete(wake);
};
void import('virtual:icon-table').then(({ table }) => {
  find = finder(table);
  waiting.forEach((wake) => wake());
});
