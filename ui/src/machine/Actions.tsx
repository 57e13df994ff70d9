import { ActionIcon, Button, Group, Menu } from '@mantine/core';
import { useState } from 'react';
import { part } from '../api/client.ts';
import type { Job, Machine } from '../api/types.ts';
import { openCancel } from '../jobs/cancel.tsx';
import { cancellable } from '../jobs/control.ts';
import { Icon } from '../parts/Icon.tsx';
import { ActionDialog, actionsOf, useActions, type PluginAction } from '../parts/PluginActions.tsx';
import { DeleteDialog, ProfilesDialog, StageDialog, TokenDialog, WorkflowDialog } from './dialogs.tsx';
import { changed, saveMachine, useDoing } from './save.ts';

type Dialog = 'workflow' | 'stage' | 'profiles' | 'token' | 'delete' | PluginAction;

/** What an operator does to a machine, the most frequent as buttons. */
export function Actions({ machine, job }: { machine: Machine; job?: Job }) {
  const [dialog, setDialog] = useState<Dialog>();
  const { busy, run } = useDoing();
  const close = () => setDialog(undefined);
  const left = !machine.WorkflowComplete && machine.Tasks.length > 0;
  const failed = left && job?.State === 'failed';
  const set = (field: 'Runnable' | 'Locked', is: boolean) => run(() => saveMachine(machine, changed('/' + field, machine[field], is)));
  return (
    <Group gap="xs">
      {machine.Runnable ? (
        <Button size="xs" variant="default" loading={busy} disabled={machine.Locked} leftSection={<Icon name="pause" />} onClick={() => set('Runnable', false)}>
          Pause
        </Button>
      ) : (
        <Button size="xs" loading={busy} disabled={machine.Locked} leftSection={<Icon name={failed ? 'rotate right' : 'play'} />} onClick={() => set('Runnable', true)}>
          {failed ? `Retry ${job.Task}` : 'Run'}
        </Button>
      )}
      {left && job && cancellable(job) && (
        <Button size="xs" variant="default" disabled={machine.Locked} leftSection={<Icon name="circle stop" />} onClick={() => openCancel(job, machine.Name)}>
          Cancel {job.Task}
        </Button>
      )}
      <Button size="xs" variant="default" disabled={machine.Locked} leftSection={<Icon name="diagram project" />} onClick={() => setDialog('workflow')}>
        Workflow
      </Button>
      <More machine={machine} choose={setDialog} lock={() => set('Locked', !machine.Locked)} />
      {dialog === 'workflow' && <WorkflowDialog machine={machine} job={job} onClose={close} />}
      {dialog === 'stage' && <StageDialog machine={machine} onClose={close} />}
      {dialog === 'profiles' && <ProfilesDialog machine={machine} onClose={close} />}
      {dialog === 'token' && <TokenDialog machine={machine} onClose={close} />}
      {dialog === 'delete' && <DeleteDialog machine={machine} onClose={close} />}
      {typeof dialog === 'object' && <ActionDialog path={actionsOf('machines', machine.Uuid)} on={machine.Name} action={dialog} onClose={close} />}
    </Group>
  );
}

function More({ machine, choose, lock }: { machine: Machine; choose: (d: Dialog) => void; lock: () => void }) {
  const [opened, setOpened] = useState(false);
  const { actions = [] } = useActions(actionsOf('machines', machine.Uuid), opened);
  const fixed = machine.Locked;
  return (
    <Menu opened={opened} onChange={setOpened} position="bottom-end" shadow="md">
      <Menu.Target>
        <ActionIcon variant="default" size={30} aria-label="More actions">
          <Icon name="ellipsis vertical" />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item disabled={fixed} leftSection={<Icon name="layer group" />} onClick={() => choose('stage')}>
          Set the stage…
        </Menu.Item>
        <Menu.Item disabled={fixed} leftSection={<Icon name="id card" />} onClick={() => choose('profiles')}>
          Profiles…
        </Menu.Item>
        <Menu.Item leftSection={<Icon name={fixed ? 'lock open' : 'lock'} />} onClick={lock}>
          {fixed ? 'Unlock' : 'Lock'}
        </Menu.Item>
        {actions.length > 0 && (
          <>
            <Menu.Divider />
            <Menu.Label>Actions of plugins</Menu.Label>
            {actions.map((a) => (
              <Menu.Item key={a.Provider + '/' + a.Command} leftSection={<Icon name="plug" />} onClick={() => choose(a)}>
                {a.Command} <small>({a.Provider})</small>
              </Menu.Item>
            ))}
          </>
        )}
        <Menu.Divider />
        <Menu.Item leftSection={<Icon name="copy" />} onClick={() => void navigator.clipboard?.writeText(machine.Uuid)}>
          Copy the UUID
        </Menu.Item>
        <Menu.Item leftSection={<Icon name="key" />} onClick={() => choose('token')}>
          Make a token…
        </Menu.Item>
        <Menu.Item component="a" href={`#/preview?machine=${part(machine.Uuid)}`} leftSection={<Icon name="file code" />}>
          Preview a template
        </Menu.Item>
        <Menu.Divider />
        <Menu.Item color="red" disabled={fixed} leftSection={<Icon name="trash" />} onClick={() => choose('delete')}>
          Delete…
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
