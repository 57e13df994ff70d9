import { Anchor, Autocomplete, Button, Code, Group, Modal, Radio, Stack, Text } from '@mantine/core';
import { useState } from 'react';
import type { Operation } from 'rfc6902';
import { api, change, part } from '../api/client.ts';
import type { Machine, Param } from '../api/types.ts';
import { link } from '../app/router.ts';
import { brief } from '../lib/describe-patch.ts';
import { equal, pointer, type Json, type Maybe } from '../lib/json.ts';
import { isSealed, originLabel, viaLabel, type Effective, type Origin, type ParamRow } from '../lib/origins.ts';
import { useObject, useObjects } from '../live/hooks.ts';
import { ParamControl } from '../parts/ParamControl.tsx';
import { Problem } from '../parts/Problem.tsx';
import { useDoing } from './save.ts';

interface Target {
  kind: string;
  key: string;
  was: Maybe; // what it sets now
}

/** Params are changed on their own, with a test of what is there: nobody's change is written over unseen. */
function saveParam(to: Target, name: string, is: Maybe): Promise<unknown> {
  const path = pointer([name]);
  const test: Operation[] = to.was === undefined ? [] : [{ op: 'test', path, value: to.was }];
  const op: Operation = is === undefined ? { op: 'remove', path } : { op: to.was === undefined ? 'add' : 'replace', path, value: is };
  return change('PATCH', `/${to.kind}/${part(to.key)}/params`, { body: [...test, op] });
}

/** The places that a param can be set at: this machine, and the objects that it comes from. */
function targets(machine: Machine, row: Effective | undefined): Target[] {
  const all: Origin[] = row ? [row, ...row.Overrides] : [];
  const set = all.filter((o) => o.Kind !== 'params').map((o) => ({ kind: o.Kind, key: o.Key, was: o.Value as Maybe }));
  const own = { kind: 'machines', key: machine.Uuid, was: undefined };
  return set.some((t) => t.kind === 'machines') ? set : [own, ...set];
}

const name = (t: Target) => originLabel({ Kind: t.kind, Key: t.key });
const id = (t: Target) => `${t.kind}/${t.key}`;

/** The value of a param, what it overrides, and the ways to change it. */
export function ParamEdit({ machine, row, onDone }: { machine: Machine; row: ParamRow; onDone: () => void }) {
  const all = targets(machine, row);
  const [chosen, choose] = useState(id(all[0]));
  const [draft, setDraft] = useState<{ base: Json; value: Json }>();
  const [error, setError] = useState<unknown>();
  const { busy, run } = useDoing();
  const target = all.find((t) => id(t) === chosen) ?? all[0];
  const value = draft?.value ?? (row.Value as Json);
  const moved = draft !== undefined && !equal(draft.base, row.Value); // by others, since this edit was begun
  const own = all.find((t) => t.kind === 'machines' && t.was !== undefined);
  const store = async (to: Target, is: Maybe, done: string) => {
    setError(undefined);
    const ok = await run(async () => {
      try {
        await saveParam(to, row.name, is);
      } catch (err) {
        setError(err);
        throw err;
      }
    }, done);
    if (ok) setDraft(undefined);
    if (ok && is !== undefined) onDone();
  };
  return (
    <Stack gap="xs">
      <ParamControl
        name={row.name}
        value={value}
        holder={{ kind: row.Kind, id: row.Key }}
        onChange={machine.Locked ? undefined : (v) => setDraft({ base: draft?.base ?? (row.Value as Json), value: v })}
      />
      <Overridden row={row} />
      {row.Overrides.length > 0 && <Composed machine={machine} row={row} />}
      {moved && (
        <Text size="sm" c="var(--mantine-color-error)" role="alert">
          Meanwhile somebody has set it to {isSealed(row.Value) ? 'another sealed value' : brief(row.Value as Json)}. Saving puts your value in its place.
        </Text>
      )}
      {error !== undefined && <Problem error={error} />}
      {draft && (
        <Radio.Group label="Set it on" size="xs" value={id(target)} onChange={choose}>
          <Group gap="md" mt={4}>
            {all.map((t) => (
              <Radio key={id(t)} size="xs" value={id(t)} label={t.kind === 'machines' ? name(t) : `${name(t)}, for all that see it`} />
            ))}
          </Group>
        </Radio.Group>
      )}
      <Group gap="xs">
        {draft && (
          <>
            <Button size="xs" loading={busy} onClick={() => void store(target, draft.value, `${row.name} is set on ${name(target)}`)}>
              Save on {name(target)}
            </Button>
            <Button size="xs" variant="default" onClick={() => setDraft(undefined)}>
              Discard
            </Button>
          </>
        )}
        {!draft && own && (
          <Button size="xs" variant="default" color="red" loading={busy} disabled={machine.Locked} onClick={() => void store(own, undefined, `${row.name} is removed from ${machine.Name}`)}>
            {row.Overrides.length ? 'Remove the override' : 'Remove it'}
          </Button>
        )}
      </Group>
    </Stack>
  );
}

/** What comes of all places that set the param, as templates see it that ask for it so. */
function Composed({ machine, row }: { machine: Machine; row: ParamRow }) {
  const [value, setValue] = useState<Json>();
  const { busy, run } = useDoing();
  const param = useObjects<Param>('params').byKey.get(row.name);
  const ask = async () => setValue(await api<Json>('GET', `/machines/${part(machine.Uuid)}/params/${part(row.name)}`, { query: { aggregate: true, compose: true } }));
  if (!['array', 'object'].includes(String(param?.Schema?.type)) || param?.Secure) return null; // others the server does not compose
  return (
    <Group gap="xs">
      <Button size="compact-xs" variant="default" loading={busy} onClick={() => void run(ask)}>Compose all values</Button>
      {value !== undefined && <Code block role="status" aria-label="Composed of all values">{JSON.stringify(value, null, 2)}</Code>}
    </Group>
  );
}

/** Where the value comes from, and the values that it stands before. */
function Overridden({ row }: { row: ParamRow }) {
  return (
    <div>
      <Text size="xs" c="dimmed">
        From <Where origin={row} />
        {row.Overrides.length > 0 && ', before:'}
      </Text>
      {row.Overrides.map((o) => (
        <Text key={`${o.Kind}/${o.Key}`} size="xs" c="dimmed" ml="sm" style={{ overflowWrap: 'anywhere' }}>
          <Where origin={o} />: {isSealed(o.Value) ? '••••••' : brief(o.Value as Json, 200)}
        </Text>
      ))}
    </div>
  );
}

function Where({ origin: o }: { origin: Origin }) {
  const via = viaLabel(o);
  return (
    <>
      {o.Kind === 'machines' ? originLabel(o) : <Anchor size="xs" href={link(o.Kind, o.Key)}>{o.Kind === 'params' ? 'the default of the param' : originLabel(o)}</Anchor>}
      {via && ` (${via})`}
    </>
  );
}

/** Sets a param on this machine that is not there yet, or overrides one. */
export function NewParam({ machine, params, onClose }: { machine: Machine; params: Readonly<Record<string, Effective>>; onClose: () => void }) {
  const { items } = useObjects<Param>('params');
  const [key, setKey] = useState('');
  const [typed, setTyped] = useState<Maybe>();
  const [error, setError] = useState<unknown>();
  const { busy, run } = useDoing();
  const { object: param } = useObject<Param>('params', items.some((p) => p.Name === key) ? key : '');
  const there = Object.hasOwn(params, key) ? params[key] : undefined;
  const value = typed ?? (there?.Value as Maybe) ?? ((param?.Schema as { default?: Json } | null)?.default as Maybe);
  const own = targets(machine, there)[0];
  const save = () =>
    run(async () => {
      try {
        await saveParam({ kind: 'machines', key: machine.Uuid, was: own.kind === 'machines' ? own.was : undefined }, key.trim(), value ?? null);
        onClose();
      } catch (err) {
        setError(err);
        throw err;
      }
    }, `${key} is set on ${machine.Name}`);
  return (
    <Modal opened onClose={onClose} title={`Set a param on ${machine.Name}`} size="lg">
      <form
        onSubmit={(e) => {
          e.preventDefault();
          void save();
        }}
      >
        <Stack gap="sm">
          <Autocomplete
            label="Name"
            description="one that there is, or a new one"
            data={items.map((p) => p.Name)}
            limit={50}
            value={key}
            onChange={(v) => {
              setKey(v);
              setTyped(undefined);
            }}
            data-autofocus
          />
          {there && (
            <Text size="sm">
              It has {isSealed(there.Value) ? 'a sealed value' : brief(there.Value as Json)} now, from {originLabel(there)}.
            </Text>
          )}
          {key && <ParamControl key={key} name={key} value={value} onChange={setTyped} label="Value" />}
          {error !== undefined && <Problem error={error} />}
          <Group justify="flex-end" gap="xs">
            <Button variant="default" size="xs" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" size="xs" loading={busy} disabled={!key.trim()}>
              Set it
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
