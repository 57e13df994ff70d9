import { expect, test } from 'vitest';
import { cssColour } from './colour.ts';

const css = (c: string) => /^(#[0-9a-f]{3,8}|rebeccapurple|teal|rgb\(.*\)|transparent|inherit|var\(.*\))$/.test(c);

test.each([
  ['red', '#db2828'],
  [' Black ', '#1b1c1d'],
  ['gray', '#767676'],
  ['#0af', '#0af'],
  ['RebeccaPurple', 'rebeccapurple'],
  ['rgb(1 2 3)', 'rgb(1 2 3)'],
  ['', undefined],
  [undefined, undefined],
  ['nonesuch', undefined],
  ['constructor', undefined],
  ['transparent', undefined],
  ['inherit', undefined],
  ['var(--mantine-color-red-5)', undefined],
  ['red; background: url(x)', undefined],
])('colour %s is %s', (name, want) => expect(cssColour(name, css)).toBe(want));
