// What the tests in a browser stand on: a real server with real runners, and Chromium. Everything
// that is started here is ended when the test file ends, however it ends.
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, createWriteStream, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { createServer, request, type Server as Listener } from 'node:http';
import { request as secureRequest } from 'node:https';
import { connect as secureConnect } from 'node:tls';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeEach, expect } from 'vitest';

export const USER = 'rocketskates';
export const PASSWORD = 'a password of the tests';
/** Where screenshots go. */
export const OUT = resolve(import.meta.dirname, 'out');

const bin = resolve(import.meta.dirname, '../..', process.env.DRP_BIN ?? 'bin');
const children = new Set<ChildProcess>();
const endings: (() => Promise<unknown> | unknown)[] = [];

// A worker that is told to end takes its children with it.
const killAll = () => children.forEach((child) => child.kill('SIGKILL'));
process.on('exit', killAll);
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    killAll();
    process.exit(1);
  });
}

/** Has something done at the end of the test file; what came last is ended first. */
export function atEnd(fn: () => Promise<unknown> | unknown) {
  endings.unshift(fn);
}

afterAll(async () => {
  for (const end of endings.splice(0)) await end();
});

// Servers and runners

interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
}

export interface Server {
  /** https://127.0.0.1:PORT, the same one after a restart. */
  url: string;
  /** Folder of everything: the server's data in server/, logs, what runners need. */
  root: string;
  /** kill -9. */
  kill(): Promise<void>;
  /** Ends it politely. */
  stop(): Promise<void>;
  /** Starts it again on the same port and data, after kill or stop. */
  start(): Promise<void>;
  /** Runs bin/drp as the first user; the answer is what it prints. It fails as drp does. */
  drp(...args: string[]): Promise<string>;
  /** A call below /api/v3 as the first user, or with another token; fails unless it is a success. */
  api<T = unknown>(method: string, path: string, body?: unknown, token?: string): Promise<T>;
  /** The same as it comes, failures too. */
  ask(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  token(): string;
  /** A runner of the machine, as its operating system would run it. */
  runner(uuid: string): Promise<Runner>;
}

export interface Runner {
  kill(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts a server on a free port, with a user USER of the password PASSWORD. */
export async function server(...flags: string[]): Promise<Server> {
  for (const program of ['drp', 'drp-server']) {
    if (!existsSync(join(bin, program))) throw new Error(`${join(bin, program)} is not there: run make build`);
  }
  const root = mkdtempSync(join(tmpdir(), 'drp-e2e-'));
  atEnd(() => rmSync(root, { recursive: true, force: true }));
  let port = 0;
  let process: ChildProcess;
  let token = '';
  const env = (more: Record<string, string>) => ({ ...clean(), HOME: root, RS_ENDPOINT: s.url, ...more });
  const s: Server = {
    url: '',
    root,
    kill: () => end(process, 'SIGKILL'),
    stop: () => end(process, 'SIGTERM'),
    start: async () => {
      const args = ['--base-root', join(root, 'server'), '--listen', '127.0.0.1', '--log-format', 'json', '--static-port', '0', '--static-secure-port', '0', '--api-port', String(port)];
      const started = await startServer([...args, ...flags], root);
      process = started.process;
      s.url = started.url;
      port = Number(new URL(s.url).port);
    },
    drp: (...args) => run(join(bin, 'drp'), args, env({ RS_TOKEN: token }), root),
    token: () => token,
    ask: (method, path, body, headers = {}) => ask(s.url + path, method, body, headers),
    api: async <T>(method: string, path: string, body?: unknown, by = token) => {
      const got = await ask(`${s.url}/api/v3${path}`, method, body, { Authorization: `Bearer ${by}` });
      if (got.status >= 300) throw new Error(`${method} ${path}: ${got.status} ${got.text}`);
      return (got.text ? JSON.parse(got.text) : undefined) as T;
    },
    runner: async (uuid) => {
      const { Token } = await s.api<{ Token: string }>('GET', `/machines/${uuid}/token`);
      const dir = join(root, 'runners', uuid);
      mkdirSync(join(dir, 'tmp'), { recursive: true });
      const args = ['machines', 'processjobs', uuid, '--state-dir', join(dir, 'state'), '--skip-power'];
      const child = launch(join(bin, 'drp'), args, env({ RS_TOKEN: Token, TMPDIR: join(dir, 'tmp') }), dir, join(dir, 'runner.log'));
      const runner = { kill: () => end(child, 'SIGKILL'), stop: () => end(child, 'SIGTERM') };
      atEnd(runner.stop);
      return runner;
    },
  };
  await s.start();
  atEnd(s.stop);
  const basic = Buffer.from(`${USER}:${PASSWORD}`).toString('base64');
  const got = await s.ask('GET', `/api/v3/users/${USER}/token?ttl=1d`, undefined, { Authorization: `Basic ${basic}` });
  token = (JSON.parse(got.text) as { Token: string }).Token;
  return s;
}

// Our own environment may name another server.
function clean(): Record<string, string> {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('RS_'))) as Record<string, string>;
}

// startServer returns when the server answers. While it was down somebody else may have had its port for
// a moment, so it is tried again.
async function startServer(args: string[], root: string): Promise<{ process: ChildProcess; url: string }> {
  for (let tries = 1; ; tries++) {
    const child = spawn(join(bin, 'drp-server'), args, { cwd: root, env: { ...clean(), RS_PASSWORD: PASSWORD }, stdio: ['ignore', 'ignore', 'pipe'] });
    track(child);
    const log = createWriteStream(join(root, 'server.log'), { flags: 'a' });
    child.stderr!.pipe(log);
    const lines = createInterface({ input: child.stderr! });
    const said: string[] = [];
    const url = await new Promise<string>((done) => {
      lines.on('line', (line) => {
        if (said.length < 50) said.push(line);
        if (line.includes('"msg":"serving"')) done((JSON.parse(line) as { api: string }).api);
      });
      child.on('close', () => done(''));
    });
    if (url) return { process: child, url };
    if (tries === 20 || !said.some((line) => line.includes('address already in use'))) throw new Error(`drp-server does not start:\n${said.join('\n')}`);
    await new Promise((done) => setTimeout(done, 250));
  }
}

function launch(program: string, args: string[], env: Record<string, string>, cwd: string, log: string): ChildProcess {
  const out = openSync(log, 'a');
  const child = spawn(program, args, { cwd, env, stdio: ['ignore', out, out] });
  closeSync(out);
  track(child);
  return child;
}

function track(child: ChildProcess) {
  children.add(child);
  child.on('exit', () => children.delete(child));
}

// end returns when the process has ended; one that does not within 15 seconds is killed.
async function end(child: ChildProcess, signal: 'SIGKILL' | 'SIGTERM') {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((done) => child.once('exit', done));
  child.kill(signal);
  const timer = setTimeout(() => child.kill('SIGKILL'), 15_000);
  await ended;
  clearTimeout(timer);
}

async function run(program: string, args: string[], env: Record<string, string>, cwd: string): Promise<string> {
  const child = spawn(program, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  track(child);
  let out = '';
  let err = '';
  child.stdout.on('data', (part: Buffer) => (out += part.toString()));
  child.stderr.on('data', (part: Buffer) => (err += part.toString()));
  const code = await new Promise((done) => child.on('close', done));
  if (code !== 0) throw new Error(`drp ${args.join(' ')}: exit status ${String(code)}\n${err}${out}`);
  return out;
}

// The certificate of the server is its own: nobody vouches for it.
function ask(url: string, method: string, body: unknown, headers: Record<string, string>): Promise<Answer> {
  const payload = body === undefined || typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
  const start = url.startsWith('https:') ? secureRequest : request;
  return new Promise((done, fail) => {
    const r = start(url, { method, headers, rejectUnauthorized: false }, (res) => {
      const parts: Buffer[] = [];
      res.on('data', (part: Buffer) => parts.push(part));
      res.on('end', () => done({ status: res.statusCode ?? 0, headers: res.headers, text: Buffer.concat(parts).toString() }));
      res.on('error', fail);
    });
    r.on('error', fail);
    r.end(payload);
  });
}

/** The cluster of make demo: machines node-1 … with their runners, which have nothing to do until run(). */
export async function demoCluster(s: Server, machines = 5) {
  const shared = 'cluster-name';
  await s.drp('contents', 'install', 'drp-core');
  await s.drp('contents', 'install', 'cluster-demo');
  const Params = { 'cluster-profile': shared, 'cluster/profile': shared, 'cluster/size': machines };
  await s.api('POST', '/profiles', { Name: shared, Description: 'What the machines of the demonstration share', Params });
  const members: { Name: string; Uuid: string; runner: Runner }[] = [];
  for (let i = 1; i <= machines; i++) {
    const m = await s.api<{ Name: string; Uuid: string }>('POST', '/machines', { Name: `node-${i}`, Profiles: [shared], Meta: { icon: 'server', color: 'grey' } });
    members.push({ ...m, runner: await s.runner(m.Uuid) });
  }
  return {
    profile: shared,
    members,
    /** Sets the workflow of all; returns at once. */
    run: async (workflow = 'cluster-demo') => {
      for (const m of members) await s.api('PATCH', `/machines/${m.Uuid}`, [{ op: 'replace', path: '/Workflow', value: workflow }]);
    },
  };
}

export interface Proxy {
  url: string;
  /** Breaks all connections and takes no new ones until mend(). The server knows nothing of it. */
  cut(): void;
  mend(): void;
}

/** A reverse proxy that shows the server below a path, such as http://127.0.0.1:PORT/site/drp. */
export async function proxy(s: Server, prefix: string): Promise<Proxy> {
  const to = new URL(s.url);
  const inner = (url = '') => url.slice(prefix.length) || '/';
  let broken = false;
  const listener: Listener = createServer((req, res) => {
    if (broken) {
      req.socket.destroy();
      return;
    }
    if (!req.url?.startsWith(`${prefix}/`)) {
      res.writeHead(404).end();
      return;
    }
    const on = secureRequest({ host: to.hostname, port: to.port, path: inner(req.url), method: req.method, headers: req.headers, rejectUnauthorized: false }, (got) => {
      res.writeHead(got.statusCode ?? 502, got.headers);
      got.pipe(res);
    });
    on.on('error', () => res.writeHead(502).end());
    req.pipe(on);
  });
  const tunnels = new Set<{ destroy(): void }>();
  listener.on('upgrade', (req, socket, head) => {
    if (broken) {
      socket.destroy();
      return;
    }
    const on = secureConnect({ host: to.hostname, port: Number(to.port), rejectUnauthorized: false }, () => {
      const lines = [`${req.method} ${inner(req.url)} HTTP/1.1`];
      for (let i = 0; i < req.rawHeaders.length; i += 2) lines.push(`${req.rawHeaders[i]}: ${req.rawHeaders[i + 1]}`);
      on.write(`${lines.join('\r\n')}\r\n\r\n`);
      on.write(head);
      on.pipe(socket).pipe(on);
    });
    for (const [one, other] of [
      [on, socket],
      [socket, on],
    ]) {
      tunnels.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => other.destroy());
    }
  });
  await new Promise<void>((done) => listener.listen(0, '127.0.0.1', done));
  const cut = () => {
    broken = true;
    tunnels.forEach((t) => t.destroy());
    tunnels.clear();
    listener.closeAllConnections();
  };
  atEnd(() => {
    cut();
    listener.close();
  });
  return { url: `http://127.0.0.1:${(listener.address() as { port: number }).port}${prefix}`, cut, mend: () => (broken = false) };
}

// The browser

let running: Promise<Browser> | undefined;

/** Chromium, one for the test file. */
export function browser(): Promise<Browser> {
  running ??= launchBrowser();
  return running;
}

async function launchBrowser() {
  const flags = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
  const b = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', headless: true, args: flags });
  atEnd(() => b.close());
  return b;
}

interface Watch {
  problems: string[];
  forgiven: RegExp[];
  ofTest: boolean;
}

const watched = new Map<Page, Watch>();

/** What the console of the page may say in this test, such as /status of 403/. */
export function forgive(page: Page, ...patterns: RegExp[]) {
  watched.get(page)!.forgiven.push(...patterns);
}

/** What went wrong on the page so far, forgiven or not. */
export const problemsOf = (page: Page): string[] => watched.get(page)!.problems;

/** What a page says when its server is away for a while. */
export const AWAY = [/ERR_CONNECTION_REFUSED/, /ERR_CONNECTION_RESET/, /ERR_EMPTY_RESPONSE/, /ERR_CONNECTION_CLOSED/, /ERR_SOCKET_NOT_CONNECTED/, /WebSocket connection to .* failed/, /status of 50[23]/];

let testing = false;
beforeEach(() => {
  testing = true;
});

// Each test is also one of this: nothing in the console, nothing against the policy, nothing from
// elsewhere, no error that nobody has caught. Pages that the test has opened are closed.
afterEach(async () => {
  testing = false;
  const problems: string[] = [];
  for (const [page, watch] of watched) {
    problems.push(...watch.problems.filter((p) => !watch.forgiven.some((f) => f.test(p))));
    watch.problems = [];
    if (watch.ofTest) await page.context().close();
    if (page.isClosed()) watched.delete(page);
  }
  expect(problems, 'problems in the browser').toEqual([]);
});

function watch(page: Page, origin: string) {
  const w: Watch = { problems: [], forgiven: [], ofTest: testing };
  const socket = origin.replace(/^http/, 'ws');
  watched.set(page, w);
  page.on('console', (m) => {
    // On a very busy machine Chromium gives a request up after connections that it had kept were closed.
    if (m.type() === 'error' && !m.text().includes('net::ERR_TOO_MANY_RETRIES')) w.problems.push(`console: ${m.text()} (${m.location().url})`);
  });
  page.on('pageerror', (err) => w.problems.push(`page error: ${err.stack ?? err.message}`));
  page.on('crash', () => w.problems.push('the page has crashed'));
  const local = (url: string) => [`${origin}/`, `${socket}/`, 'blob:'].some((start) => url.startsWith(start));
  page.on('request', (r) => local(r.url()) || w.problems.push(`request to ${r.url()}`));
  page.on('websocket', (ws) => local(ws.url()) || w.problems.push(`websocket to ${ws.url()}`));
}

export interface Visit extends BrowserContextOptions {
  /** Pixels; 1440 x 900 unless told. */
  width?: number;
  height?: number;
  theme?: 'light' | 'dark';
}

/** Opens a page of the UI in a context of its own, without logging in. Base is a server, or the address of a proxy. */
export async function open(base: Server | string, hash = '', { width = 1440, height = 900, theme = 'light', ...more }: Visit = {}): Promise<Page> {
  const address = typeof base === 'string' ? base : base.url;
  const context = await (await browser()).newContext({ ignoreHTTPSErrors: true, viewport: { width, height }, colorScheme: theme, reducedMotion: 'reduce', ...more });
  const page = await context.newPage();
  watch(page, new URL(address).origin);
  await page.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (e) => console.error(`policy: ${e.violatedDirective} ${e.blockedURI} ${e.sourceFile}:${e.lineNumber}`));
  });
  await page.goto(`${address}/ui/${hash}`);
  return page;
}

/** Logs in on the page, and returns when the shell is there. */
export async function login(page: Page, user = USER, password = PASSWORD) {
  await page.getByRole('textbox', { name: 'User' }).fill(user);
  await page.getByRole('textbox', { name: 'Password' }).fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('navigation').first().waitFor();
}

/** Opens a page of the UI, such as '#/machines', logged in. */
export async function visit(base: Server | string, hash = '', how?: Visit): Promise<Page> {
  const page = await open(base, hash, how);
  await login(page);
  return page;
}

/** Keeps a picture of the page as out/NAME.png. */
export async function screenshot(page: Page, name: string, options: { fullPage?: boolean } = {}) {
  mkdirSync(OUT, { recursive: true });
  await page.screenshot({ path: join(OUT, `${name}.png`), animations: 'disabled', ...options });
}

const axeSource = () => readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** What axe finds serious or critical on the page, or on a part of it, in words; expect it toEqual([]). With colours it looks at nothing else. */
export async function axe(page: Page, { within, colours }: { within?: string; colours?: boolean } = {}): Promise<string[]> {
  if (!(await page.evaluate(() => 'axe' in globalThis))) await page.evaluate(axeSource());
  await page.evaluate(async () => {
    const ending = document.getAnimations().filter((a) => a.effect?.getComputedTiming().iterations !== Infinity);
    await Promise.all(ending.map((a) => a.finished.catch(() => {})));
  });
  const found = await page.evaluate(
    async ([part, rules]) => {
      interface Result {
        violations: { id: string; impact: string; help: string; nodes: { html: string; failureSummary: string }[] }[];
      }
      const run = (globalThis as unknown as { axe: { run(context: unknown, options: unknown): Promise<Result> } }).axe;
      const runOnly = rules ? { type: 'rule', values: rules } : undefined;
      return (await run.run(part ?? document, { resultTypes: ['violations'], preload: false, ...(runOnly && { runOnly }) })).violations;
    },
    [within, colours ? ['color-contrast', 'link-in-text-block'] : undefined] as const,
  );
  return found
    .filter((v) => v.impact === 'serious' || v.impact === 'critical')
    .flatMap((v) => v.nodes.map((n) => `${v.impact} ${v.id}: ${v.help}\n  ${n.html.slice(0, 300)}\n  ${n.failureSummary}`));
}
