import { api, ApiError, part, type Query } from '../api/client.ts';
import { keyOf, storedKey, type Event, type Thing } from '../api/types.ts';
import { escaped, type Feed } from './feed.ts';

/** What a table or an object shows now. It changes as a whole: the same snapshot is the same state. */
export interface TableSnapshot<T> {
  items: T[]; // in the order of their keys as the server has it; new ones at the end
  byKey: ReadonlyMap<string, T>;
  loading: boolean; // nothing is known yet
  complete: boolean; // all there are
  error?: ApiError;
}

export interface ObjectSnapshot<T> {
  object?: T;
  loading: boolean;
  missing: boolean; // it is not there, or no longer
  error?: ApiError;
}

const firstPage = 200; // objects: enough for a first paint
const page = 2000;

/** Readers are told at most so often, in milliseconds: a change is seen well within 200. */
const calm = 100;

/** Some of a kind: what the server is asked for, and which objects are among them, by what an event tells of them. */
export interface Some {
  query: Query;
  has: (o: Thing) => boolean;
}

/** Fields that are left out of tables: they are large, and asked for where they are needed. */
const slim: Record<string, string> = { machines: 'Params' };

/** Objects of the server as it has them now: read once, then kept current by its events. */
export class Cache {
  private readonly feed: Feed;
  private readonly tables = new Map<string, Table>();
  private readonly objects = new Map<string, One>();
  private readonly changed = new Set<{ publish(): void }>();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private last = 0;

  constructor(feed: Feed) {
    this.feed = feed;
  }

  table(kind: string, some?: Some): Table {
    const name = some ? `${kind}?${JSON.stringify(some.query)}` : kind;
    let t = this.tables.get(name);
    if (!t) this.tables.set(name, (t = new Table(kind, this.feed, (w) => this.mark(w), some)));
    return t;
  }

  one(kind: string, key: string): One {
    const name = kind + '/' + key;
    let o = this.objects.get(name);
    if (!o) this.objects.set(name, (o = new One(kind, key, this.feed, (w) => this.mark(w), () => this.objects.delete(name))));
    return o;
  }

  /** Forgets everything; who was signed in is no more. */
  clear() {
    for (const t of this.tables.values()) t.end();
    for (const o of this.objects.values()) o.end();
    this.tables.clear();
    this.objects.clear();
  }

  /** Reads everything anew: the past that the feed would have told is lost. */
  reload() {
    for (const t of this.tables.values()) t.load();
    for (const o of this.objects.values()) o.load();
  }

  private mark(what: { publish(): void }) {
    this.changed.add(what);
    if (this.timer !== undefined) return;
    const wait = Math.max(0, this.last + calm - performance.now());
    this.timer = setTimeout(() => this.flush(), wait);
  }

  private flush() {
    this.timer = undefined;
    this.last = performance.now();
    const list = [...this.changed];
    this.changed.clear();
    for (const what of list) what.publish();
  }
}

type Mark = (what: { publish(): void }) => void;

/** What is read once, and then follows the events of a filter. */
abstract class Followed {
  protected readonly readers = new Set<() => void>();
  private readonly filter: string;
  private readonly feed: Feed;
  private readonly mark: Mark;
  private waiting: Event[] | undefined; // events that came while it was read
  private heard: ReturnType<Feed['listen']> | undefined;
  private generation = 0;

  constructor(filter: string, feed: Feed, mark: Mark) {
    this.filter = filter;
    this.feed = feed;
    this.mark = mark;
  }

  /** Asks the server; what it answered after current() has become false is nobody's. */
  protected abstract read(current: () => boolean): Promise<void>;
  protected abstract failed(error: ApiError): void;
  protected abstract apply(e: Event): void;
  abstract publish(): void;

  get started() {
    return this.heard !== undefined;
  }

  protected changed() {
    this.mark(this);
  }

  protected tell() {
    for (const read of [...this.readers]) read();
  }

  end() {
    this.generation++;
    this.heard?.end();
    this.heard = undefined;
  }

  /** Reads it anew; events that come meanwhile are laid over it. */
  async load() {
    const mine = ++this.generation;
    const current = () => mine === this.generation;
    this.waiting = [];
    this.heard ??= this.feed.listen(this.filter, (e) => this.take(e));
    await this.heard.ready();
    const since = this.feed.rev;
    let error: ApiError | undefined;
    try {
      if (current()) await this.read(current);
    } catch (err) {
      error = err as ApiError;
    }
    if (!current()) return;
    if (error) this.failed(error);
    if (error?.status === 0) setTimeout(() => current() && this.load(), 1000);
    else {
      const missed = this.waiting;
      this.waiting = undefined;
      for (const e of missed) if (e.Rev && e.Rev > since) this.apply(e);
    }
    this.changed();
  }

  private take(e: Event) {
    if (!e.Rev || !e.Object) return; // posted by somebody
    if (this.waiting) this.waiting.push(e);
    else {
      this.apply(e);
      this.changed();
    }
  }
}

/** All objects of a kind, or some of them. */
export class Table extends Followed {
  snapshot: TableSnapshot<Thing> = { items: [], byKey: new Map(), loading: true, complete: false };
  private items = new Map<string, Thing>();
  private error: ApiError | undefined;
  private complete = false;
  private loading = true;
  private readonly kind: string;
  private readonly some: Some | undefined;

  constructor(kind: string, feed: Feed, mark: Mark, some?: Some) {
    super(kind + '.*.*', feed, mark);
    this.kind = kind;
    this.some = some;
  }

  subscribe = (read: () => void) => {
    this.readers.add(read);
    if (!this.started || this.error) void this.load();
    return () => this.readers.delete(read); // kept current for the next page that needs it
  };

  publish() {
    this.snapshot = { items: [...this.items.values()], byKey: new Map(this.items), loading: this.loading, complete: this.complete, error: this.error };
    this.tell();
  }

  /** In pages, the first one small. */
  protected async read(current: () => boolean) {
    this.error = undefined;
    const found = new Map<string, Thing>();
    // Pages go on behind the last key, not at a number: what is removed meanwhile moves nothing out of sight.
    for (let last = '', limit = firstPage; ; limit = page) {
      // Some are read at once, by a query of their own.
      const query: Query = this.some?.query ?? { limit, slim: slim[this.kind], Key: last && `Gt(${last})` };
      const list = await api<Thing[]>('GET', '/' + this.kind, { query });
      if (!current()) return;
      for (const o of list) found.set(keyOf(this.kind, o), o);
      if (this.some || list.length < limit) break;
      last = storedKey(this.kind, keyOf(this.kind, list[list.length - 1]));
      if (!this.complete) {
        this.items = new Map(found);
        this.loading = false;
        this.changed();
      }
    }
    this.items = found;
    this.complete = true;
    this.loading = false;
  }

  protected failed(error: ApiError) {
    this.error = error;
    this.loading = false;
  }

  protected apply(e: Event) {
    const o = e.Object as Thing;
    const key = keyOf(this.kind, o);
    if (e.Action === 'delete' || this.some?.has(o) === false) this.items.delete(key);
    else this.items.set(key, thin(this.kind, o));
  }
}

function thin(kind: string, o: Thing): Thing {
  const left = slim[kind];
  return left ? { ...o, [left]: {}, Partial: true } : o;
}

/** One whole object. */
export class One extends Followed {
  snapshot: ObjectSnapshot<Thing> = { loading: true, missing: false };
  private next = this.snapshot;
  private readonly path: string;
  private readonly forget: () => void;

  constructor(kind: string, key: string, feed: Feed, mark: Mark, forget: () => void) {
    super(`${kind}.*.${escaped(storedKey(kind, key))}`, feed, mark);
    this.path = `/${kind}/${part(key)}`;
    this.forget = forget;
  }

  subscribe = (read: () => void) => {
    this.readers.add(read);
    if (!this.started) void this.load();
    return () => {
      this.readers.delete(read);
      setTimeout(() => this.readers.size || (this.end(), this.forget()), 5000); // pages that follow each other share it
    };
  };

  publish() {
    this.snapshot = this.next;
    this.tell();
  }

  protected async read(current: () => boolean) {
    const object = await api<Thing>('GET', this.path);
    if (current()) this.next = { object, loading: false, missing: false };
  }

  protected failed(error: ApiError) {
    this.next = { loading: false, missing: error.status === 404, error: error.status === 404 ? undefined : error };
  }

  protected apply(e: Event) {
    // What was deleted can still be looked at.
    this.next = { object: e.Object as Thing, loading: false, missing: e.Action === 'delete' };
  }
}
