import { ActionIcon, Badge, Group, Popover, Progress, Text } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import type { ReactNode } from 'react';
import type { Operation } from 'rfc6902';
import type { Job, Machine } from '../api/types.ts';
import { machineState, meaning, progress } from '../lib/machine-state.ts';
import { Elapsed } from '../parts/Ago.tsx';
import { Copy } from '../parts/Copy.tsx';
import { Icon } from '../parts/Icon.tsx';
import { Page } from '../parts/Page.tsx';
import { Ref } from '../parts/Ref.tsx';
import { StateBadge } from '../parts/StateBadge.tsx';
import { Actions } from './Actions.tsx';
import { IconPicker } from './IconPicker.tsx';
import { NameField } from './NameField.tsx';
import { changed, saveMachine, useDoing } from './save.ts';
import classes from './machine.module.css';

interface Props {
  machine: Machine;
  job?: Job;
  gone: boolean;
  children: ReactNode;
}

/** What stands above all tabs: what the machine is, what it does, and what can be done to it at once. */
export function Header({ machine, job, gone, children }: Props) {
  const [renaming, name] = useDisclosure();
  const state = machineState(machine, job?.State);
  return (
    <Page
      title={machine.Name}
      before={<MachineIcon machine={machine} gone={gone} />}
      heading={renaming && !gone ? <NameField machine={machine} onDone={name.close} /> : undefined}
      after={
        <>
          {!renaming && !gone && (
            <ActionIcon variant="subtle" color="gray" size="sm" onClick={name.open} aria-label="Rename">
              <Icon name="pencil" />
            </ActionIcon>
          )}
          {gone ? (
            <Badge color="red" variant="light" tt="none">
              deleted
            </Badge>
          ) : (
            <StateBadge state={state} title={meaning[state]} />
          )}
          {!machine.Available && (
            <Badge color="red" variant="light" tt="none">
              not available
            </Badge>
          )}
          {machine.Locked && <StateBadge state="locked" title="it refuses all changes until it is unlocked" />}
        </>
      }
      actions={!gone && <Actions machine={machine} job={job} />}
    >
      <Group gap="xs" className={classes.line}>
        {machine.Address && (
          <Group gap={2}>
            <Text size="sm" ff="monospace">
              {machine.Address}
            </Text>
            <Copy text={machine.Address} label="Copy the address" />
          </Group>
        )}
        {machine.Workflow ? <Ref kind="workflows" id={machine.Workflow} /> : <Text size="sm">no workflow</Text>}
        {machine.Stage && machine.Stage !== 'none' && (
          <Group gap={6}>
            <Text size="sm">in stage</Text>
            <Ref kind="stages" id={machine.Stage} />
          </Group>
        )}
        <Advance machine={machine} job={job} />
      </Group>
      {children}
    </Page>
  );
}

/** How far the task list is, and what is being done. */
function Advance({ machine, job }: { machine: Machine; job?: Job }) {
  const { done, total } = progress(machine);
  if (!total) return null;
  const open = job && job.State !== 'finished' && !machine.WorkflowComplete;
  const failed = open && job.State === 'failed';
  return (
    <Group gap="xs" className={classes.advance}>
      <Progress
        value={(100 * done) / total}
        color={failed ? 'red' : machine.WorkflowComplete ? 'teal' : 'blue'}
        className={classes.bar}
        aria-label={`${done} of ${total} tasks done`}
      />
      <Text size="sm">
        {done} of {total}
      </Text>
      {open && (
        <Group gap={6}>
          <Ref kind="jobs" id={job.Uuid}>
            {job.Task}
          </Ref>
          <Text size="sm" component="span">
            {failed ? 'has failed' : <Elapsed start={job.StartTime} end={job.State === 'running' ? undefined : job.EndTime} />}
          </Text>
        </Group>
      )}
    </Group>
  );
}

function MachineIcon({ machine, gone }: { machine: Machine; gone: boolean }) {
  const [opened, picker] = useDisclosure();
  const { run } = useDoing();
  const save = (meta: Record<string, string>) => {
    const ops = (['icon', 'color'] as const).flatMap((name): Operation[] => {
      const path = '/Meta/' + name;
      const was = machine.Meta[name];
      const is = meta[name] ?? '';
      if (is === (was ?? '')) return [];
      if (was === undefined) return [{ op: 'add', path, value: is }];
      return is ? changed(path, was, is) : [{ op: 'test', path, value: was }, { op: 'remove', path }];
    });
    if (ops.length) void run(() => saveMachine(machine, ops));
  };
  const icon = <Icon name={machine.Meta.icon || 'server'} color={machine.Meta.color} size="1.5rem" />;
  if (gone) return icon;
  return (
    <Popover opened={opened} onChange={picker.toggle} onDismiss={picker.close} position="bottom-start" shadow="md" trapFocus withinPortal>
      <Popover.Target>
        <ActionIcon variant="subtle" color="gray" size="lg" onClick={picker.toggle} aria-label={`Change the icon (${machine.Meta.icon || 'server'}) and its colour`}>
          {icon}
        </ActionIcon>
      </Popover.Target>
      <Popover.Dropdown>
        <IconPicker icon={machine.Meta.icon ?? ''} color={machine.Meta.color ?? ''} onChange={save} />
      </Popover.Dropdown>
    </Popover>
  );
}
