import { expect, test } from 'vitest';
import { followLog, type Ask } from './follow';
import { chance } from './random.testing';

// A server with one log, which it changes as a story tells between the requests.
function world(story: ((w: World) => void)[]) {
  const w: World = { log: '', state: 'running', fail: undefined, asked: [], ranges: true };
  async function ask(a: Ask): Promise<Response> {
    w.asked.push(a);
    const failing = w.fail;
    w.fail = undefined;
    if (failing !== undefined) throw Object.assign(new Error('no'), { status: failing });
    if (a.wait && a.from === w.log.length) story.shift()?.(w);
    if (a.from > w.log.length) throw Object.assign(new Error('range'), { status: 416 });
    const body = w.log.slice(w.ranges ? a.from : 0);
    const headers = { 'X-DRP-JOB-STATE': w.state };
    if (body === '' || a.from === w.log.length) return new Response(null, { status: 204, headers });
    return new Response(body, { status: w.ranges && a.from > 0 ? 206 : 200, headers });
  }
  return { w, ask };
}

interface World {
  log: string;
  state: string;
  fail: number | undefined;
  asked: Ask[];
  ranges: boolean;
}

async function follow({ ask }: ReturnType<typeof world>) {
  let text = '';
  const trouble: unknown[] = [];
  await followLog({
    ask,
    onBytes: (b) => (text += new TextDecoder().decode(b)),
    onRestart: () => (text = ''),
    onTrouble: (err) => trouble.push(err),
    pause: async () => {},
    signal: new AbortController().signal,
  });
  return { text, trouble };
}

test('whatever happens on the way, in the end the text is the log', async () => {
  for (let seed = 1; seed <= 200; seed++) {
    const r = chance(seed);
    const steps = Array.from({ length: 1 + Math.floor(r() * 8) }, (_, i) => (w: World) => {
      const fate = r();
      if (fate < 0.2) w.fail = [0, 429, 500, 503][Math.floor(r() * 4)];
      else if (fate < 0.3) w.ranges = !w.ranges;
      else if (fate < 0.35) w.log = 'x'.repeat(Math.floor(r() * 3));
      else w.log += `line ${i}\n`;
    });
    const told = world([
      ...steps,
      (w) => (w.state = 'failed'),
      (w) => (w.log += 'the tail that comes after the end\n'),
    ]);
    expect((await follow(told)).text, `seed ${seed}`).toBe(told.w.log);
    expect(told.w.asked.at(-1), `seed ${seed}`).toMatchObject({ wait: true, late: true });
  }
});

test('the log of a job that has ended is asked for, and once more for its tail', async () => {
  const told = world([]);
  Object.assign(told.w, { log: 'done\n', state: 'finished' });
  expect((await follow(told)).text).toBe('done\n');
  expect(told.w.asked).toEqual([
    { from: 0, wait: false, late: false },
    { from: 5, wait: true, late: false },
    { from: 5, wait: true, late: true },
  ]);
});

test('trouble is told, and that it is over', async () => {
  const told = world([(w) => (w.state = 'finished')]);
  told.w.fail = 503;
  const { trouble } = await follow(told);
  expect(trouble.map((t) => t !== undefined)).toEqual([true, false]);
});

test('what the server refuses is not asked again', async () => {
  const told = world([]);
  told.w.fail = 404;
  await expect(follow(told)).rejects.toMatchObject({ status: 404 });
  expect(told.w.asked.length).toBe(1);
});

test('leaving the page ends it', async () => {
  const leave = new AbortController();
  const told = world([]);
  let n = 0;
  await followLog({ ask: (a) => (++n === 3 && leave.abort(), told.ask(a)), onBytes: () => {}, onRestart: () => {}, signal: leave.signal });
  expect(n).toBe(3);
});
