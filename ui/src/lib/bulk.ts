import type { Operation } from 'rfc6902';
import type { Machine } from '../api/types.ts';
import { equal, type Json, type Maybe, pointer } from './json.ts';

// One change of many machines: what it would do to each is planned and shown first, then it is
// done to a few at a time. What a plan rests on is tested in the same PATCH, so that a machine
// that has changed in between refuses it instead of losing what somebody else has done.

export type Change =
  | { do: 'workflow'; workflow: string }
  | { do: 'add profile' | 'remove profile'; profile: string }
  | { do: 'set param'; param: string; value: Json }
  | { do: 'remove param'; param: string }
  | { do: 'icon'; icon: string; color: string } // '': leave it
  | { do: 'meta'; key: string; value: string | null } // null: remove it
  | { do: 'run' | 'pause' | 'lock' | 'unlock' }
  | { do: 'action'; action: string; plugin: string; params: Record<string, Json> }
  | { do: 'add to pool'; pool: string }
  | { do: 'remove from pool' }
  | { do: 'delete' };

/** Step is what is asked of the server for one machine. */
export type Step = { ops: Operation[] } | { method: 'POST' | 'DELETE'; path: string; query?: Record<string, string>; body?: unknown };

/** Plan says what becomes of a machine, or why nothing does. */
export type Plan = { says: string; step: Step } | { says: string; step?: undefined };

/** planFor plans a change. Own is the machine's own value of the param that the change is about. */
export function planFor(change: Change, m: Machine, own?: Maybe): Plan {
  const none = reasonNot(change, m, own);
  return none ? { says: none } : effect(change, m, own);
}

/** reasonNot tells why the change has nothing to do, or nothing it may do, with a machine; '' when it has. */
function reasonNot(c: Change, m: Machine, own: Maybe): string {
  if (m.Locked && c.do !== 'unlock' && c.do !== 'action') return c.do === 'lock' ? 'is locked already' : 'is locked: unlock it first';
  switch (c.do) {
    case 'workflow':
      return m.Workflow === c.workflow ? (c.workflow ? 'has this workflow already' : 'has no workflow') : '';
    case 'add profile':
      return m.Profiles.includes(c.profile) ? 'has this profile already' : '';
    case 'remove profile':
      return m.Profiles.includes(c.profile) ? '' : 'does not have this profile';
    case 'set param':
      return own !== undefined && equal(own, c.value) ? 'has this value already' : '';
    case 'remove param':
      return own === undefined ? 'does not have this param itself' : '';
    case 'icon':
      return (c.icon === '' || m.Meta.icon === c.icon) && (c.color === '' || m.Meta.color === c.color) ? 'looks like this already' : '';
    case 'meta':
      return (m.Meta[c.key] ?? null) === c.value ? (c.value === null ? 'does not have this key' : 'has this value already') : '';
    case 'run':
      return m.Runnable ? 'is runnable already' : '';
    case 'pause':
      return m.Runnable ? '' : 'is paused already';
    case 'unlock':
      return m.Locked ? '' : 'is not locked';
    case 'add to pool':
      return m.Pool === c.pool ? 'is in this pool already' : '';
    case 'remove from pool':
      return m.Pool === 'default' ? 'is in no pool but the default one' : '';
  }
  return '';
}

function effect(c: Change, m: Machine, own: Maybe): Plan {
  switch (c.do) {
    case 'workflow':
      return replaced('Workflow', m.Workflow, c.workflow);
    case 'add profile':
      return { says: `Profiles: + ${c.profile}`, step: { ops: [{ op: 'test', path: '/Profiles', value: m.Profiles }, { op: 'add', path: '/Profiles/-', value: c.profile }] } };
    case 'remove profile': {
      const path = `/Profiles/${m.Profiles.indexOf(c.profile)}`;
      return { says: `Profiles: − ${c.profile}`, step: { ops: [{ op: 'test', path: '/Profiles', value: m.Profiles }, { op: 'remove', path }] } };
    }
    case 'set param':
      return { says: `${c.param}: ${short(own)} → ${short(c.value)}`, step: { ops: member(['Params', c.param], own, c.value) } };
    case 'remove param':
      return { says: `${c.param}: ${short(own)} → not set`, step: { ops: member(['Params', c.param], own, undefined) } };
    case 'icon':
      return icon(c, m);
    case 'meta':
      return { says: `Meta ${c.key}: ${short(m.Meta[c.key])} → ${short(c.value ?? undefined)}`, step: { ops: member(['Meta', c.key], m.Meta[c.key], c.value ?? undefined) } };
    case 'run':
    case 'pause':
      return replaced('Runnable', m.Runnable, c.do === 'run');
    case 'lock':
    case 'unlock':
      return replaced('Locked', m.Locked, c.do === 'lock');
    case 'action':
      return { says: `runs ${c.action}`, step: { method: 'POST', path: `/machines/${m.Uuid}/actions/${encodeURIComponent(c.action)}`, query: c.plugin ? { plugin: c.plugin } : undefined, body: c.params } };
    case 'add to pool':
      return { says: `Pool: ${m.Pool} → ${c.pool}`, step: move(c.pool, 'addMachines', m, { 'source-pool': m.Pool }) };
    case 'remove from pool':
      return { says: `Pool: leaves ${m.Pool}`, step: move(m.Pool, 'removeMachines', m) };
    case 'delete':
      return { says: 'is deleted', step: { method: 'DELETE', path: `/machines/${m.Uuid}` } };
  }
}

function replaced(field: string, was: Json, is: Json): Plan {
  const path = '/' + field;
  return { says: `${field}: ${short(was)} → ${short(is)}`, step: { ops: [{ op: 'test', path, value: was }, { op: 'replace', path, value: is }] } };
}

/** member sets or removes one key of a map. A patch cannot test that a key is absent; what has come in between is then replaced. */
function member(tokens: string[], was: Maybe, is: Maybe): Operation[] {
  const path = pointer(tokens);
  const test: Operation[] = was === undefined ? [] : [{ op: 'test', path, value: was }];
  return [...test, is === undefined ? { op: 'remove', path } : { op: was === undefined ? 'add' : 'replace', path, value: is }];
}

function icon(c: { icon: string; color: string }, m: Machine): Plan {
  const parts = (['icon', 'color'] as const).filter((k) => c[k] !== '' && c[k] !== m.Meta[k]);
  return {
    says: parts.map((k) => `${k}: ${short(m.Meta[k])} → ${c[k]}`).join(', '),
    step: { ops: parts.flatMap((k) => member(['Meta', k], m.Meta[k], c[k])) },
  };
}

const move = (pool: string, verb: string, m: Machine, query?: Record<string, string>): Step => ({
  method: 'POST', path: `/pools/${encodeURIComponent(pool)}/${verb}`, query, body: { 'pool/machine-list': [m.Uuid] },
});

/** short is a value in a line. */
export function short(v: Maybe): string {
  if (v === undefined) return 'not set';
  if (v === '') return 'none';
  const text = typeof v === 'string' ? v : JSON.stringify(v);
  return text.length > 60 ? text.slice(0, 59) + '…' : text;
}

export type Outcome = { state: 'waiting' | 'running' | 'done' | 'failed' | 'cancelled'; message?: string };

/**
 * runAll does something to each item, to so many at a time, and reports how it goes. After the signal no further one is
 * begun; those that were are waited for.
 */
export async function runAll<T>(items: readonly T[], width: number, run: (item: T) => Promise<void>, report: (item: T, o: Outcome) => void, signal: AbortSignal): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < items.length) {
      const item = items[next++]!;
      if (signal.aborted) {
        report(item, { state: 'cancelled' });
        continue;
      }
      report(item, { state: 'running' });
      try {
        await run(item);
        report(item, { state: 'done' });
      } catch (e) {
        report(item, { state: 'failed', message: (e as Error).message });
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, worker));
}
