import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { entryOf, nav, places } from './routes.tsx';

test('no two places share a path, a shortcut or a name', () => {
  for (const list of [places, nav]) {
    for (const field of ['path', 'keys', 'label'] as const) {
      const all = list.map((p) => p[field]).filter(Boolean);
      expect(new Set(all).size, field).toBe(all.length);
    }
  }
});

test('what stands in the navigation has a name, an icon and a group', () => {
  for (const p of nav) expect([p.label, p.icon, p.group], p.path).not.toContain(undefined);
});

test('every place has its page', () => {
  const missing = places.filter((p) => !existsSync(resolve(import.meta.dirname, `../${p.page}.tsx`)));
  expect(missing.map((p) => p.page)).toEqual([]);
});

test('a place belongs to the entry that says most of it', () => {
  for (const [place, path] of Object.entries({
    '/': '/', '/machines/x': '/machines', '/objects': '/objects', '/objects/profiles/a/b': '/objects/profiles', '/objects/users': '/objects', '/nowhere': undefined,
  })) {
    expect(entryOf(place)?.path, place).toBe(path);
  }
});
