import * as brands from '@fortawesome/free-brands-svg-icons';
import * as regular from '@fortawesome/free-regular-svg-icons';
import * as solid from '@fortawesome/free-solid-svg-icons';
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { finder } from '../src/lib/icons.ts';
import { buildIcons } from './build.ts';

const { dir, files, table, names } = buildIcons();
const find = finder(table);
const semantic = readFileSync(new URL('semantic-ui.txt', import.meta.url), 'utf8').trim().split('\n');
const packs = { s: solid, r: regular, b: brands };
const definitions = Object.entries(packs).flatMap(([style, pack]) =>
  (Object.values(pack) as solid.IconDefinition[]).filter((icon) => icon.iconName).map((icon) => ({ style, icon })),
);

describe('every name shows an icon', () => {
  test('of Semantic UI, in any order of its words', () => {
    expect(semantic.length).toBeGreaterThanOrEqual(1251);
    expect(semantic.filter((name) => !find(name))).toEqual([]);
    const reversed = (name: string) => name.split(' ').reverse().join(' ');
    expect(semantic.filter((name) => !find(reversed(name)))).toEqual([]);
    expect(semantic.filter((name) => !find(`${name.replaceAll(' ', '-')} icon`))).toEqual([]);
  });

  test('of Semantic UI, nearly always the one its codepoint stands for', () => {
    const css = readFileSync(new URL('../node_modules/fomantic-ui-css/components/icon.css', import.meta.url), 'utf8');
    const codes = (drawing: string) => {
      const { icon } = definitions.find((d) => `${d.style}/${d.icon.iconName}` === drawing)!;
      return [icon.icon[3], ...(icon.icon[2] as (string | number)[]).map((a) => Number(a).toString(16))];
    };
    const rightly = semantic.filter((name) => {
      const at = css.search(new RegExp(`i\\.icon\\.${name.replaceAll(' ', '\\.')}::before`));
      const code = /content: "(?:\\([0-9a-f]+)|(.))"/.exec(css.slice(at));
      return at >= 0 && code && codes(find(name)!).includes(code[1] ?? code[2].charCodeAt(0).toString(16));
    });
    expect(rightly.length).toBeGreaterThanOrEqual(1237);
  });

  test('of Font Awesome, its aliases and its classes too', () => {
    for (const { style, icon } of definitions) {
      const drawing = `${style}/${icon.iconName}`;
      const own = [icon.iconName, ...(icon.icon[2] as (string | number)[]).filter((a) => typeof a === 'string')];
      for (const name of own) {
        expect(find(name), name).toBeDefined();
        const long = { s: 'fa-solid', r: 'fa-regular', b: 'fa-brands' }[style];
        expect([name, find(`${long} fa-${name}`)]).toEqual([name, drawing]);
      }
    }
  });

  test('as the table was made to say', () => {
    expect([...names].filter(([name, drawing]) => find(name) !== drawing)).toEqual([]);
  });

  test('but not what nobody has named', () => {
    for (const name of ['', ' ', 'nonesuch', 'xyzzy server', '../..', 'constructor', '__proto__']) expect(find(name)).toBeUndefined();
  });

  test.each([
    ['anchor', 's/anchor'],
    ['Anchor', 's/anchor'],
    ['faPowerOff', 's/power-off'],
    ['hdd outline', 'r/hard-drive'],
    ['hdd', 's/hard-drive'],
    ['server outline', 's/server'],
    ['cog', 's/gear'],
    ['big blue_whale', undefined],
    ['spinner loading', 's/spinner'],
    ['user circle outline', 'r/circle-user'],
    ['docker', 'b/docker'],
    ['500px', 'b/500px'],
    ['external alternate', 's/up-right-from-square'],
  ])('%s is %s', (name, drawing) => expect(find(name)).toBe(drawing));
});

test('every drawing is a file of its own: an SVG with a path and its licence', () => {
  expect([...new Set(names.values())].filter((drawing) => !files.has(`${drawing}.svg`))).toEqual([]);
  expect(dir).toMatch(/^assets\/icons-[0-9a-f]{8}$/);
  const whole = /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" viewBox="0 0 \d+ \d+"><!-- Font Awesome Free [^-]* -->(<path d="[Mm][\d .,a-zA-Z-]+"\/>)+<\/svg>$/;
  for (const [file, text] of files) {
    expect(file).toMatch(/^[srb]\/[a-z0-9-]+\.svg$/);
    expect(text).toMatch(whole);
  }
});

test('the table of names stays small', () => expect(gzipSync(table).length).toBeLessThan(16_000));
