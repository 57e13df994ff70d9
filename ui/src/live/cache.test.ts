import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { session } from '../api/session.ts';
import type { Event, Thing } from '../api/types.ts';
import { Cache } from './cache.ts';
import type { Feed } from './feed.ts';

/** A server that changes while it is read: each request lets some changes pass first. */
class Server {
  rev = 0;
  objects = new Map<string, Thing>();
  hear: ((e: Event) => void) | undefined;
  feed = { rev: 0, listen: (_: string, hear: (e: Event) => void) => ((this.hear = hear), { ready: () => Promise.resolve(), end: () => (this.hear = undefined) }) } as unknown as Feed;
  random: () => number;

  constructor(seed: number) {
    this.random = () => ((seed = (seed * 48271) % 2147483647) >>> 8) / 2 ** 23;
    for (let i = 0; i < 5000; i++) this.objects.set(key(i * 2), thing(key(i * 2), 0));
  }

  change() {
    this.rev++;
    const keys = [...this.objects.keys()];
    const at = keys[Math.floor(this.random() * keys.length)];
    const what = this.random();
    let e: Partial<Event>;
    if (what < 0.3) {
      e = { Action: 'delete', Key: at, Object: this.objects.get(at) };
      this.objects.delete(at);
    } else {
      const k = what < 0.6 ? key(Math.floor(this.random() * 10_000)) : at;
      e = { Action: this.objects.has(k) ? 'update' : 'create', Key: k, Object: thing(k, this.rev) };
      this.objects.set(k, thing(k, this.rev));
    }
    this.hear?.({ Type: 'profiles', Rev: this.rev, Time: '', Principal: '', Original: null, ...e } as Event);
    (this.feed as { rev: number }).rev = this.rev;
  }

  fetch = async (url: URL | string) => {
    const q = new URL(url).searchParams;
    for (let i = 0; i < 20; i++) this.change();
    const after = /^Gt\((.*)\)$/.exec(q.get('Key') ?? '')?.[1] ?? '';
    const list = [...this.objects.keys()].filter((k) => k > after).sort().slice(0, Number(q.get('limit'))).map((k) => this.objects.get(k));
    const body = JSON.stringify(list);
    await new Promise((r) => setTimeout(r, 5)); // as long as an answer takes, so that pages show one by one
    for (let i = 0; i < 20; i++) this.change();
    return new Response(body, { headers: { 'Content-Type': 'application/json' } });
  };
}

const key = (i: number) => 'p' + String(i).padStart(6, '0');
const thing = (k: string, rev: number): Thing => ({ Name: k, Description: 'at ' + rev });

beforeEach(() => session.getState().start('x'));
afterEach(() => {
  session.getState().end();
  vi.unstubAllGlobals();
});

test('a table that is read while all changes ends as the server is, and stays so', async () => {
  for (let seed = 1; seed <= 5; seed++) {
    const server = new Server(seed);
    vi.stubGlobal('fetch', server.fetch);
    const table = new Cache(server.feed).table('profiles');
    const firsts: number[] = [];
    await new Promise<void>((resolve) => {
      table.subscribe(() => {
        firsts.push(table.snapshot.items.length);
        if (table.snapshot.complete) resolve();
      });
    });
    for (let i = 0; i < 50; i++) server.change();
    await vi.waitFor(() => expect(Object.fromEntries(table.snapshot.byKey)).toEqual(Object.fromEntries(server.objects)));
    expect(table.snapshot.items).toHaveLength(server.objects.size);
    expect(firsts[0], 'the first page is shown before the rest is there').toBe(200);
    table.end();
  }
});

test('an object that is deleted can still be looked at; one that never was is missing', async () => {
  const server = new Server(1);
  vi.stubGlobal('fetch', async (url: URL) => {
    const k = String(url).split('/').pop()!;
    const o = server.objects.get(k);
    return new Response(JSON.stringify(o ?? { Messages: ['not there'] }), { status: o ? 200 : 404, headers: { 'Content-Type': 'application/json' } });
  });
  const cache = new Cache(server.feed);
  for (const there of [true, false]) {
    const one = cache.one('profiles', there ? key(0) : 'nobody');
    await new Promise<void>((resolve) => one.subscribe(resolve));
    expect(one.snapshot).toMatchObject({ loading: false, missing: !there });
    if (!there) continue;
    server.hear!({ Type: 'profiles', Action: 'delete', Key: key(0), Rev: 9, Object: thing(key(0), 0) } as Event);
    await vi.waitFor(() => expect(one.snapshot).toMatchObject({ missing: true, object: { Name: key(0) } }));
  }
});
