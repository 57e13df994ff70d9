import { ActionIcon, Alert, Anchor, Button, Group, PasswordInput, Spoiler, Stack, Text, Tooltip } from '@mantine/core';
import { useState } from 'react';
import { api, part } from '../api/client.ts';
import { link } from '../app/router.ts';
import type { Param } from '../api/types.ts';
import { isObject, type Json, type Maybe } from '../lib/json.ts';
import { isSealed } from '../lib/kind.ts';
import { fieldOf, validate, type Flaw, type Schema } from '../lib/schema.ts';
import { useObjects } from '../live/hooks.ts';
import { Control, Value } from './Control.tsx';
import { Icon } from './Icon.tsx';
import { messages } from './Problem.tsx';

export interface Holder {
  kind: string; // of the object that holds the param
  id: string;
}

interface Props {
  name: string;
  value: Maybe;
  onChange?: (value: Json) => void; // shows the value only without
  holder?: Holder; // where a sealed value can be opened
  label?: string;
  bare?: boolean; // without the param's documentation
}

export const paramFlaws = (param: Param | undefined, value: Maybe): Flaw[] => (isSealed(value) ? [] : validate(param?.Schema, value));

// ParamControl is what the value of a param is edited with: the right control for its schema, with
// what is wrong with the value and what the param is for.
export function ParamControl({ name, value, onChange, holder, label, bare }: Props) {
  const param = useObjects<Param>('params').byKey.get(name);
  const field = { ...fieldOf(name, (param?.Schema ?? undefined) as Schema | undefined), help: '' };
  const flaws = paramFlaws(param, value);
  return (
    <Stack gap={4}>
      {!bare && <ParamHelp param={param} name={name} />}
      {param?.Secure || isSealed(value)
        ? <SecureControl name={name} value={value} onChange={onChange} holder={holder} schema={param?.Schema} />
        : <Control field={field} value={value} onChange={onChange} label={label ?? ''} flaws={flaws} />}
    </Stack>
  );
}

export { isSealed };

export function ParamHelp({ param, name }: { param: Param | undefined; name: string }) {
  if (!param) return <Text size="xs" c="dimmed">No param object describes {name}: any JSON will do.</Text>;
  return (
    <>
      {param.Description && <Text size="sm">{param.Description} <Anchor size="xs" underline="always" href={link('params', param.Name)}>about this param</Anchor></Text>}
      {param.Documentation && (
        <Spoiler maxHeight={66} showLabel="more" hideLabel="less"><Text size="xs" c="dimmed" style={{ whiteSpace: 'pre-wrap' }}>{param.Documentation}</Text></Spoiler>
      )}
    </>
  );
}

// SecureControl never shows a sealed value unless it is asked to, and the server decides whether it
// may. What is typed goes to the server in clear over TLS, which seals it.
function SecureControl({ name, value, onChange, holder, schema }: Props & { schema?: unknown }) {
  const [shown, setShown] = useState<{ value?: Json; error?: unknown }>();
  const typed = value !== undefined && !isSealed(value);
  const text = typed ? (typeof value === 'string' ? value : JSON.stringify(value)) : '';
  const flaws = typed ? validate(schema, value) : [];
  const reveal = async () => {
    try {
      setShown({ value: await api<Json>('GET', `/${holder!.kind}/${part(holder!.id)}/params/${part(name)}`, { query: { decode: true } }) });
    } catch (error) {
      setShown({ error });
    }
  };
  return (
    <Stack gap={4}>
      {onChange && (
        <PasswordInput aria-label={`New value of ${name}`} value={text} placeholder={isSealed(value) ? 'sealed; type to replace it' : ''} autoComplete="new-password"
          onChange={(e) => onChange(secret(e.currentTarget.value, schema))} error={flaws.map((f) => f.message).join('; ') || undefined} />
      )}
      {isSealed(value) && (
        <Group gap="xs" wrap="nowrap">
          {shown?.value === undefined
            ? <Text size="sm" aria-label={`${name} is sealed`}>••••••••</Text>
            : <div style={{ minWidth: 0 }} data-revealed={name}><Value value={shown.value} /></div>}
          {holder && (shown?.value === undefined
            ? <Button size="compact-xs" variant="default" leftSection={<Icon name="eye" />} onClick={() => void reveal()} aria-label={`Reveal ${name}`}>Reveal</Button>
            : <Tooltip label="Hide"><ActionIcon variant="subtle" size="sm" color="gray" onClick={() => setShown(undefined)} aria-label={`Hide ${name}`}><Icon name="eye slash" /></ActionIcon></Tooltip>)}
        </Group>
      )}
      {shown?.error !== undefined && <Alert color="red" variant="light" p="xs" role="alert">{messages(shown.error).join(' ')}</Alert>}
    </Stack>
  );
}

// A secret is a string unless its schema wants something else, which is then typed as JSON.
function secret(text: string, schema: unknown): Json {
  const type = isObject(schema) ? schema.type : undefined;
  if (type === undefined || type === 'string') return text;
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text;
  }
}
