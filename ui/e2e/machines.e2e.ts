import type { Page } from 'playwright-core';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Machine } from '../src/api/types.ts';
import { compileFilter, type Language, parseFilter, termText, toQuery } from '../src/lib/filter.ts';
import { type Condition, type Fields, operators } from '../src/lib/match.ts';
import { chance } from '../src/lib/random.testing.ts';
import { axe, forgive, screenshot, server, visit, type Server } from './harness.ts';

const inTurns = async <T>(items: readonly T[], fn: (item: T) => Promise<unknown>): Promise<void> => {
  const rest = [...items];
  await Promise.all(Array.from({ length: 16 }, async () => {
    for (let item = rest.pop(); item !== undefined; item = rest.pop()) await fn(item);
  }));
};

const seed = Number(process.env.SEED ?? Date.now() % 1e6);
const r = chance(seed);
const pick = <T>(list: readonly T[]): T => list[Math.floor(r() * list.length)]!;
const some = <T>(list: readonly T[]): T[] => list.filter(() => r() < 0.4);

describe('a filter', () => {
  let s: Server;
  let fields: Fields;
  const fleet: Machine[] = [];
  const effective = new Map<string, Record<string, unknown>>();
  const params = ['int', 'text', 'flag', 'list', 'mixed', 'of/profile', 'unset'];
  const mixed = [1, 10, 2.5, -1, 1e21, 0.00001, '1', '10', 'a', '', 'B', 'ü', true, false, null, [], ['a', 1, true], { b: 1, a: ['x', null] }, 'two words', 'a,b', 'x(y)'];

  beforeAll(async () => {
    s = await server();
    fields = await s.api<Fields>('GET', '/indexes/machines');
    await s.api('POST', '/params', { Name: 'int', Schema: { type: 'integer', default: 3 } });
    await s.api('POST', '/params', { Name: 'unset', Schema: { type: 'string', default: 'b' } });
    await s.api('POST', '/stages', { Name: 'prep', Params: { text: 'of the stage' } });
    await s.api('POST', '/profiles', { Name: 'inner', Params: { 'of/profile': ['deep', 4] } });
    await s.api('POST', '/profiles', { Name: 'outer', Profiles: ['inner'], Params: { text: 'of the profile', flag: true } });
    const values: Record<string, readonly unknown[]> = { int: [0, 3, 4, 10, 40, -2], text: ['a', 'b', 'A', 'prep', '10', ''], flag: [true, false], list: [[], ['a', 'b'], ['b'], [1, 2], ['10']], mixed };
    await inTurns(Array.from({ length: 200 }, (_, i) => i), async (i) => {
      const own = Object.entries(values).filter(() => r() < 0.6).map(([name, of]) => [name, pick(of)]);
      const m = await s.api<Machine>('POST', '/machines', {
        Name: `${pick(['web', 'db', 'Gpu'])}${i}`, Description: pick(['', 'spare', 'Two Words', 'a(b)', 'x, y', 'ends with )']), Stage: pick(['none', 'prep']),
        Address: pick(['', '10.0.0.9', '10.0.0.10', '9.255.0.1', 'fd00::1', 'fd00:0:0:1::2', '::ffff:10.0.0.9']), Profiles: some(['outer', 'inner']), Params: Object.fromEntries(own),
        HardwareAddrs: some([`52:54:00:00:00:${(i % 256).toString(16).padStart(2, '0')}`]), Arch: pick(['amd64', 'arm64']), OS: pick(['', 'debian-13', 'ubuntu-26.04']),
        Runnable: r() < 0.7, Locked: r() < 0.1, Pool: pick(['default', 'blue']), Meta: Object.fromEntries(some(['icon', 'color', 'rank']).map((k) => [k, pick(['anchor', 'red', '5', 'true', ''])])),
      });
      fleet.push(m);
    });
    fleet.sort((a, b) => (a.Name < b.Name ? -1 : 1)); // the same for the same seed
    const defaults = { int: 3, unset: 'b' };
    for (const m of await s.api<Machine[]>('GET', '/machines?aggregate=true')) effective.set(m.Uuid, { ...defaults, ...m.Params });
  });

  const present = (name: string): string[] => {
    const m = pick(fleet);
    const v = name === 'Key' ? m.Uuid : name === 'Valid' ? m.Validated : ((m as unknown as Record<string, unknown>)[name] ?? m.Meta[name.replace('Meta.', '')] ?? effective.get(m.Uuid)![name]);
    return (Array.isArray(v) ? v : [v]).map((x) => (typeof x === 'string' ? x : JSON.stringify(x) ?? 'x'));
  };
  const value = (name: string): string => (r() < 0.7 ? (present(name)[0] ?? '') : pick(['a', '10', 'true', '10.0.0.10', '', '-1', 'fred', 'Ne(a)', '"10"', 'fd00::1', 'null']));
  const expressions = ['^web', '1$', 'a|b', '(?i)WEB|spare', '[[:digit:]]+', '^$', 'nil', 'map', '10\\.0', 'fd00', '.', 'two words', '\\bWords\\b', '^[^a-z]*$', 'e\\+21', '\\(b\\)', 'invalid'];
  const condition = (names: readonly string[]): Condition => {
    const name = pick(names);
    const op = pick(operators);
    if (op === 'Re') return { name, op, text: pick(expressions) };
    const n = op === 'Between' || op === 'Except' ? 2 : op === 'In' || op === 'Nin' ? 1 + Math.floor(r() * 3) : 1;
    return { name, op, text: Array.from({ length: n }, () => value(name)).join(',') };
  };

  test(`finds here what the server finds (SEED=${seed})`, async () => {
    const names = [...Object.keys(fields), ...params, 'Meta.icon', 'Meta.rank', 'Meta.none', 'never/heard/of'];
    const language: Language = { fields, params };
    const access = { key: (m: Machine) => m.Uuid, param: (m: Machine, name: string) => effective.get(m.Uuid)![name] };
    let found = 0;
    let refused = 0;
    await inTurns(Array.from({ length: 1500 }, () => Array.from({ length: 1 + Math.floor(r() * 1.6) }, () => condition(names))), async (conditions) => {
      const text = conditions.map(termText).join(' ');
      const filter = parseFilter(text, language);
      const query = new URLSearchParams(filter.error ? conditions.map((c) => [c.name, `${c.op}(${c.text})`]) : toQuery(filter)!);
      const got = await s.ask('GET', `/api/v3/machines?slim=Meta,Params&${query}`, undefined, { Authorization: `Bearer ${s.token()}` });
      expect({ text, refused: got.status !== 200 ? got.text : '' }, text).toEqual({ text, refused: filter.error ? expect.stringContaining('{') : '' });
      if (filter.error) return void refused++;
      const here = fleet.filter(compileFilter(filter, fields, access)).map((m) => m.Uuid);
      const there = (JSON.parse(got.text) as Machine[]).map((m) => m.Uuid);
      expect({ text, found: here.sort() }).toEqual({ text, found: there.sort() });
      if (here.length > 0 && here.length < fleet.length) found++;
    });
    expect(found).toBeGreaterThan(300); // else it would say little
    expect(refused).toBeGreaterThan(20);
  });
});

describe('the table of machines', () => {
  let s: Server;
  let page: Page;
  const uuids = new Map<string, string>();
  const row = (on: Page, name: string) => on.getByRole('row', { name: new RegExp(`\\b${name.replaceAll('.', '\\.')}(?!\\d)`) });
  const count = (on: Page) => on.locator('[class*=toolbar] [role=status]').last();

  beforeAll(async () => {
    s = await server();
    await s.api('POST', '/params', { Name: 'rack/unit', Description: 'Where in its rack', Schema: { type: 'integer', default: 1 } });
    await s.api('POST', '/profiles', { Name: 'rack', Params: { 'rack/unit': 7 } });
    await s.api('POST', '/profiles', { Name: 'batch' });
    await s.api('POST', '/profiles', { Name: 'other' });
    await inTurns(Array.from({ length: 500 }, (_, i) => i + 1), async (i) => {
      const { Uuid } = await s.api<Machine>('POST', '/machines', {
        Name: `web${i}`, Address: `10.0.${i >> 8}.${i & 255}`, Description: i % 100 ? '' : 'a hundred', Profiles: i === 20 ? ['rack'] : [], Params: i === 30 ? { 'rack/unit': 12 } : {}, Locked: i === 500,
        Meta: { icon: ['server', 'anchor', 'database'][i % 3], color: ['grey', 'green', 'blue'][i % 3] },
      });
      uuids.set(`web${i}`, Uuid);
    });
    page = await visit(s, '#/machines');
  });

  test('shows machines in natural order, and new ones without reload', async () => {
    await expect.poll(() => count(page).textContent()).toBe('500');
    const names = page.getByRole('row').locator('td:nth-child(2)');
    expect((await names.allTextContents()).slice(0, 10)).toEqual(Array.from({ length: 10 }, (_, i) => `web${i + 1}`));
    await s.api('POST', '/machines', { Name: 'aaa' });
    await row(page, 'aaa').waitFor();
    await page.getByRole('button', { name: 'Create machine' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByRole('textbox', { name: 'Name' }).fill('web1');
    forgive(page, /status of 409|status of 422/);
    await dialog.getByRole('button', { name: 'Create' }).click();
    await dialog.getByRole('alert').waitFor(); // the server's words: there is one of this name
    await dialog.getByRole('textbox', { name: 'Name' }).fill('aab');
    await dialog.getByRole('button', { name: 'Create' }).click();
    await row(page, 'aab').waitFor();
    await inTurns(['aaa', 'aab'], (name) => s.api('DELETE', `/machines/Name:${name}`));
    await expect.poll(() => count(page).textContent()).toBe('500');
  });

  test('filters as one types, in the API\'s words, and the address shows the same to others', async () => {
    const box = page.getByRole('textbox', { name: 'Filter machines' }).or(page.getByRole('combobox', { name: 'Filter machines' })).or(page.getByRole('searchbox', { name: 'Filter machines' })).first();
    await box.fill('Name=Re(^web1)  hundred');
    await expect.poll(() => count(page).textContent()).toBe('1 of 500');
    await box.fill('Name=Re(^web1');
    await page.getByText('no closing )').waitFor();
    await expect.poll(() => count(page).textContent()).toBe('1 of 500'); // the last that made sense
    await box.fill('rack/unit>4');
    await expect.poll(() => count(page).textContent()).toBe('2 of 500');
    await page.getByRole('button', { name: 'Columns' }).click();
    await page.getByRole('textbox', { name: 'Find a column' }).fill('rack');
    await page.getByRole('checkbox', { name: 'rack/unit' }).check();
    await page.keyboard.press('Escape');
    await page.getByRole('columnheader', { name: 'rack/unit' }).getByRole('button').click();
    await expect.poll(() => page.getByRole('row').locator('td:nth-child(2)').allTextContents()).toEqual(['web20', 'web30']);
    await expect.poll(() => row(page, 'web20').textContent()).toContain('7');
    // A value that comes from a profile is kept current, too.
    await s.api('POST', '/profiles/rack/params/rack%2Funit', 70);
    await expect.poll(() => page.getByRole('row').locator('td:nth-child(2)').allTextContents(), { timeout: 10_000 }).toEqual(['web30', 'web20']);
    await expect.poll(() => row(page, 'web20').textContent()).toContain('70');

    await expect.poll(() => new URL(page.url()).hash).toContain('filter=');
    const other = await visit(s, new URL(page.url()).hash);
    await expect.poll(() => other.getByRole('row').locator('td:nth-child(2)').allTextContents()).toEqual(['web30', 'web20']);
    await other.getByRole('columnheader', { name: 'rack/unit' }).waitFor();
    await other.context().close();
    await page.goto(`${s.url}/ui/#/machines`);
    await expect.poll(() => count(page).textContent()).toBe('500');
    expect(await box.inputValue()).toBe('');
  });

  test('is worked by the keyboard', async () => {
    await page.locator('h1').click();
    for (const key of ['j', 'j', 'x', 'J', 'J']) await page.keyboard.press(key);
    await expect.poll(() => count(page).textContent()).toBe('500 · 3 selected');
    expect(await page.getByRole('row', { selected: true }).locator('td:nth-child(2)').allTextContents()).toEqual(['web2', 'web3', 'web4']);
    await page.keyboard.press('End');
    await row(page, 'web500').waitFor();
    await page.keyboard.press('Escape');
    await expect.poll(() => count(page).textContent()).toBe('500');
    await page.keyboard.press('Control+a');
    await expect.poll(() => count(page).textContent()).toBe('500 · 500 selected');
    await page.keyboard.press('Enter');
    await expect.poll(() => new URL(page.url()).hash).toBe(`#/machines/${uuids.get('web500')}`);
    await page.goBack();
    await expect.poll(() => count(page).textContent()).toBe('500');
  });

  test('changes 500 machines, and tells of those that others change meanwhile', async () => {
    const meddled = ['web7', 'web77', 'web177'].map((n) => uuids.get(n)!);
    forgive(page, /status of 409/);
    for (const uuid of meddled) {
      let once = true;
      await page.route(`**/api/v3/machines/${uuid}`, async (route) => {
        if (route.request().method() === 'PATCH' && once) {
          once = false;
          await s.api('PATCH', `/machines/${uuid}`, [{ op: 'add', path: '/Profiles/-', value: 'other' }]);
        }
        await route.continue();
      });
    }
    await page.getByRole('button', { name: 'Change all 500' }).click();
    await page.getByRole('menuitem', { name: 'Add profile' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByRole('combobox', { name: 'Profile' }).or(dialog.getByRole('textbox', { name: 'Profile' })).first().click();
    await page.getByRole('option', { name: 'batch' }).click();
    await dialog.getByText('499 machines will change, 1 will not').waitFor();
    await dialog.getByText('is locked').waitFor(); // on top of the list
    expect(await axe(page)).toEqual([]);
    await screenshot(page, 'bulk-preview');
    await dialog.getByRole('button', { name: 'Change 499 machines' }).click();
    await dialog.getByText('496 of 499 done, 3 failed').waitFor();
    expect(await dialog.getByText(/has changed meanwhile/).count()).toBe(3);
    await screenshot(page, 'bulk-conflicts');
    await dialog.getByRole('button', { name: 'Try 3 again' }).click();
    await dialog.getByText('499 of 499 done').waitFor();
    await dialog.getByRole('button', { name: 'Close' }).last().click();

    const list = await s.api<Machine[]>('GET', '/machines?slim=Params,Meta');
    for (const m of list) {
      const want = m.Name === 'web500' ? [] : [...(m.Name === 'web20' ? ['rack'] : []), ...(meddled.includes(m.Uuid) ? ['other'] : []), 'batch'];
      expect({ name: m.Name, profiles: m.Profiles }).toEqual({ name: m.Name, profiles: want });
    }
  });

  test('deletes what is selected, after the number was typed', async () => {
    const box = page.getByLabel('Filter machines').first();
    await box.fill('Name=In(web1,web2,web500)');
    await expect.poll(() => count(page).textContent()).toContain('3 of 500');
    await page.getByRole('checkbox', { name: 'Select all 3 shown' }).check();
    await page.getByRole('button', { name: 'Change 3 selected' }).click();
    await page.getByRole('menuitem', { name: 'Delete' }).click();
    const dialog = page.getByRole('dialog');
    const button = dialog.getByRole('button', { name: 'Delete 2 machines' });
    expect(await button.isDisabled()).toBe(true);
    await dialog.getByRole('textbox').fill('2');
    await button.click();
    await dialog.getByText('2 of 2 done').waitFor();
    await dialog.getByRole('button', { name: 'Close' }).last().click();
    await expect.poll(() => count(page).textContent()).toBe('1 of 498 · 1 selected');
    await page.context().close();
  });

  test('is filled by a dialog that is in order on a telephone', async () => {
    const narrow = await visit(s, '#/machines', { width: 390, height: 800 });
    await narrow.getByRole('button', { name: 'Create machine' }).click();
    await narrow.getByRole('dialog').getByRole('textbox', { name: 'Name' }).waitFor();
    expect(await axe(narrow)).toEqual([]);
    await screenshot(narrow, 'machines-create-390');
    await narrow.context().close();
  });
});
