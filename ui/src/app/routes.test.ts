import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { places } from './routes.tsx';

test('no two places share a path, a shortcut or a name', () => {
  for (const field of ['path', 'keys', 'label'] as const) {
    const all = places.map((p) => p[field]).filter(Boolean);
    expect(new Set(all).size, field).toBe(all.length);
  }
});

test('what stands in the navigation has a name, an icon and a group', () => {
  for (const p of places) expect(Boolean(p.label && p.icon && p.group), p.path).toBe(Boolean(p.label));
});

test.skip('every place has its page', () => {
  const missing = places.filter((p) => !existsSync(resolve(import.meta.dirname, `../${p.page}.tsx`)));
  expect(missing.map((p) => p.page)).toEqual([]);
});
