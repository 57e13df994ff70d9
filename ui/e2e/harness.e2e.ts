import { expect, test } from 'vitest';
import { axe, demoCluster, forgive, open, problemsOf, proxy, server } from './harness.ts';

const s = await server();

/** Opens the websocket from within the page, and tells the first answer to a registration. */
const firstWord = ([url, token]: string[]) =>
  new Promise<string>((done, fail) => {
    const ws = new WebSocket(url, ['drp.events', `bearer.${token}`]);
    ws.onopen = () => ws.send('register machines.*.*');
    ws.onmessage = (m) => {
      done(`${ws.protocol} ${(JSON.parse(String(m.data)) as { Action: string }).Action}`);
      ws.close();
    };
    ws.onclose = () => fail(new Error('closed'));
  });

test('the policy lets a page open the websocket of its own server, also behind a proxy', async () => {
  for (const base of [s.url, (await proxy(s, '/site/drp')).url]) {
    const page = await open(base);
    expect(await page.evaluate(firstWord, [`${base.replace(/^http/, 'ws')}/api/v3/ws`, s.token()])).toBe('drp.events register');
    await page.context().close();
  }
});

test('the harness sees what goes wrong in a page', async () => {
  const page = await open(s);
  const wrong = [/policy: script-src/, /inline script/, /nothing\.js/, /page error: .*oops/, /example\.invalid/];
  await page.evaluate(() => {
    document.body.append(Object.assign(document.createElement('script'), { textContent: 'globalThis.ran = true' }));
    document.body.append(Object.assign(document.createElement('script'), { src: 'assets/nothing.js' }));
    setTimeout(() => {
      throw new Error('oops');
    });
    void fetch('https://example.invalid/').catch(() => {});
  });
  forgive(page, ...wrong, /Failed to load resource/);
  await expect.poll(() => wrong.filter((w) => !problemsOf(page).some((p) => w.test(p)))).toEqual([]);
  await page.setContent('<html lang="en"><title>x</title><main><h1>x</h1><button></button></main></html>');
  expect(await page.evaluate(() => 'ran' in globalThis)).toBe(false);
  expect((await axe(page)).join()).toContain('button-name');
});

test('a server comes back on its port, and runners do the work of the demonstration', async () => {
  const cluster = await demoCluster(s, 1);
  const url = s.url;
  await s.kill();
  await s.start();
  expect(s.url).toBe(url);
  await cluster.run();
  const done = { Kind: 'machines', Key: cluster.members[0].Uuid, Tests: [{ op: 'test', path: '/WorkflowComplete', value: true }] };
  expect(await s.api('POST', '/wait', { For: done, Timeout: '60s' })).toMatchObject({ Result: 'holds' });
});
