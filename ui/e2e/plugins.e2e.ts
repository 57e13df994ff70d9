import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { axe, screenshot, server, visit } from './harness.ts';

const s = await server();
const callback = resolve(import.meta.dirname, '../..', process.env.DRP_BIN ?? 'bin', 'callback');

test('a provider is uploaded, works, is downloaded as it was, and goes', async () => {
  const page = await visit(s, '#/plugins');
  await page.getByText('No plugins').waitFor();
  expect(await axe(page)).toEqual([]);
  await page.locator('input[type=file]').setInputFiles(callback);
  const group = page.getByRole('group', { name: 'Upload of callback' });
  await group.getByRole('button', { name: 'Upload' }).click();
  await page.getByRole('region', { name: 'Providers' }).getByRole('link', { name: 'callback' }).waitFor();
  await group.waitFor({ state: 'detached' });
  await s.api('POST', '/plugins', { Name: 'calls', Provider: 'callback' });
  await page.getByText('Missing Required Param callback/url').waitFor();
  await s.api('POST', '/plugins/calls/params/callback/url', '"https://127.0.0.1:9/"');
  await page.getByRole('region', { name: 'Plugins' }).getByText('works', { exact: true }).waitFor();
  expect(await axe(page)).toEqual([]);
  await screenshot(page, 'plugins');

  const download = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Actions of callback' }).click();
  await page.getByRole('menuitem', { name: 'Download the program' }).click();
  expect((await download).suggestedFilename()).toBe('callback');

  await page.getByRole('button', { name: 'Actions of callback' }).click();
  await page.getByRole('menuitem', { name: 'Remove…' }).click();
  await page.getByText(/Plugins that stop working: /).waitFor();
  await page.getByRole('button', { name: 'Remove', exact: true }).click();
  await page.getByText('does not work').waitFor();
  expect((await s.ask('GET', '/api/v3/plugin_providers/callback', undefined, { Authorization: `Bearer ${s.token()}` })).status).toBe(404);
  await page.close();
});
