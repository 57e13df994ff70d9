import { ActionIcon, Alert, Button, Checkbox, Code, Group, Modal, Select, Stack, Text, TextInput } from '@mantine/core';
import { useState, type ReactNode } from 'react';
import type { Operation } from 'rfc6902';
import { api, ApiError, change, part } from '../api/client.ts';
import type { Job, Machine, Profile, Stage, Workflow } from '../api/types.ts';
import { moved, removed } from '../lib/taskstrip.ts';
import { useObjects } from '../live/hooks.ts';
import { Copy } from '../parts/Copy.tsx';
import { Icon } from '../parts/Icon.tsx';
import { Problem } from '../parts/Problem.tsx';
import { changed, saveMachine } from './save.ts';

interface DialogProps {
  machine: Machine;
  onClose: () => void;
}

interface FrameProps {
  title: string;
  action: string;
  danger?: boolean;
  disabled?: boolean;
  /** A refusal may be overridden, with the words that say what that does. */
  force?: string;
  onClose: () => void;
  onDo: (force: boolean) => Promise<unknown>;
  children: ReactNode;
}

/** Asks, does it, and closes; if the server refuses it says why and stays. */
function Frame({ title, action, danger, disabled, force, onClose, onDo, children }: FrameProps) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const [forced, setForced] = useState(false);
  const run = async () => {
    setBusy(true);
    setError(undefined);
    try {
      await onDo(forced);
      onClose();
    } catch (err) {
      setError(err);
      setBusy(false);
    }
  };
  const refused = error instanceof ApiError && error.status === 422;
  return (
    <Modal opened onClose={onClose} title={title}>
      <form
        onSubmit={(e) => {
          e.preventDefault();
          if (!disabled) void run();
        }}
      >
        <Stack gap="sm">
          {children}
          {error !== undefined && <Problem error={error} />}
          {force && (refused || forced) && <Checkbox size="xs" label={force} checked={forced} onChange={(e) => setForced(e.currentTarget.checked)} />}
          <Group justify="flex-end" gap="xs">
            <Button variant="default" size="xs" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" size="xs" color={danger ? 'red' : undefined} loading={busy} disabled={disabled}>
              {action}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

const none = '(none)';

/** Sets the workflow, or starts the present one again. */
export function WorkflowDialog({ machine, job, onClose }: DialogProps & { job?: Job }) {
  const { items } = useObjects<Workflow>('workflows');
  const [name, setName] = useState(machine.Workflow);
  const [start, setStart] = useState(true);
  const chosen = items.find((w) => w.Name === name);
  const again = name !== '' && name === machine.Workflow;
  const ops = (): Operation[] => [
    ...(again ? [...changed('/CurrentTask', machine.CurrentTask, -1)] : changed('/Workflow', machine.Workflow, name)),
    ...(start && name && !machine.Runnable ? changed('/Runnable', machine.Runnable, true) : []),
  ];
  return (
    <Frame
      title={`Workflow of ${machine.Name}`}
      action={again ? 'Start it again' : name ? 'Set the workflow' : 'Take the workflow away'}
      disabled={name === '' && machine.Workflow === ''}
      force="Set it all the same (force)"
      onClose={onClose}
      onDo={(force) => saveMachine(machine, ops(), force)}
    >
      <Select
        label="Workflow"
        searchable
        data-autofocus
        data={[none, ...items.map((w) => w.Name)]}
        value={name || none}
        onChange={(v) => setName(!v || v === none ? '' : v)}
        nothingFoundMessage="No workflow has such a name"
      />
      {chosen && (
        <Text size="sm" c="dimmed">
          {chosen.Description && chosen.Description + '. '}
          {chosen.Available ? `Stages: ${chosen.Stages.join(', ') || 'none'}` : `It is not available: ${chosen.Errors.join('; ')}`}
        </Text>
      )}
      {again && <Text size="sm">The machine has this workflow: its tasks begin again from the first one it can go back to.</Text>}
      {name && <Checkbox size="xs" label="Let it run" description={machine.Runnable ? 'the machine is set to run' : 'the machine is paused'} checked={start || machine.Runnable} disabled={machine.Runnable} onChange={(e) => setStart(e.currentTarget.checked)} />}
      {job?.State === 'running' && (
        <Alert color="orange" variant="light" p="xs">
          {job.Task} runs; its job will count as failed.
        </Alert>
      )}
    </Frame>
  );
}

/** Puts the machine into a stage by itself, without a workflow. */
export function StageDialog({ machine, onClose }: DialogProps) {
  const { items } = useObjects<Stage>('stages');
  const [name, setName] = useState(machine.Stage);
  const chosen = items.find((s) => s.Name === name);
  const ops = () => [...(machine.Workflow ? changed('/Workflow', machine.Workflow, '') : []), ...changed('/Stage', machine.Stage, name)];
  return (
    <Frame
      title={`Stage of ${machine.Name}`}
      action="Set the stage"
      disabled={!name || (name === machine.Stage && !machine.Workflow)}
      force="Set it although tasks are left (force)"
      onClose={onClose}
      onDo={(force) => saveMachine(machine, ops(), force)}
    >
      <Select label="Stage" searchable data-autofocus data={items.map((s) => s.Name)} value={name} onChange={(v) => v && setName(v)} nothingFoundMessage="No stage has such a name" />
      {chosen && (
        <Text size="sm" c="dimmed">
          {chosen.Description && chosen.Description + '. '}
          {chosen.Available ? `Tasks: ${chosen.Tasks.join(', ') || 'none'}` : `It is not available: ${chosen.Errors.join('; ')}`}
        </Text>
      )}
      {machine.Workflow && (
        <Alert color="orange" variant="light" p="xs">
          This takes the workflow {machine.Workflow} and its tasks away.
        </Alert>
      )}
    </Frame>
  );
}

/** Adds and removes profiles; the first one wins where two set the same param. */
export function ProfilesDialog({ machine, onClose }: DialogProps) {
  const { items } = useObjects<Profile>('profiles');
  const [base] = useState(machine.Profiles);
  const [list, setList] = useState(machine.Profiles);
  return (
    <Frame
      title={`Profiles of ${machine.Name}`}
      action="Save"
      disabled={list.join('\n') === base.join('\n')}
      onClose={onClose}
      onDo={() => saveMachine(machine, changed('/Profiles', base, list))}
    >
      <Select
        label="Add a profile"
        placeholder="Search"
        searchable
        data-autofocus
        data={items.map((p) => p.Name).filter((p) => p !== 'global' && !list.includes(p))}
        value={null}
        onChange={(v) => v && setList([...list, v])}
        nothingFoundMessage="No profile has such a name"
      />
      {list.length === 0 && <Text size="sm">It has no profiles.</Text>}
      <Stack gap={2} component="ol" m={0} p={0}>
        {list.map((p, i) => (
          <Group key={p} component="li" gap={4} wrap="nowrap">
            <Text size="sm" flex={1} style={{ overflowWrap: 'anywhere' }}>
              {p}
              {!base.includes(p) && (
                <Text span size="xs" c="dimmed">
                  {' '}
                  new
                </Text>
              )}
            </Text>
            <ActionIcon variant="subtle" color="gray" disabled={i === 0} onClick={() => setList(moved(list, i, i - 1))} aria-label={`Move ${p} up`}>
              <Icon name="arrow up" />
            </ActionIcon>
            <ActionIcon variant="subtle" color="gray" disabled={i === list.length - 1} onClick={() => setList(moved(list, i, i + 1))} aria-label={`Move ${p} down`}>
              <Icon name="arrow down" />
            </ActionIcon>
            <ActionIcon variant="subtle" color="red" onClick={() => setList(removed(list, i))} aria-label={`Remove ${p}`}>
              <Icon name="xmark" />
            </ActionIcon>
          </Group>
        ))}
      </Stack>
      <Text size="xs" c="dimmed">
        Where two profiles set the same param, the upper one wins.
      </Text>
    </Frame>
  );
}

const lifetimes = [
  { value: '1h', label: '1 hour' },
  { value: '8h', label: '8 hours' },
  { value: '1d', label: '1 day' },
  { value: '30d', label: '30 days' },
  { value: '3y', label: '3 years, for an agent' },
];

/** Makes a token that acts for the machine; it is shown once. */
export function TokenDialog({ machine, onClose }: DialogProps) {
  const [ttl, setTtl] = useState('8h');
  const [token, setToken] = useState('');
  const [error, setError] = useState<unknown>();
  const make = async () => {
    setError(undefined);
    try {
      setToken((await api<{ Token: string }>('GET', `/machines/${part(machine.Uuid)}/token`, { query: { ttl } })).Token);
    } catch (err) {
      setError(err);
    }
  };
  return (
    <Modal opened onClose={onClose} title={`Token of ${machine.Name}`}>
      <Stack gap="sm">
        <Text size="sm">Whoever has it may do what the machine's agent may do. It is not kept: copy it now.</Text>
        <Group align="end" gap="xs">
          <Select label="Good for" size="xs" data={lifetimes} value={ttl} onChange={(v) => v && setTtl(v)} allowDeselect={false} data-autofocus />
          <Button size="xs" onClick={make}>
            Make a token
          </Button>
        </Group>
        {error !== undefined && <Problem error={error} />}
        {token && (
          <Group gap="xs" wrap="nowrap">
            <Code block style={{ overflowWrap: 'anywhere', whiteSpace: 'pre-wrap' }}>
              {token}
            </Code>
            <Copy text={token} label="Copy the token" />
          </Group>
        )}
      </Stack>
    </Modal>
  );
}

/** Deletes the machine, for those who can say its name. */
export function DeleteDialog({ machine, onClose }: DialogProps) {
  const [name, setName] = useState('');
  return (
    <Frame
      title={`Delete ${machine.Name}`}
      action="Delete it"
      danger
      disabled={name !== machine.Name}
      onClose={onClose}
      onDo={() => change('DELETE', `/machines/${part(machine.Uuid)}`)}
    >
      <Text size="sm">
        The machine goes with its params and its place in the task list; its agent stops. History keeps it as long as the preference historyDays says,
        and can bring it back.
      </Text>
      <TextInput label={`To delete it, type its name: ${machine.Name}`} data-autofocus autoComplete="off" value={name} onChange={(e) => setName(e.currentTarget.value)} />
    </Frame>
  );
}
