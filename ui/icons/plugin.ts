import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import type { Plugin } from 'vite';
import { buildIcons, type Icons } from './build.ts';

/**
 * One small file an icon beside the built UI, fetched when it is first seen, and two modules: virtual:icons tells the folder,
 * virtual:icon-table is the table of names, a chunk of its own.
 */
export function icons(): Plugin {
  let built: Icons | undefined;
  const get = () => (built ??= buildIcons());
  let outDir = '';
  return {
    name: 'icons',
    configResolved: (config) => {
      outDir = resolve(config.root, config.build.outDir);
    },
    resolveId: (id) => (id === 'virtual:icons' || id === 'virtual:icon-table' ? `\0${id}` : undefined),
    load: (id) => {
      if (id === '\0virtual:icons') return `export const dir = ${JSON.stringify(get().dir)};`;
      if (id === '\0virtual:icon-table') return `export const table = ${JSON.stringify(get().table)};`;
      return undefined;
    },
    configureServer: (server) => {
      server.middlewares.use((req, res, next) => {
        const file = get().files.get(req.url?.split(`/${get().dir}/`)[1] ?? '');
        if (!file) return next();
        res.setHeader('Content-Type', 'image/svg+xml').end(file);
      });
    },
    // not by emitFile: the build would list two thousand files
    writeBundle: () => {
      const { dir, files } = get();
      for (const [file, text] of files) {
        mkdirSync(dirname(join(outDir, dir, file)), { recursive: true });
        writeFileSync(join(outDir, dir, file), text);
      }
      writeFileSync(join(outDir, dir, 'LICENSE.txt'), readFileSync(licence));
    },
  };
}

const licence = join(dirname(createRequire(import.meta.url).resolve('@fortawesome/free-solid-svg-icons')), 'LICENSE.txt');
