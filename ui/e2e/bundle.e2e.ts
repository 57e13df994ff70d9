import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { browser, login, server } from './harness.ts';

const s = await server();

const assets = resolve(import.meta.dirname, '../dist/assets');

/** What may come over the wire before the overview is there, compressed. */
const most = 240_000; // bytes

test('what is sent compressed by Brotli is the file beside it', () => {
  const packed = readdirSync(assets).filter((f) => f.endsWith('.br'));
  expect(packed.length).toBeGreaterThan(5);
  for (const f of packed) expect(brotliDecompressSync(readFileSync(`${assets}/${f}`)).equals(readFileSync(`${assets}/${f.slice(0, -3)}`)), f).toBe(true);
});

test('every class of Mantine that the scripts name has its rules', () => {
  const all = (ext: string) => readdirSync(assets).filter((f) => f.endsWith(ext)).map((f) => readFileSync(`${assets}/${f}`, 'utf8')).join('\n');
  const classes = (text: string) => new Set(text.match(/\bm_[0-9a-f]+\b/g));
  const sheet = createRequire(import.meta.url).resolve('@mantine/core/styles.css');
  const [used, there, known] = [classes(all('.js')), classes(all('.css')), classes(readFileSync(sheet, 'utf8'))];
  const wanted = [...used].filter((c) => known.has(c));
  expect(wanted.length).toBeGreaterThan(100);
  expect(wanted.filter((c) => !there.has(c))).toEqual([]);
});

test('the first load, up to the overview, is small and holds no editor', async () => {
  expect(readdirSync(assets).some((f) => f.startsWith('CodeMirror'))).toBe(true);
  const context = await (await browser()).newContext({ ignoreHTTPSErrors: true });
  const page = await context.newPage();
  const loaded: { name: string; bytes: Promise<number> }[] = [];
  page.on('requestfinished', (r) => {
    const { pathname } = new URL(r.url());
    if (pathname.startsWith('/ui/')) loaded.push({ name: pathname, bytes: r.sizes().then((z) => z.responseBodySize) });
  });
  await page.goto(`${s.url}/ui/`);
  await login(page);
  await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
  await page.waitForLoadState('networkidle');
  const sizes = await Promise.all(loaded.map(async ({ name, bytes }) => ({ name, bytes: await bytes })));
  const sum = sizes.reduce((n, { bytes }) => n + bytes, 0);
  console.log(`first load: ${sum} bytes in ${sizes.length} files, of at most ${most}`);
  expect(sizes.map((f) => f.name).join()).toContain('/ui/assets/index-');
  expect(sizes.map((f) => f.name).join()).not.toContain('CodeMirror');
  expect(sum).toBeGreaterThan(50_000);
  expect(sum).toBeLessThan(most);
});
