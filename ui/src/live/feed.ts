import { address } from '../api/client.ts';
import { session } from '../api/session.ts';
import type { Event } from '../api/types.ts';

export type Connection = 'connecting' | 'live' | 'reconnecting';

/** What a websocket is for the feed; tests put their own in its place. */
export type Dial = (url: string, protocols: string[]) => Pick<WebSocket, 'send' | 'close'> & {
  onopen: ((e: never) => void) | null;
  onmessage: ((e: { data: string }) => void) | null;
  onclose: ((e: { code: number; reason: string }) => void) | null;
};

/** A filter of nothing, whose acknowledgement comes when all others have caught up. */
const caughtUp = 'caught.up.*';

const waits = [250, 500, 1000, 2000, 5000]; // milliseconds before each try to connect again

/**
 * The one websocket of the page. Filters are registered on it while somebody needs them; after a
 * drop it is resumed from the last revision that had arrived in full, so that nothing is missed
 * and nothing comes twice. When the server cannot resume (it was restored, or the past is gone),
 * onLost tells that everything has to be read anew.
 */
export class Feed {
  state: Connection = 'connecting';
  /** The newest revision of which nothing is outstanding; 0: not known yet. */
  rev = 0;
  onState = (_: Connection) => {};
  onLost = () => {};
  /** The server has ended the connection for the token's sake, or takes none: perhaps the session is over. */
  onRefused = () => {};

  private readonly dial: Dial;
  private socket: ReturnType<Dial> | undefined;
  private token = ''; // of the socket
  private readonly filters = new Map<string, Set<(e: Event) => void>>();
  private readonly acked = new Map<string, { promise: Promise<void>; done: () => void }>();
  private readonly partial = new Set<string>(); // events heard of a revision that is not complete
  private missed: Event[] | undefined; // while it arrives, filter by filter
  private failures = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private stopped = true;

  constructor(dial: Dial = (url, protocols) => new WebSocket(url, protocols) as unknown as ReturnType<Dial>) {
    this.dial = dial;
  }

  /** Connects, and again with a new token before the old one ends. */
  start(): () => void {
    this.stopped = false;
    this.connect();
    const leave = session.subscribe((now) => now.token && now.token !== this.token && this.connect());
    return () => {
      leave();
      this.stop();
    };
  }

  private stop() {
    this.stopped = true;
    clearTimeout(this.timer);
    this.drop();
    this.token = '';
    this.rev = 0;
    this.partial.clear();
    this.acked.clear();
  }

  private drop() {
    const old = this.socket;
    this.socket = undefined;
    if (!old) return;
    old.onopen = old.onmessage = old.onclose = null;
    old.close(1000);
  }

  /**
   * Hears the events of a filter, TYPE.ACTION.KEY, until end is called. What ready promises is kept
   * once the server delivers them; what it committed before can then be read by other means.
   */
  listen(filter: string, hear: (e: Event) => void): { ready: () => Promise<void>; end: () => void } {
    const known = this.filters.get(filter);
    if (known) known.add(hear);
    else {
      this.filters.set(filter, new Set([hear]));
      this.expect(filter);
      if (this.state === 'live') this.socket?.send('register ' + filter);
    }
    return { ready: () => this.acked.get(filter)?.promise ?? Promise.resolve(), end: () => this.leave(filter, hear) };
  }

  private leave(filter: string, hear: (e: Event) => void) {
    const hearers = this.filters.get(filter);
    if (!hearers?.delete(hear) || hearers.size) return;
    this.filters.delete(filter);
    this.acked.delete(filter);
    if (this.state === 'live') this.socket?.send('deregister ' + filter);
  }

  private expect(filter: string) {
    let done = () => {};
    const promise = new Promise<void>((resolve) => (done = resolve));
    const before = this.acked.get(filter)?.done;
    this.acked.set(filter, { promise, done: () => (before?.(), done()) });
  }

  private connect() {
    clearTimeout(this.timer);
    const { token, state } = session.getState();
    if (this.stopped || state !== 'in' || !token) return;
    this.drop();
    this.token = token;
    const url = address('/ws', this.rev ? { rev: this.rev } : {});
    url.protocol = url.protocol.replace('http', 'ws');
    this.missed = this.rev ? [] : undefined;
    const socket = this.dial(url.href, ['drp.events', 'bearer.' + token]);
    this.socket = socket;
    let open = false;
    socket.onopen = () => {
      open = true;
      this.failures = 0;
      this.become('live');
      for (const filter of this.filters.keys()) socket.send('register ' + filter);
      if (this.missed) socket.send('deregister ' + caughtUp); // answered behind all that was missed
    };
    socket.onmessage = (m) => this.take(JSON.parse(m.data) as Event);
    socket.onclose = (e) => {
      this.socket = undefined;
      this.become(this.rev || this.state !== 'connecting' ? 'reconnecting' : 'connecting');
      if (e.reason.startsWith('cannot resume')) this.lose();
      if (!open || e.code === 1008) this.onRefused();
      const wait = waits[Math.min(this.failures++, waits.length - 1)];
      this.timer = setTimeout(() => this.connect(), wait * (0.75 + Math.random() / 2));
    };
  }

  private become(state: Connection) {
    if (state === this.state) return;
    this.state = state;
    this.onState(state);
  }

  private take(e: Event) {
    if (e.Type === 'websocket') {
      if (e.Key === caughtUp) this.catchUp();
      else if (e.Action === 'register') this.acked.get(e.Key)?.done();
      this.reached(e.Rev);
    } else if (e.Rev && this.missed) this.missed.push(e);
    else {
      this.hear(e);
      this.reached(complete(e));
    }
  }

  /** What was missed came filter by filter, and is told in the order in which it happened. */
  private catchUp() {
    const missed = (this.missed ?? []).sort((a, b) => (a.Rev ?? 0) - (b.Rev ?? 0));
    this.missed = undefined;
    for (const e of missed) this.hear(e);
    this.reached(missed.reduce((rev, e) => Math.max(rev, complete(e)), 0));
  }

  private hear(e: Event) {
    if (e.Rev) {
      if (e.Rev <= this.rev) return; // a filter that came later is told what others have heard
      const name = `${e.Rev} ${e.Type} ${e.Key} ${e.Action}`;
      if (this.partial.has(name)) return;
      this.partial.add(name);
    }
    for (const [filter, hearers] of this.filters) {
      if (selects(filter, e)) for (const hear of hearers) hear(e);
    }
  }

  private reached(rev = 0) {
    if (rev <= this.rev) return;
    this.rev = rev;
    for (const name of this.partial) if (parseInt(name, 10) <= rev) this.partial.delete(name);
  }

  private lose() {
    this.rev = 0;
    this.partial.clear();
    for (const filter of this.filters.keys()) this.expect(filter);
    this.onLost();
  }
}

/** The newest revision of which nothing is outstanding once an event has come. */
const complete = (e: Event) => (e.More ? (e.Rev ?? 1) - 1 : (e.Rev ?? 0));

/** Whether a filter of the events protocol selects an event. */
export function selects(filter: string, e: Pick<Event, 'Type' | 'Action' | 'Key'>): boolean {
  const [type, action, ...key] = filter.split('.');
  return one(type, e.Type) && one(action, e.Action) && one(key.join('.'), e.Key);
}

function one(wanted: string, value: string): boolean {
  return wanted === '*' || wanted.split(',').some((w) => w === '*' || unescaped(w) === value);
}

const unescaped = (s: string) => s.replace(/\\([123])/g, (_, n: string) => ({ 1: '.', 2: ',', 3: '*' })[n] ?? '');

/** A key as it stands in a filter. */
export const escaped = (s: string) => s.replace(/[.,*]/g, (c) => ({ '.': '\\1', ',': '\\2', '*': '\\3' })[c] ?? c);
