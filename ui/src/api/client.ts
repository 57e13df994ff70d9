import type { Operation } from 'rfc6902';
import { session } from './session.ts';

/** What the server says was wrong, in its own words. Status 0: it could not be reached. */
export class ApiError extends Error {
  readonly status: number;
  readonly type: string;
  readonly model: string;
  readonly key: string;
  readonly messages: string[];

  constructor(status: number, messages: string[], about: { type?: string; model?: string; key?: string } = {}) {
    super(messages.join('; ') || `the server answered ${status}`);
    this.status = status;
    this.messages = messages;
    this.type = about.type ?? '';
    this.model = about.model ?? '';
    this.key = about.key ?? '';
  }
}

export type Query = Record<string, string | number | boolean | undefined>;

export interface Options {
  body?: unknown;
  query?: Query;
  headers?: Record<string, string>;
  signal?: AbortSignal;
  /** The body is sent as it is, instead of as JSON. */
  raw?: boolean;
}

/** The server, wherever a proxy has put it: beside this page. */
export const server = new URL('..', typeof document === 'undefined' ? 'http://localhost/ui/' : document.baseURI);

export function address(path: string, query: Query = {}): URL {
  const url = new URL('api/v3' + path, server);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== '') url.searchParams.append(name, String(value));
  }
  return url;
}

/** Asks the server. The path is below /api/v3; parts of it that may hold anything go through part(). */
export async function api<T>(method: string, path: string, options: Options = {}): Promise<T> {
  const res = await send(method, path, options);
  if (res.status === 204 || res.status === 304 || method === 'HEAD') return undefined as T;
  const text = await res.text();
  if (!(res.headers.get('Content-Type') ?? '').includes('json')) return text as T;
  return (text === '' ? undefined : JSON.parse(text)) as T;
}

/** As api(), but the answer itself, for headers and streams. Throws ApiError when the server refuses. */
export async function send(method: string, path: string, { body, query, headers, signal, raw }: Options = {}): Promise<Response> {
  const token = session.getState().token;
  const init: RequestInit = { method, signal, credentials: 'omit', cache: 'no-store', headers: { Accept: 'application/json', ...headers } };
  const h = init.headers as Record<string, string>;
  if (token && !h.Authorization) h.Authorization = 'Bearer ' + token;
  if (body !== undefined) {
    h['Content-Type'] ??= raw ? 'application/octet-stream' : 'application/json';
    init.body = raw ? (body as BodyInit) : JSON.stringify(body);
  }
  let res: Response;
  try {
    res = await fetch(address(path, query), init);
  } catch (err) {
    if (signal?.aborted) throw err;
    throw new ApiError(0, ['the server cannot be reached']);
  }
  if (res.ok || res.status === 304) return res;
  const err = await problem(res);
  if (ended(err) && token && token === session.getState().token) session.getState().expire();
  throw err;
}

/** Whether the token is good no more, as opposed to not allowing something. */
const ended = (err: ApiError) => err.status === 401 || (err.status === 403 && err.messages.some((m) => m.startsWith('Invalid token')));

async function problem(res: Response): Promise<ApiError> {
  const text = await res.text().catch(() => '');
  try {
    const e = JSON.parse(text) as { Type?: string; Model?: string; Key?: string; Messages?: string[] };
    return new ApiError(res.status, e.Messages ?? [], { type: e.Type, model: e.Model, key: e.Key });
  } catch {
    return new ApiError(res.status, [text.trim() || res.statusText]);
  }
}

/** One part of a path, whatever stands in it. Names of params keep their slashes. */
export const part = (s: string) => s.split('/').map(encodeURIComponent).join('/');

/** How many objects of a kind match. */
export async function count(kind: string, query: Query = {}): Promise<number> {
  const res = await send('HEAD', '/' + kind, { query });
  return Number(res.headers.get('X-DRP-LIST-FILTER-COUNT') ?? 0);
}

/** The name of a request: sent again because its answer was lost, it is carried out once. */
export function onceName(): string {
  const b = crypto.getRandomValues(new Uint8Array(16));
  return 'ui-' + Array.from(b, (n) => n.toString(16).padStart(2, '0')).join('');
}

const again = [300, 1000, 3000]; // milliseconds

/** A change under a name, which is therefore sent again when the connection breaks. */
export async function change<T>(method: string, path: string, options: Options = {}): Promise<T> {
  const headers = { 'Idempotency-Key': onceName(), ...options.headers };
  for (let i = 0; ; i++) {
    try {
      return await api<T>(method, path, { ...options, headers });
    } catch (err) {
      if (!(err instanceof ApiError) || err.status !== 0 || i >= again.length) throw err;
      await new Promise((r) => setTimeout(r, again[i]));
    }
  }
}

/** One atomic RFC 6902 patch. A failed test is an ApiError with status 409. */
export function patch<T>(kind: string, key: string, ops: Operation[], { force }: { force?: boolean } = {}): Promise<T> {
  return change<T>('PATCH', `/${kind}/${part(key)}`, { body: ops, query: { force: force || undefined } });
}
