import { ActionIcon, Autocomplete, Button, Group, Stack, Text } from '@mantine/core';
import { useState } from 'react';
import { link } from '../app/router.ts';
import type { Param } from '../api/types.ts';
import { type Json, type JsonObject } from '../lib/json.ts';
import { blank, fieldOf, type Schema } from '../lib/schema.ts';
import { useObjects } from '../live/hooks.ts';
import { Icon } from '../parts/Icon.tsx';
import { isSealed, ParamControl, type Holder } from '../parts/ParamControl.tsx';
import classes from './kinds.module.css';

interface Props {
  params: JsonObject;
  onChange?: (params: JsonObject) => void;
  holder?: Holder; // of what is stored already
}

// ParamsForm is the params that an object holds itself.
export function ParamsForm({ params, onChange, holder }: Props) {
  const names = Object.keys(params).sort();
  return (
    <Stack gap="sm">
      {names.length === 0 && <Text size="sm" c="dimmed">No params are set here.</Text>}
      {names.map((name) => (
        <section key={name} className={classes.param} aria-label={`Param ${name}`} data-param={name}>
          <Group justify="space-between" wrap="nowrap" gap="xs">
            <a className={classes.name} href={link('params', name)}>{name}</a>
            {onChange && (
              <ActionIcon variant="subtle" color="gray" size="sm" aria-label={`Remove param ${name}`} onClick={() => onChange(Object.fromEntries(Object.entries(params).filter(([k]) => k !== name)))}>
                <Icon name="trash" />
              </ActionIcon>
            )}
          </Group>
          <ParamControl name={name} value={params[name]} onChange={onChange && ((v: Json) => onChange({ ...params, [name]: v }))} holder={isSealed(params[name]) ? holder : undefined} />
        </section>
      ))}
      {onChange && <AddParam taken={params} add={(name, value) => onChange({ ...params, [name]: value })} />}
    </Stack>
  );
}

function AddParam({ taken, add }: { taken: JsonObject; add: (name: string, value: Json) => void }) {
  const { items } = useObjects<Param>('params');
  const [name, setName] = useState('');
  const there = Object.hasOwn(taken, name);
  const submit = () => {
    if (name === '' || there) return;
    const param = items.find((p) => p.Name === name);
    add(name, param?.Secure ? '' : blank(fieldOf(name, (param?.Schema ?? undefined) as Schema | undefined)));
    setName('');
  };
  return (
    <form onSubmit={(e) => { e.preventDefault(); submit(); }}>
      <Group gap="xs" align="flex-end">
        <Autocomplete label="Add a param" placeholder="name" data={items.map((p) => p.Name).filter((n) => !Object.hasOwn(taken, n))} limit={50} value={name} onChange={setName} error={there && 'is set already'} style={{ flex: '0 1 24rem' }} />
        <Button type="submit" variant="default" disabled={name === '' || there}>Add</Button>
      </Group>
    </form>
  );
}
