import { readFileSync, writeFileSync } from 'node:fs';
import { brotliCompressSync } from 'node:zlib';
import react from '@vitejs/plugin-react';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';
import { icons } from './icons/plugin.ts';
import { mantineStyles } from './styles/prune.ts';

// Relative addresses everywhere: the UI works under whatever path a proxy puts the server at.
export default defineConfig({
  base: './',
  plugins: [react(), icons(), mantineStyles(), brotli()],
  build: {
    target: 'es2022',
    cssTarget: ['chrome123', 'firefox128', 'safari17.5'], // light-dark() and relative colours as they are
    assetsInlineLimit: 0, // the Content-Security-Policy allows no data: addresses
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 700,
  },
  server: { proxy: { '/api': { target: process.env.DRP_ENDPOINT ?? 'https://127.0.0.1:8092', secure: false, ws: true } } },
  test: { include: ['src/**/*.test.{ts,tsx}', '{icons,styles}/**/*.test.ts'], testTimeout: 30_000 },
});

/** Puts a compressed file beside each that is worth it: the server sends it as it is. */
function brotli(): Plugin {
  return {
    name: 'brotli',
    apply: 'build',
    writeBundle({ dir }, bundle) {
      for (const name of Object.keys(bundle).filter((n) => /\.(js|css)$/.test(n))) {
        const source = readFileSync(`${dir}/${name}`);
        if (source.length > 1000) writeFileSync(`${dir}/${name}.br`, brotliCompressSync(source));
      }
    },
  };
}
