import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { AWAY, axe, forgive, login, open, PASSWORD, proxy, screenshot, server, USER, visit } from './harness.ts';

const s = await server();

const overview = (page: Page) => page.getByRole('heading', { level: 1, name: 'Overview' });
const live = (page: Page) => page.getByRole('status').getByText('live', { exact: true });
const reconnecting = (page: Page) => page.getByRole('status').getByText('reconnecting', { exact: true });

/** The tokens that the page is given from now on. */
function tokens(page: Page): string[] {
  const seen: string[] = [];
  page.on('response', (r) => {
    if (r.url().includes('/token') && r.ok() && r.request().method() === 'GET') void r.json().then((body: { Token: string }) => seen.push(body.Token));
  });
  return seen;
}

const refused = async (token: string) => (await s.ask('GET', '/api/v3/info', undefined, { Authorization: `Bearer ${token}` })).status === 403;

test('with a password: a wrong one is told, the right one leads to the page that was asked for', async () => {
  const page = await open(s, '#/no/such/page');
  forgive(page, /status of 401/);
  await page.getByRole('textbox', { name: 'User' }).fill(USER);
  await page.getByRole('textbox', { name: 'Password' }).fill('wrong');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByText('Not signed in').waitFor();
  expect(await page.getByRole('textbox', { name: 'Password' }).inputValue()).toBe('');
  await screenshot(page, 'login-wrong');
  await login(page);
  await page.getByText('There is no such page').waitFor();
  await live(page).waitFor();
});

test('with a token: what is none is told, a good one is taken', async () => {
  const page = await open(s);
  await page.getByText('With token').click();
  await page.getByRole('textbox', { name: 'Token' }).fill('fred');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByText('this is no token').waitFor();
  await page.getByRole('textbox', { name: 'Token' }).fill(s.token());
  await page.getByRole('button', { name: 'Sign in' }).click();
  await overview(page).waitFor();
});

test('the back button, and a reload, which asks who is there and stays on the page', async () => {
  const page = await visit(s);
  await overview(page).waitFor();
  await page.evaluate(() => (location.hash = '#/no/such/page'));
  await page.getByText('There is no such page').waitFor();
  await page.goBack();
  await overview(page).waitFor();
  await page.goForward();
  await page.getByText('There is no such page').waitFor();
  await page.reload();
  await login(page);
  await page.getByText('There is no such page').waitFor();
  expect(await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie]))).not.toContain('eyJ'); // as every token begins
});

test('signing out ends the token: nothing answers to it any more', async () => {
  const page = await open(s);
  const seen = tokens(page);
  await login(page);
  await live(page).waitFor();
  await expect.poll(() => seen.length).toBe(1);
  expect(await refused(seen[0])).toBe(false);
  await page.getByRole('button', { name: USER }).click();
  await page.getByRole('menuitem', { name: 'Sign out' }).click();
  await page.getByRole('button', { name: 'Sign in' }).waitFor();
  await expect.poll(() => refused(seen[0])).toBe(true);
  await s.kill();
  await s.start();
  expect(await refused(seen[0])).toBe(true);
  expect(await refused(s.token())).toBe(false);
});

test('a session that was ended elsewhere asks for the password, and keeps the page', async () => {
  const page = await open(s, '#/no/such/page');
  forgive(page, /status of 403/, /WebSocket connection to .* failed/);
  const seen = tokens(page);
  await login(page);
  await live(page).waitFor();
  await expect.poll(() => seen.length).toBe(1);
  await s.api('DELETE', `/users/${USER}/token`, undefined, seen[0]);
  const again = page.getByRole('dialog', { name: 'The session has ended' });
  await again.waitFor();
  expect(await again.getByRole('textbox', { name: 'Password' }).evaluate((e) => e === document.activeElement)).toBe(true);
  await screenshot(page, 'session-ended');
  await again.getByRole('textbox', { name: 'Password' }).fill(PASSWORD);
  await again.getByRole('button', { name: 'Sign in' }).click();
  await again.waitFor({ state: 'hidden' });
  await live(page).waitFor();
  await page.getByText('There is no such page').waitFor();
});

test('a page that the server has no more, as after an upgrade, is told and found again at the same place', async () => {
  const page = await visit(s, '#/no/such/page');
  forgive(page, /status of 404/, /dynamically imported module/);
  await page.route('**/assets/LogsPage*', (r) => r.fulfill({ status: 404 }));
  await page.evaluate(() => (location.hash = '#/logs'));
  await page.getByText('you will be asked to sign in again').waitFor();
  await page.unroute('**/assets/LogsPage*');
  await page.getByRole('button', { name: 'Reload' }).click();
  await login(page);
  await page.getByRole('heading', { level: 1, name: 'Server log' }).waitFor();
});

test('below a path of a proxy all is as it was; what happens while the connection is broken is not missed', async () => {
  const site = await proxy(s, '/site/drp');
  const page = await visit(site.url);
  forgive(page, ...AWAY);
  await live(page).waitFor();
  await page.keyboard.press('/');
  await page.getByRole('combobox', { name: 'Search everything' }).fill('web-');
  const found = page.getByRole('option');
  await s.api('POST', '/machines', { Name: 'web-1' });
  await found.getByText('web-1').waitFor();
  site.cut();
  await reconnecting(page).waitFor();
  await screenshot(page, 'reconnecting');
  await s.api('POST', '/machines', { Name: 'web-2' });
  await s.drp('machines', 'destroy', 'Name:web-1');
  site.mend();
  await live(page).waitFor();
  await found.getByText('web-2').waitFor();
  await found.getByText('web-1').waitFor({ state: 'detached' });
});

test('a server that is killed comes back, and the page with it', async () => {
  const page = await visit(s);
  forgive(page, ...AWAY);
  await page.keyboard.press('/');
  await page.getByRole('combobox', { name: 'Search everything' }).fill('db-');
  await s.kill();
  await reconnecting(page).waitFor();
  await s.start();
  await s.api('POST', '/machines', { Name: 'db-1' });
  await page.getByRole('option').getByText('db-1').waitFor();
  await live(page).waitFor();
});

test('nothing stands against using it without eyes or hands, in both themes and on a telephone', async () => {
  for (const theme of ['light', 'dark'] as const) {
    for (const width of [1440, 390]) {
      const page = await open(s, '', { theme, width });
      await page.getByRole('button', { name: 'Sign in' }).waitFor();
      expect(await axe(page), `login, ${theme}, ${width}`).toEqual([]);
      await screenshot(page, `login-${theme}-${width}`);
      await page.getByRole('textbox', { name: 'User' }).fill(USER);
      await page.getByRole('textbox', { name: 'Password' }).fill(PASSWORD);
      await page.keyboard.press('Enter');
      await overview(page).waitFor();
      await live(page).waitFor({ state: 'attached' });
      for (const [key, name] of [
        ['', 'shell'],
        ['?', 'help'],
        ['/', 'search'],
      ]) {
        if (key) {
          await page.keyboard.press(key);
          await page.getByRole('dialog').waitFor();
        }
        expect(await axe(page), `${name}, ${theme}, ${width}`).toEqual([]);
        await screenshot(page, `${name}-${theme}-${width}`);
        if (key) {
          await page.keyboard.press('Escape');
          await page.getByRole('dialog').waitFor({ state: 'detached' });
        }
      }
      expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
      await page.context().close();
    }
  }
});
