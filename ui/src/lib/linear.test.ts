import { expect, test } from 'vitest';
import { linear } from './linear.ts';
import { chance, type Chance } from './random.testing.ts';

const pick = <T>(r: Chance, list: readonly T[]): T => list[Math.floor(r() * list.length)]!;

// A random expression of few letters, so that it often matches.
function expression(r: Chance, depth: number): string {
  if (depth === 0) return pick(r, ['a', 'b', '.', '[ab]', '[^a]', '\\b', '\\B', '^', '$', '\\w', '\\u{61}', '\\x62', 'ü', '\\n', '(?<![^])', '(?![^])', '']);
  const inner = () => expression(r, depth - 1);
  switch (Math.floor(r() * 5)) {
    case 0: return inner() + inner();
    case 1: return `${inner()}|${inner()}`;
    case 2: return `(?:${inner()})`;
    case 3: return `(${inner()})${pick(r, ['*', '+', '?', '{2}', '{1,}', '{0,2}', '{0}', '*?', '+?', ''])}`;
    default: return inner() + inner() + inner();
  }
}

test('finds what the browser finds', () => {
  const r = chance(7);
  let found = 0;
  for (let i = 0; i < 3000; i++) {
    const [source, flags] = [expression(r, 1 + Math.floor(r() * 3)), pick(r, ['', 'i', 'm', 's', 'ims'])];
    const [browser, ours] = [new RegExp(source, 'u' + flags), linear(source, flags)];
    for (let n = 0; n < 6; n++) {
      const text = Array.from({ length: Math.floor(r() * 6) }, () => pick(r, ['a', 'b', 'A', 'ü', '\n', ' ', 'é'])).join('');
      const want = browser.test(text);
      if (want) found++;
      expect(ours.test(text), `/${source}/${flags} in ${JSON.stringify(text)}`).toBe(want);
    }
  }
  expect(found).toBeGreaterThan(2000);
  expect(found).toBeLessThan(16_000);
  expect(linear('^.[😀]$', '').test('é😀')).toBe(true); // a character is one, however long
});

// Tried one way after the other, each of these outlasts the universe.
test.each(['(a+)+$', '^(a|a)*$', '^(a*)*$', '(?:a?){40}a{40}b', '(.*)(.*)(.*)(.*)(.*)(.*)[^a!]', '^(([a-z])+.)+[A-Z]([a-z])+$'])('%s ends', (source) => {
  expect(linear(source, '').test('a'.repeat(5000) + '!')).toBe(false);
});

test('an expression that would fill the memory is refused', () => {
  expect(() => linear('((a{1000}){1000}){1000}', '')).toThrow('too large');
});
