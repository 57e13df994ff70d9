import type { Page } from 'playwright-core';
import { beforeAll, expect, test } from 'vitest';
import { axe, screenshot, server, visit } from './harness.ts';

const s = await server();
const uuids: string[] = [];

beforeAll(async () => {
  for (const Name of ['red', 'blue']) await s.api('POST', '/profiles', { Name, Params: { 'rack/name': `rack-${Name}` } });
  await s.api('POST', '/params', { Name: 'rack/name', Schema: { type: 'string', default: 'rack-none' } });
  await s.api('POST', '/tasks', { Name: 'work' });
  await s.api('POST', '/stages', { Name: 'shift', Tasks: ['work'] });
  for (let n = 1; n <= 12; n++) {
    const machine = { Name: `m${n}.example.com`, Profiles: [['red'], ['blue'], []][n % 3], Meta: { icon: 'server', color: 'grey' }, Stage: n % 2 ? 'shift' : 'none', Locked: n === 12 };
    uuids.push((await s.api<{ Uuid: string }>('POST', '/machines', machine)).Uuid);
  }
});

const tile = (page: Page, n: number) => page.locator(`[data-uuid="${uuids[n - 1]}"]`).first();
const group = (page: Page, name: string) => page.getByRole('rowheader', { name: new RegExp(`^${name} \\d`) });
const patch = (n: number, ...ops: unknown[]) => s.api('PATCH', `/machines/${uuids[n - 1]}`, ops);
const focused = (page: Page) => page.evaluate(() => (document.activeElement as HTMLElement | null)?.dataset.uuid);

test('a changed icon and colour are seen on the tile, and an unknown name is a plain server that tells the name', async () => {
  const page = await visit(s, '#/wall');
  const icon = tile(page, 2).locator('span').first();
  await icon.waitFor();
  const looks = () => icon.evaluate((e) => [getComputedStyle(e).maskImage.replace(/.*\//, ''), getComputedStyle(e).backgroundColor, e.getAttribute('title')] as const);
  const [before, grey] = await looks();
  expect(before).toBe('server.svg")');
  await patch(2, { op: 'replace', path: '/Meta/icon', value: 'anchor' }, { op: 'replace', path: '/Meta/color', value: 'purple' });
  await expect.poll(async () => (await looks())[0]).toBe('anchor.svg")');
  expect((await looks())[1]).not.toBe(grey);
  await patch(2, { op: 'replace', path: '/Meta/icon', value: 'no such icon' });
  await expect.poll(looks).toMatchObject(['server.svg")', {}, 'no such icon']);
  await page.context().close();
});

test('tiles stand in groups by the effective value of a param, and move when it changes at the machine or elsewhere', async () => {
  const page = await visit(s, '#/wall?group=rack/name');
  await group(page, 'rack-red').waitFor();
  const counts = async () => (await page.getByRole('rowheader').allInnerTexts()).map((t) => t.replace(/\s+/g, ' ').trim());
  expect(await counts()).toEqual(['rack-blue 4', 'rack-none 4', 'rack-red 4']);
  await patch(3, { op: 'add', path: '/Params/rack~1name', value: 'rack-own' });
  await expect.poll(counts).toEqual(['rack-blue 4', 'rack-none 4', 'rack-own 1', 'rack-red 3']);
  await s.api('PATCH', '/profiles/blue', [{ op: 'replace', path: '/Params/rack~1name', value: 'rack-red' }]);
  await expect.poll(counts).toEqual(['rack-none 4', 'rack-own 1', 'rack-red 7']);
  await patch(3, { op: 'remove', path: '/Params/rack~1name' });
  await expect.poll(counts).toEqual(['rack-none 4', 'rack-red 8']);

  await group(page, 'rack-red').getByRole('button').click();
  await expect.poll(() => page.getByRole('gridcell').locator('[data-uuid]').count()).toBe(4);
  await page.getByLabel('Filter machines').fill('Stage=shift');
  await expect.poll(counts).toEqual(['rack-none 2', 'rack-red 4']);
  expect(page.url()).toMatch(/group=rack.*filter=Stage|filter=Stage.*group=rack/);
  await page.context().close();
});

test('the arrow keys lead from tile to tile, space selects, enter opens the machine', async () => {
  const page = await visit(s, '#/wall?size=m');
  await tile(page, 1).focus();
  await page.keyboard.press('ArrowRight');
  await expect.poll(() => focused(page)).toBe(uuids[1]);
  await page.keyboard.press('End');
  await expect.poll(() => focused(page)).toBe(uuids[11]);
  await page.keyboard.press('Home');
  await page.keyboard.press('Space');
  await page.keyboard.press('Shift+ArrowRight');
  await page.keyboard.press('Shift+ArrowRight');
  await page.getByText('3 selected', { exact: true }).waitFor();
  expect(await page.locator('[aria-selected=true] [data-uuid]').evaluateAll((all) => all.map((e) => (e as HTMLElement).dataset.uuid))).toEqual(uuids.slice(0, 3));
  await page.getByRole('button', { name: 'Change 3 selected' }).waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('region', { name: 'Selection' }).waitFor({ state: 'detached' });
  await page.keyboard.press('Enter');
  await page.waitForURL(new RegExp(`#/machines/${uuids[2]}`));
  await page.goBack();
  await tile(page, 1).waitFor();
  await page.context().close();
});

test('only one state is shown when it is asked for, and the address keeps it', async () => {
  const page = await visit(s, '#/wall');
  await page.getByRole('button', { name: '6 waiting' }).click();
  await expect.poll(() => page.locator('[data-uuid]').count()).toBe(6);
  expect(page.url()).toContain('state=waiting');
  await page.goBack();
  await expect.poll(() => page.locator('[data-uuid]').count()).toBe(12);
  await page.context().close();
});

const semantic = 'red orange yellow olive green teal blue violet purple pink brown grey black'.split(' ');
const css = ['#000', '#fff', 'navy', 'lime', 'beige', 'rgb(255 255 255 / 0)', 'hsl(60 100% 50%)', 'midnightblue'];

test.each(['light', 'dark'] as const)('every colour can be told from its background, the %s theme', async (theme) => {
  const page = await visit(s, '#/wall?size=l', { theme });
  await tile(page, 1).waitFor();
  const worst = await page.evaluate(
    ([colours, icon, back]) => {
      const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true })!;
      const luminance = (colour: string) => {
        canvas.fillStyle = '#f0f';
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
      };
      const tiles = document.querySelector(back as string)!;
      const one = document.querySelector<HTMLElement>(icon as string)!;
      const ground = luminance(getComputedStyle(tiles).backgroundColor);
      return (colours as string[]).map((colour) => {
        one.style.setProperty('--icon-colour', colour);
        const l = luminance(getComputedStyle(one).backgroundColor);
        return [colour, (Math.max(l, ground) + 0.05) / (Math.min(l, ground) + 0.05)] as const;
      });
    },
    [[...css, ...semantic.map((c) => ({ violet: '#6435c9', black: '#1b1c1d', yellow: '#fbbd08', olive: '#b5cc18', purple: '#a333c8', teal: '#00b5ad', brown: '#a5673f' })[c] ?? c)], '[data-uuid] > span', '[data-uuid]'],
  );
  expect(worst.filter(([, contrast]) => contrast < 3)).toEqual([]);
  await page.context().close();
});

test('nothing keeps people out while they select', async () => {
  const page = await visit(s, '#/wall?group=profile&size=l', { theme: 'dark' });
  await tile(page, 1).waitFor();
  await page.getByRole('button', { name: 'Select', exact: true }).click();
  await tile(page, 1).click();
  await page.getByText('1 selected', { exact: true }).waitFor();
  expect(await axe(page)).toEqual([]);
  await screenshot(page, 'wall-selecting');
  await page.context().close();
});
