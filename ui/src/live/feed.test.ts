import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { session } from '../api/session.ts';
import type { Event } from '../api/types.ts';
import { escaped, Feed, selects, type Dial } from './feed.ts';

const token = ['', btoa(JSON.stringify({ sub: 'user:ann', exp: 4e9 })), ''].join('.');

beforeEach(() => {
  vi.useFakeTimers();
  session.getState().start(token);
});

afterEach(() => {
  session.getState().end();
  vi.useRealTimers();
});

/** A server's side of the events protocol, with connections that break where a test wants. */
class Server {
  past: Event[] = [];
  open: Line[] = [];
  dialled: { rev: number; protocols: string[] }[] = [];
  firstRev = 0; // what is older cannot be resumed from

  dial: Dial = (url, protocols) => {
    const rev = Number(new URL(url).searchParams.get('rev') ?? 0);
    this.dialled.push({ rev, protocols });
    const line = new Line(this, rev);
    this.open.push(line);
    return line as unknown as ReturnType<Dial>;
  };

  /** Commits a change that makes events of these kinds. */
  commit(...kinds: string[]) {
    const rev = (this.past.at(-1)?.Rev ?? 0) + 1;
    kinds.forEach((kind, i) => {
      const e = event(rev, kind, i < kinds.length - 1);
      this.past.push(e);
      for (const line of this.open) line.offer(e);
    });
  }

  get rev() {
    return this.past.at(-1)?.Rev ?? 0;
  }
}

const event = (rev: number, kind: string, more: boolean): Event => ({
  Time: '', Type: kind, Action: 'update', Key: 'k', Principal: '', Object: {}, Original: null, Rev: rev, ...(more && { More: true }),
});

class Line {
  onopen: (() => void) | null = null;
  onmessage: ((m: { data: string }) => void) | null = null;
  onclose: ((e: { code: number; reason: string }) => void) | null = null;
  private readonly server: Server;
  private readonly from: number;
  private readonly filters = new Set<string>();
  private queue: Event[] = [];

  constructor(server: Server, from: number) {
    this.server = server;
    this.from = from;
  }

  send(text: string) {
    const [verb, filter] = text.split(' ');
    const earlier = [...this.filters];
    if (verb === 'register') this.filters.add(filter);
    else this.filters.delete(filter);
    this.queue.push({ ...event(this.from || verb !== 'register' ? 0 : this.server.rev, 'websocket', false), Key: filter, Action: verb });
    if (verb !== 'register' || !this.from || earlier.includes(filter)) return;
    if (this.from < this.server.firstRev || this.from > this.server.rev) return this.break('cannot resume from revision ' + this.from);
    this.queue.push(...this.server.past.filter((e) => e.Rev! > this.from && selects(filter, e) && !earlier.some((f) => selects(f, e))));
  }

  offer(e: Event) {
    if ([...this.filters].some((f) => selects(f, e))) this.queue.push(e);
  }

  /** The connection stands; that happens once. */
  opened() {
    const open = this.onopen;
    this.onopen = null;
    open?.();
  }

  /** Lets so many messages through. */
  deliver(n = Infinity) {
    for (let i = 0; i < n && this.queue.length; i++) this.onmessage?.({ data: JSON.stringify(this.queue.shift()) });
  }

  close() {
    this.server.open = this.server.open.filter((l) => l !== this);
  }

  break(reason = '') {
    this.close();
    this.onclose?.({ code: 1013, reason });
  }
}

/** In their order; what belongs to one revision happened at once. */
const names = (list: Event[]) => list.map((e) => `${String(e.Rev).padStart(4)}.${e.Type}`);

test('whatever breaks and when, whoever listens hears every event of his filter once and in order', async () => {
  for (let seed = 1; seed <= 300; seed++) {
    let state = seed;
    const random = (n: number) => ((state = (state * 48271) % 2147483647) >>> 8) % n;
    const server = new Server();
    const feed = new Feed(server.dial);
    let lost = 0;
    feed.onLost = () => lost++;
    const heard: { filter: string; since: number; got: Event[] }[] = [];
    const listen = () => {
      const filter = ['machines.*.*', 'jobs.*.*', 'machines,profiles.*.*', '*.*.*'][random(4)];
      const one = { filter, since: NaN, got: [] as Event[] };
      heard.push(one);
      // What was committed before the first acknowledgement, or told to others, is read by other means.
      const known = Math.max(0, ...heard.flatMap(({ got }) => got.map((e) => e.Rev!)));
      const { ready } = feed.listen(filter, (e) => one.got.push(e));
      void ready().then(() => (one.since = Math.max(known, feed.rev)));
    };
    listen();
    const stop = feed.start();
    for (let i = 0; i < 80; i++) {
      const line = server.open[0];
      switch (random(6)) {
        case 0:
          if (line && feed.rev) line.break();
          break;
        case 1:
          vi.advanceTimersByTime(20_000);
          server.open[0]?.opened();
          break;
        case 2:
          line?.deliver(1 + random(4));
          break;
        case 3:
          if (heard.length < 4) listen();
          break;
        default:
          server.commit(...['machines', 'jobs', 'profiles'].slice(random(3)));
      }
      await Promise.resolve();
    }
    vi.advanceTimersByTime(20_000);
    for (const line of [...server.open]) {
      line.opened();
      line.deliver();
    }
    await Promise.resolve();
    for (const { filter, since, got } of heard) {
      const wanted = server.past.filter((e) => e.Rev! > since && selects(filter, e));
      const fresh = got.filter((e) => e.Rev! > since);
      expect(fresh.map((e) => e.Rev), `seed ${seed}, ${filter}`).toEqual(wanted.map((e) => e.Rev));
      expect(names(fresh).sort(), `seed ${seed}, ${filter}`).toEqual(names(wanted).sort());
      expect(new Set(names(got)).size, `seed ${seed}, ${filter}`).toBe(got.length);
    }
    const last = server.past.findLast((e) => heard.some(({ filter }) => selects(filter, e)))?.Rev ?? 0;
    expect(feed.rev, 'seed ' + seed).toBeGreaterThanOrEqual(last - 1); // the last event of a revision may be nobody's
    expect(lost, 'seed ' + seed).toBe(0);
    stop();
  }
});

test('the token goes as a subprotocol and never stands in the address; a new one takes over at once', () => {
  const server = new Server();
  const urls: string[] = [];
  const feed = new Feed((url, protocols) => {
    urls.push(url);
    return server.dial(url, protocols);
  });
  const stop = feed.start();
  expect(server.dialled).toEqual([{ rev: 0, protocols: ['drp.events', 'bearer.' + token] }]);
  server.open[0].opened();
  const other = ['', btoa(JSON.stringify({ sub: 'user:ann', exp: 4.1e9 })), ''].join('.');
  session.getState().start(other);
  expect(server.dialled.at(-1)!.protocols[1]).toBe('bearer.' + other);
  expect(server.open).toHaveLength(1);
  for (const url of urls) expect(url).not.toContain(token.slice(1, 9));
  stop();
  expect(server.open).toHaveLength(0);
});

test('what is asked for at any time is promised once the server delivers it', async () => {
  const server = new Server();
  const feed = new Feed(server.dial);
  const ready: string[] = [];
  feed.listen('machines.*.*', () => {}).ready().then(() => ready.push('before'));
  const stop = feed.start();
  server.open[0].opened();
  const later = feed.listen('jobs.*.*', () => {});
  later.ready().then(() => ready.push('after'));
  await Promise.resolve();
  expect(ready).toEqual([]);
  server.open[0].deliver();
  await Promise.resolve();
  expect(ready).toEqual(['before', 'after']);
  later.end();
  server.open[0].deliver();
  stop();
});

test('a past that cannot be resumed, or is another one, has everything read anew', () => {
  for (const fault of ['gone', 'restored']) {
    const server = new Server();
    const feed = new Feed(server.dial);
    let lost = 0;
    feed.onLost = () => lost++;
    feed.listen('machines.*.*', () => {});
    const stop = feed.start();
    for (let i = 0; i < 5; i++) server.commit('machines');
    server.open[0].opened();
    server.open[0].deliver();
    expect(feed.rev).toBe(5);
    if (fault === 'gone') {
      server.open[0].break();
      server.commit('machines');
      server.firstRev = 6;
      vi.advanceTimersByTime(20_000);
      server.open[0].opened();
    } else {
      server.open[0].break();
      server.past = server.past.slice(0, 2);
      vi.advanceTimersByTime(20_000);
      server.open[0].opened();
    }
    expect(lost, fault).toBe(1);
    vi.advanceTimersByTime(20_000);
    expect(server.dialled.at(-1)!.rev, fault).toBe(0);
    stop();
  }
});

test('the page knows whether what it shows is current', () => {
  const server = new Server();
  const feed = new Feed(server.dial);
  const states: string[] = [];
  feed.onState = (s) => states.push(s);
  feed.listen('machines.*.*', () => {});
  const stop = feed.start();
  server.open[0].opened();
  server.open[0].break();
  vi.advanceTimersByTime(20_000);
  server.open[0].opened();
  expect(states).toEqual(['live', 'reconnecting', 'live']);
  stop();
});

test('filters select as those of the server', () => {
  const e = { Type: 'machines', Action: 'update', Key: 'a.b,c*' };
  for (const [filter, yes] of Object.entries({
    '*.*.*': true, 'machines.*.*': true, 'machines.save,update.*': true, 'jobs.*.*': false, 'machines.delete.*': false,
    ['machines.*.' + escaped(e.Key)]: true, 'machines.*.a.b,c*': false, 'machines.*.x,*': true,
  })) {
    expect(selects(filter, e), filter).toBe(yes);
  }
});
