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

  /** Commits a change that makes so many events. */
  commit(...keys: string[]) {
    const rev = (this.past.at(-1)?.Rev ?? 0) + 1;
    keys.forEach((key, i) => {
      const e = event(rev, key, i < keys.length - 1);
      this.past.push(e);
      for (const line of this.open) line.offer(e);
    });
  }

  get rev() {
    return this.past.at(-1)?.Rev ?? 0;
  }
}

const event = (rev: number, key: string, more: boolean): Event => ({
  Time: '', Type: 'machines', Action: 'update', Key: key, Principal: '', Object: { Uuid: key }, Original: null, Rev: rev, ...(more && { More: true }),
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
    const known = this.filters.has(filter);
    if (verb === 'register') this.filters.add(filter);
    else this.filters.delete(filter);
    this.queue.push({ ...event(this.from || verb !== 'register' ? 0 : this.server.rev, filter, false), Type: 'websocket', Action: verb });
    if (verb !== 'register' || !this.from || known) return;
    if (this.from < this.server.firstRev) return this.break('cannot resume from revision ' + this.from);
    this.queue.push(...this.server.past.filter((e) => e.Rev! > this.from && selects(filter, e)));
  }

  offer(e: Event) {
    if ([...this.filters].some((f) => selects(f, e))) this.queue.push(e);
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

const names = (list: Event[]) => list.map((e) => `${e.Rev}.${e.Key}`);

test('whatever breaks and when, every event arrives once and in order', () => {
  for (let seed = 1; seed <= 200; seed++) {
    let state = seed;
    const random = (n: number) => ((state = (state * 48271) % 2147483647) >>> 8) % n;
    const server = new Server();
    const feed = new Feed(server.dial);
    const got: Event[] = [];
    feed.listen('machines.*.*', (e) => got.push(e));
    const stop = feed.start();
    for (let i = 0; i < 60; i++) {
      const line = server.open[0];
      switch (random(5)) {
        case 0:
          if (line && feed.rev) line.break();
          break;
        case 1:
          vi.advanceTimersByTime(20_000);
          server.open[0]?.onopen?.();
          break;
        case 2:
          line?.deliver(1 + random(4));
          break;
        default:
          if (feed.rev || !server.past.length) server.commit(...['a', 'b', 'c'].slice(0, 1 + random(3)));
          if (!feed.rev && line) line.deliver();
      }
    }
    vi.advanceTimersByTime(20_000);
    for (const line of [...server.open]) {
      line.onopen?.();
      line.deliver();
    }
    // What was committed before the first acknowledgement is read by other means.
    const first = got[0]?.Rev ?? Infinity;
    expect(names(got), 'seed ' + seed).toEqual(names(server.past.filter((e) => e.Rev! >= first)));
    expect(server.past.filter((e) => e.Rev! < first).length, 'seed ' + seed).toBeLessThanOrEqual(3);
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
  server.open[0].onopen?.();
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
  feed.listen('machines.*.*', () => {}).ready.then(() => ready.push('before'));
  const stop = feed.start();
  server.open[0].onopen?.();
  const later = feed.listen('jobs.*.*', () => {});
  later.ready.then(() => ready.push('after'));
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
    for (let i = 0; i < 5; i++) server.commit('a');
    server.open[0].onopen?.();
    server.open[0].deliver();
    expect(feed.rev).toBe(5);
    if (fault === 'gone') {
      server.open[0].break();
      server.commit('b');
      server.firstRev = 6;
      vi.advanceTimersByTime(20_000);
      server.open[0].onopen?.();
    } else {
      server.open[0].break();
      server.past = server.past.slice(0, 2);
      vi.advanceTimersByTime(20_000);
      server.open[0].onopen?.();
      server.commit('b');
      server.open[0].deliver();
    }
    expect(lost, fault).toBe(1);
    vi.advanceTimersByTime(20_000);
    if (fault === 'gone') expect(server.dialled.at(-1)!.rev).toBe(0);
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
  server.open[0].onopen?.();
  server.open[0].break();
  vi.advanceTimersByTime(20_000);
  server.open[0].onopen?.();
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
