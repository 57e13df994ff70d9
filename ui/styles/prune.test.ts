import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { expect, test } from 'vitest';
import { prune, usedClasses } from './prune.ts';

const sheet = readFileSync(createRequire(import.meta.url).resolve('@mantine/core/styles.css'), 'utf8');
const classesOf = (css: string) => new Set(css.match(/\bm_[0-9a-f]+\b/g));

test('no rule of a component that is used is left out, and many of others are', () => {
  const used = usedClasses();
  const left = prune(sheet, used);
  const there = classesOf(left);
  expect([...classesOf(sheet)].filter((c) => used.has(c) && !there.has(c))).toEqual([]);
  expect(used.size).toBeGreaterThan(100);
  expect(left.length).toBeLessThan(0.75 * sheet.length);
  expect(left).toContain('--mantine-color-body');
});
