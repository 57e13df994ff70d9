import { Autocomplete, Checkbox, Group, Stack, Text, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { api } from '../api/client.ts';
import type { Machine, Param } from '../api/types.ts';
import type { Change } from '../lib/bulk.ts';
import { sortedBy } from '../lib/natural.ts';
import { useObjects } from '../live/hooks.ts';
import { Icon } from '../parts/Icon.tsx';
import { ParamControl } from '../parts/ParamControl.tsx';
import { Problem } from '../parts/Problem.tsx';
import { Names } from './Names.tsx';

export const titles: Record<Change['do'], string> = {
  workflow: 'Set the workflow', 'add profile': 'Add a profile', 'remove profile': 'Remove a profile', 'set param': 'Set a param', 'remove param': 'Remove a param',
  icon: 'Set icon or colour', meta: 'Set an entry of Meta', run: 'Run: machines may get jobs', pause: 'Pause: machines get no further job', lock: 'Lock: nothing may be changed', unlock: 'Unlock',
  action: 'Run a plugin action', 'add to pool': 'Add to a pool', 'remove from pool': 'Remove from their pool', delete: 'Delete machines',
};

/** ready tells whether all that the change needs was said. */
export function ready(c: Partial<Change>): c is Change {
  switch (c.do) {
    case 'workflow':
      return c.workflow !== undefined;
    case 'add profile':
    case 'remove profile':
      return Boolean(c.profile);
    case 'set param':
      return Boolean(c.param) && c.value !== undefined;
    case 'remove param':
      return Boolean(c.param);
    case 'icon':
      return Boolean(c.icon || c.color);
    case 'meta':
      return Boolean(c.key) && c.value !== undefined;
    case 'action':
      return Boolean(c.action);
    case 'add to pool':
      return Boolean(c.pool);
  }
  return true;
}

interface Props {
  change: Partial<Change>;
  onChange: (c: Partial<Change>) => void;
  machines: readonly Machine[];
}

/** ChangeForm asks for what a change needs to know. */
export function ChangeForm(props: Props) {
  switch (props.change.do) {
    case 'workflow':
      return <Workflow {...props} />;
    case 'add profile':
    case 'remove profile':
      return <Profile {...props} />;
    case 'set param':
    case 'remove param':
      return <ParamForm {...props} />;
    case 'icon':
      return <Looks {...props} />;
    case 'meta':
      return <Meta {...props} />;
    case 'action':
      return <Action {...props} />;
    case 'add to pool':
      return <Pool {...props} />;
  }
  return null;
}

function Workflow({ change, onChange }: Props) {
  const { items } = useObjects<{ Name: string }>('workflows');
  const c = change as { workflow?: string };
  return (
    <Stack gap="xs">
      <Names label="Workflow" description="Its tasks begin at once on machines that are runnable" names={items} value={c.workflow ?? ''}
        placeholder={c.workflow === '' ? 'no workflow' : 'choose one'} onChange={(workflow) => onChange(workflow ? { do: 'workflow', workflow } : { do: 'workflow' })} />
      <Checkbox label="No workflow: their task lists are emptied" checked={c.workflow === ''} onChange={(e) => onChange(e.currentTarget.checked ? { do: 'workflow', workflow: '' } : { do: 'workflow' })} />
    </Stack>
  );
}

function Profile({ change, onChange, machines }: Props) {
  const { items } = useObjects<{ Name: string }>('profiles');
  const c = change as { do: 'add profile' | 'remove profile'; profile?: string };
  const names = c.do === 'add profile' ? items : [...new Set(machines.flatMap((m) => m.Profiles))].map((Name) => ({ Name }));
  return <Names label="Profile" names={names} value={c.profile ?? ''} placeholder="choose one" onChange={(profile) => onChange({ do: c.do, profile })} />;
}

function ParamForm({ change, onChange }: Props) {
  const { items } = useObjects<Param>('params');
  const c = change as { do: 'set param' | 'remove param'; param?: string; value?: never };
  return (
    <Stack gap="xs">
      <Autocomplete label="Param" description="Of the machines themselves, not of their profiles" data={items.map((p) => p.Name)} limit={100} value={c.param ?? ''}
        onChange={(param) => onChange({ do: c.do, param })} data-autofocus />
      {c.do === 'set param' && c.param && <ParamControl key={c.param} name={c.param} value={c.value} onChange={(value) => onChange({ ...c, value: value as never })} label="Value" />}
    </Stack>
  );
}

const icons = ['anchor', 'server', 'database', 'cloud', 'cube', 'cubes', 'cog', 'wrench', 'star', 'flag', 'bug', 'fire', 'leaf', 'shield', 'plug', 'microchip', 'network wired', 'desktop', 'laptop', 'warehouse'];
const colours = ['red', 'orange', 'yellow', 'olive', 'green', 'teal', 'blue', 'violet', 'purple', 'pink', 'brown', 'grey', 'black'];

function Looks({ change, onChange }: Props) {
  const c = { icon: '', color: '', ...change } as { do: 'icon'; icon: string; color: string };
  return (
    <Group grow align="end">
      <Autocomplete label="Icon" description="A name of Font Awesome or Semantic UI; nothing leaves it" data={icons} value={c.icon} onChange={(icon) => onChange({ ...c, icon })}
        leftSection={<Icon name={c.icon || 'server'} color={c.color} />} renderOption={({ option }) => <Group gap="xs"><Icon name={option.value} />{option.value}</Group>} />
      <Autocomplete label="Colour" description="A name, or such as #2185d0; nothing leaves it" data={colours} value={c.color} onChange={(color) => onChange({ ...c, color })}
        renderOption={({ option }) => <Group gap="xs"><Icon name="circle" color={option.value} />{option.value}</Group>} />
    </Group>
  );
}

function Meta({ change, onChange, machines }: Props) {
  const c = { key: '', ...change } as { do: 'meta'; key: string; value?: string | null };
  const keys = [...new Set(machines.flatMap((m) => Object.keys(m.Meta)))].sort();
  return (
    <Stack gap="xs">
      <Group grow align="end">
        <Autocomplete label="Key" data={keys} value={c.key} onChange={(key) => onChange({ ...c, key })} data-autofocus />
        <TextInput label="Value" value={c.value ?? ''} disabled={c.value === null} onChange={(e) => onChange({ ...c, value: e.currentTarget.value })} />
      </Group>
      <Checkbox label="Remove it" checked={c.value === null} onChange={(e) => onChange({ ...c, value: e.currentTarget.checked ? null : '' })} />
    </Stack>
  );
}

interface Available {
  Provider: string;
  Command: string;
  RequiredParams: string[];
  OptionalParams: string[];
}

function Action({ change, onChange, machines }: Props) {
  const first = machines[0]!;
  const { data, error, isPending } = useQuery({ queryKey: ['actions', 'machines', first.Uuid], queryFn: () => api<Available[]>('GET', `/machines/${first.Uuid}/actions`), staleTime: 0 });
  const c = { action: '', plugin: '', params: {}, ...change } as { do: 'action'; action: string; plugin: string; params: Record<string, never> };
  if (error) return <Problem error={error} title="The actions cannot be read" />;
  if (isPending) return <Text size="sm">Reading the actions …</Text>;
  if (data.length === 0) return <Text size="sm">{first.Name} has no actions: no plugin offers any for it, or params that they require are not set.</Text>;
  const action = data.find((a) => a.Command === c.action);
  return (
    <Stack gap="xs">
      <Names label="Action" description={`As ${first.Name} has them`} names={sortedBy(data, (a) => a.Command).map((a) => ({ Name: a.Command }))} value={c.action} placeholder="choose one"
        onChange={(name) => onChange({ do: 'action', action: name, plugin: '', params: {} })} />
      {action && [...action.RequiredParams, ...action.OptionalParams].map((name) => (
        <ParamControl key={name} name={name} label={name} value={c.params[name]} onChange={(v) => onChange({ ...c, params: { ...c.params, [name]: v } })} />
      ))}
    </Stack>
  );
}

function Pool({ change, onChange }: Props) {
  const { items } = useObjects<{ Id: string }>('pools');
  const { items: machines } = useObjects<Machine>('machines');
  const c = change as { pool?: string };
  const names = [...new Set([...items.map((p) => p.Id), ...machines.map((m) => m.Pool)])].filter((n) => n !== 'default');
  return (
    <Autocomplete label="Pool" description="A pool needs no object: a new name makes one. Machines that are allocated cannot be moved." data={names} value={c.pool ?? ''} data-autofocus
      onChange={(pool) => onChange({ do: 'add to pool', pool })} />
  );
}
