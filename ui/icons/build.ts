// Makes the files and the name table of the icons: the drawings are those of Font Awesome Free, the names its own and those of
// Semantic UI and Fomantic, which are found through the codepoints of Fomantic's style sheet.
import * as brands from '@fortawesome/free-brands-svg-icons';
import * as regular from '@fortawesome/free-regular-svg-icons';
import * as solid from '@fortawesome/free-solid-svg-icons';
import type { IconDefinition } from '@fortawesome/free-solid-svg-icons';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { type Drawing, finder, words } from '../src/lib/icons.ts';

export interface Icons {
  /** the folder, named after what is in it: files in it never change */
  dir: string;
  /** file below dir -> its text */
  files: Map<string, string>;
  /** for finder of src/lib/icons.ts */
  table: string;
  /** every known name, its words joined by dashes -> the drawing it must lead to */
  names: Map<string, Drawing>;
}

const require = createRequire(import.meta.url);

// Names of Semantic UI that neither the codepoints nor the names of Font Awesome 7 have any more.
const byHand: Record<string, Drawing> = {
  'acquisitions incorporated': 'b/d-and-d',
  'disk outline': 'r/floppy-disk',
  'external square alternate': 's/square-up-right',
  'file text outline': 'r/file-lines',
  'in cart': 's/cart-arrow-down',
  'line graph': 's/chart-line',
  'linkedin alternate': 'b/linkedin-in',
  'linkedin alt': 'b/linkedin-in',
  'logout': 's/right-from-bracket',
  'mail outline': 'r/envelope',
  'nintendo switch': 's/gamepad',
  'penny arcade': 's/gamepad',
  'tripadvisor': 's/plane',
  'vector square': 's/draw-polygon',
  'wi-fi': 's/wifi',
};

export function buildIcons(): Icons {
  const drawings = fontAwesome();
  const names = new Map<string, Drawing>();
  // The names of Font Awesome win: a few of Semantic's oldest aliases (hotel for a bed) mean another thing today.
  for (const [name, drawing] of [...semantic(drawings), ...ownNames(drawings), ...Object.entries(byHand)]) {
    names.set(words(name).join('-'), drawing);
  }

  const files = new Map([...drawings].map(([drawing, icon]) => [`${drawing}.svg`, svg(icon)]));
  const hash = createHash('sha256');
  for (const [file, text] of files) hash.update(file).update(text);
  return { dir: `assets/icons-${hash.digest('hex').slice(0, 8)}`, files, table: table(drawings, names), names };
}

function fontAwesome(): Map<Drawing, IconDefinition> {
  const drawings = new Map<Drawing, IconDefinition>();
  for (const [style, pack] of Object.entries({ s: solid, r: regular, b: brands })) {
    for (const icon of Object.values(pack) as IconDefinition[]) {
      if (icon.iconName) drawings.set(`${style}/${icon.iconName}`, icon);
    }
  }
  return new Map([...drawings].sort(([a], [b]) => (a < b ? -1 : 1)));
}

// Where styles share a name, the solid drawing has it, then the brand's: "regular" and "outline" ask for the other.
function ownNames(drawings: Map<Drawing, IconDefinition>): [string, Drawing][] {
  return [...'rbs'].flatMap((style) =>
    [...drawings]
      .filter(([drawing]) => drawing[0] === style)
      .flatMap(([drawing, icon]) => [...namesOf(icon), icon.iconName].map((name): [string, Drawing] => [name, drawing])),
  );
}

const namesOf = (icon: IconDefinition) => (icon.icon[2] as (string | number)[]).filter((a) => typeof a === 'string');

// Semantic's names with what their codepoint is in Font Awesome.
function semantic(drawings: Map<Drawing, IconDefinition>): Map<string, Drawing> {
  const byCode = new Map<string, Drawing>();
  for (const [drawing, { icon }] of drawings) {
    for (const alias of icon[2] as (string | number)[]) {
      const code = `${drawing[0]}${Number(alias).toString(16)}`;
      if (typeof alias === 'number' && !byCode.has(code)) byCode.set(code, drawing);
    }
  }
  for (const [drawing, { icon }] of drawings) byCode.set(`${drawing[0]}${icon[3]}`, drawing);

  const css = readFileSync(require.resolve('fomantic-ui-css/components/icon.css'), 'utf8');
  const names = new Map<string, Drawing>();
  for (const [, selectors, body] of css.matchAll(/([^{}]+)\{([^}]*)\}/g)) {
    const code = /content: "(?:\\([0-9a-f]+)|(.))/.exec(body);
    if (!code) continue;
    const hex = code[1] ?? code[2].charCodeAt(0).toString(16);
    for (const [, classes] of selectors.matchAll(/i\.icon\.([^:,]+)::before/g)) {
      const name = classes.replaceAll('.', ' ');
      const order = body.includes('brand-icons') ? 'bsr' : /\boutline\b/.test(name) ? 'rsb' : 'sbr';
      const drawing = [...order].map((style) => byCode.get(style + hex)).find(Boolean);
      if (drawing) names.set(name.replace('\\35 ', '5'), drawing);
    }
  }
  return names;
}

// Holds only the names to which no rule of the finder leads.
function table(drawings: Map<Drawing, IconDefinition>, names: Map<string, Drawing>): string {
  const lines = new Map([...drawings.keys()].map((d) => [d, [d.slice(2)]]));
  const text = () =>
    ['s', 'r', 'b'].map((style) => [...lines].filter(([d]) => d[0] === style).map(([, l]) => l.join(' ')).join('\n')).join('\n\n');
  for (let wrong = true; wrong; ) {
    const find = finder(text());
    wrong = false;
    for (const [name, drawing] of names) {
      const line = lines.get(drawing)!;
      if (find(name) === drawing || line.includes(name)) continue;
      line.push(name);
      wrong = true;
    }
  }
  return text();
}

function svg({ icon: [width, height, , , path] }: IconDefinition): string {
  const paths = [path].flat().map((d) => `<path d="${d}"/>`).join('');
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}">` +
    `<!-- Font Awesome Free by Fonticons, Inc., https://fontawesome.com/license/free (CC BY 4.0) -->${paths}</svg>`
  );
}
