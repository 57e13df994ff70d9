// The style sheet of Mantine without the components that the UI does not use: about half of it. What is left stands in Mantine's
// order, on which its styles rely.
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import type { Plugin } from 'vite';

const core = dirname(createRequire(import.meta.url).resolve('@mantine/core/styles.css'));
const read = (path: string) => readFileSync(path, 'utf8');

export function mantineStyles(): Plugin {
  return {
    name: 'mantine-styles',
    apply: 'build',
    enforce: 'pre',
    transform: (code, id) => (id.endsWith('@mantine/core/styles.css') ? prune(code, usedClasses()) : undefined),
  };
}

/** prune leaves out the parts of a component none of whose classes is used. */
export function prune(sheet: string, used: ReadonlySet<string>): string {
  for (const name of readdirSync(join(core, 'styles')).filter((f) => /^[A-Z]\w*\.css$/.test(f))) {
    const part = read(join(core, 'styles', name)).trim();
    const classes = part.match(/\bm_[0-9a-f]+\b/g) ?? [];
    if (classes.length > 0 && !classes.some((c) => used.has(c))) sheet = sheet.replace(part, () => '');
  }
  return sheet;
}

/** usedClasses are those of the components that the sources name, and of all that these are made of. */
export function usedClasses(): Set<string> {
  const index = new Map([...read(join(core, 'esm/index.mjs')).matchAll(/^import \{ (.*) \} from "(\..*)";/gm)].flatMap(([, names, path]) => names!.split(', ').map((n) => [n.split(' as ').pop()!, path!] as const)));
  const named = [join(import.meta.dirname, '../src'), join(core, '../modals/esm'), join(core, '../notifications/esm')]
    .flatMap((dir) => scripts(dir).flatMap((f) => [...read(f).matchAll(/import \{([^}]*)\} from ['"]@mantine\/core['"]/g)].flatMap((m) => m[1]!.split(','))))
    .map((name) => name.trim().replace(/^type /, '').split(' as ')[0]!)
    .flatMap((name) => index.get(name) ?? []);
  const classes = new Set<string>();
  const seen = new Set<string>();
  const walk = (file: string): void => {
    if (seen.has(file)) return;
    seen.add(file);
    const text = read(file);
    if (file.endsWith('.module.mjs')) for (const c of text.match(/\bm_[0-9a-f]+\b/g) ?? []) classes.add(c);
    for (const [, path] of text.matchAll(/from "(\.[^"]*)"/g)) walk(resolve(dirname(file), path!));
  };
  for (const path of named) walk(resolve(core, 'esm', path));
  return classes;
}

const scripts = (dir: string): string[] => readdirSync(dir, { recursive: true, encoding: 'utf8' }).filter((f) => /\.(tsx|mjs)$/.test(f)).map((f) => join(dir, f));
