import { ActionIcon, Badge, Group, Menu, Select, Modal, Text } from '@mantine/core';
import { useRef, useState } from 'react';
import type { Machine, Task } from '../api/types.ts';
import { byStage, editable, inserted, moved, removed, strip, type StripEntry } from '../lib/taskstrip.ts';
import { duration } from '../lib/time.ts';
import { useObjects } from '../live/hooks.ts';
import { Elapsed } from '../parts/Ago.tsx';
import { Empty } from '../parts/Empty.tsx';
import { Icon } from '../parts/Icon.tsx';
import { Problem } from '../parts/Problem.tsx';
import { Ref } from '../parts/Ref.tsx';
import { StateIcon } from '../parts/StateBadge.tsx';
import { confirm } from '../parts/confirm.tsx';
import type { TabProps } from './MachinePage.tsx';
import { changed, saveMachine, useDoing } from './save.ts';
import { stateWord, Strip } from './Strip.tsx';
import { useMachineJobs } from './useMachineJobs.ts';
import classes from './machine.module.css';

/** The task list: what is done, what happens and what is to come, of which the next can be changed. */
export function TasksTab({ machine }: TabProps) {
  const { jobs, error } = useMachineJobs(machine.Uuid, 500);
  const list = useRef<HTMLOListElement>(null);
  const [adding, setAdding] = useState<number>();
  const { busy, run } = useDoing();
  const entries = strip(machine, jobs);
  const { from, to } = editable(machine);
  const save = (tasks: string[]) => run(() => saveMachine(machine, changed('/Tasks', machine.Tasks, tasks)));
  const again = async (e: StripEntry) => {
    const yes = await confirm({ title: `Run ${e.entry} again?`, action: 'Run again from here', children: 'The machine goes back in its list and runs this entry and all that follow once more.' });
    const ops = [...changed('/CurrentTask', machine.CurrentTask, e.index - 1), ...(machine.Runnable ? [] : changed('/Runnable', false, true))];
    if (yes) void run(() => saveMachine(machine, ops));
  };
  const show = (index: number) => list.current?.querySelector<HTMLElement>(`[data-index="${index}"]`)?.scrollIntoView({ block: 'center' });
  return (
    <div className={classes.sections}>
      {error && <Problem error={error} />}
      {entries.length === 0 && <Empty title="It has no tasks">Set a workflow or a stage, and their tasks come here; or add some by hand.</Empty>}
      {entries.length > 0 && <Strip entries={entries} stage={machine.Stage} onPick={show} />}
      <ol ref={list} className={classes.tasks} aria-label="Tasks">
        {byStage(entries).map((g) => (
          <li key={g.entries[0].index}>
            <ol>
              {g.entries.map((e) => (
                <Row
                  key={e.index}
                  entry={e}
                  busy={busy || machine.Locked}
                  open={e.index >= from && e.index < to}
                  first={e.index === from}
                  last={e.index === to - 1}
                  move={(by) => save(moved(machine.Tasks, e.index, e.index + by))}
                  remove={() => save(removed(machine.Tasks, e.index))}
                  insert={(by) => setAdding(e.index + by)}
                  again={() => void again(e)}
                />
              ))}
            </ol>
          </li>
        ))}
      </ol>
      <Text size="xs" c="dimmed" hidden={entries.length === 0}>
        {from < to
          ? 'What has not run yet can be moved, removed and added to, up to the end of the stage that the machine is in.'
          : 'Nothing is left to be changed in the stage that the machine is in.'}
      </Text>
      {from === to && !machine.Locked && (
        <Group>
          <ActionIcon variant="default" onClick={() => setAdding(to)} aria-label="Add a task to this stage">
            <Icon name="plus" />
          </ActionIcon>
          <Text size="sm">Add a task to this stage</Text>
        </Group>
      )}
      {adding !== undefined && (
        <AddDialog machine={machine} onClose={() => setAdding(undefined)} onAdd={(task) => save(inserted(machine.Tasks, adding, task))} />
      )}
    </div>
  );
}

interface RowProps {
  entry: StripEntry;
  busy: boolean;
  open: boolean; // may be changed
  first: boolean;
  last: boolean;
  move: (by: 1 | -1) => void;
  remove: () => void;
  insert: (by: 0 | 1) => void;
  again: () => void;
}

const refKinds: Partial<Record<StripEntry['kind'], string>> = { task: 'tasks', stage: 'stages', bootenv: 'bootenvs', context: 'contexts' };

function Row({ entry: e, busy, open, first, last, move, remove, insert, again }: RowProps) {
  const kind = refKinds[e.kind];
  return (
    <li className={classes.task} data-index={e.index} data-kind={e.kind} data-state={e.state} aria-current={e.state === 'running' ? 'step' : undefined}>
      <span className={classes.number}>{e.index + 1}</span>
      <StateIcon state={stateWord[e.state]} label={e.state === 'waiting' ? 'to come' : e.state} />
      <span className={classes.taskName}>
        {e.kind !== 'task' && <Text span size="xs" c="dimmed">{e.kind} </Text>}
        {kind && e.name ? <Ref kind={kind} id={e.name} /> : <Text span size="sm">{e.name || 'the machine itself'}</Text>}
        {e.next && <Badge size="xs" variant="light" tt="none" ml={6}>next</Badge>}
        {e.attempts > 1 && <Badge size="xs" color="gray" variant="outline" tt="none" ml={6}>{e.attempts} attempts</Badge>}
      </span>
      <span className={classes.took}>
        {e.job && (
          <Ref kind="jobs" id={e.job.Uuid}>
            {e.seconds !== undefined ? duration(e.seconds * 1000) : e.state === 'running' ? <Elapsed start={e.job.StartTime} /> : 'job'}
          </Ref>
        )}
      </span>
      <RowMenu {...{ entry: e, busy, open, first, last, move, remove, insert, again }} />
    </li>
  );
}

function RowMenu({ entry: e, busy, open, first, last, move, remove, insert, again }: RowProps) {
  if (!open && (e.state === 'waiting' || e.state === 'running')) return <span className={classes.noMenu} />;
  return (
    <Menu position="bottom-end" shadow="md">
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" size="sm" disabled={busy} aria-label={`Change ${e.entry}`}>
          <Icon name="ellipsis" />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        {open ? (
          <>
            <Menu.Item leftSection={<Icon name="plus" />} onClick={() => insert(0)}>Add a task before it…</Menu.Item>
            <Menu.Item leftSection={<Icon name="plus" />} onClick={() => insert(1)}>Add a task after it…</Menu.Item>
            <Menu.Item leftSection={<Icon name="arrow up" />} disabled={first} onClick={() => move(-1)}>Move it up</Menu.Item>
            <Menu.Item leftSection={<Icon name="arrow down" />} disabled={last} onClick={() => move(1)}>Move it down</Menu.Item>
            <Menu.Item leftSection={<Icon name="trash" />} color="red" onClick={remove}>Take it out</Menu.Item>
          </>
        ) : (
          <Menu.Item leftSection={<Icon name="rotate left" />} onClick={again}>Run again from here…</Menu.Item>
        )}
      </Menu.Dropdown>
    </Menu>
  );
}

function AddDialog({ machine, onClose, onAdd }: { machine: Machine; onClose: () => void; onAdd: (task: string) => Promise<boolean> }) {
  const { items } = useObjects<Task>('tasks');
  return (
    <Modal opened onClose={onClose} title={`Add a task to ${machine.Name}`}>
      <Select
        label="Task"
        description="It comes before the entry that you have chosen, or behind it."
        searchable
        data-autofocus
        data={items.map((t) => t.Name)}
        value={null}
        onChange={(v) => v && void onAdd(v).then((done) => done && onClose())}
        nothingFoundMessage="No task has such a name"
      />
    </Modal>
  );
}
