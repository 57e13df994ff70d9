import { Alert, Anchor, Badge, Group, List, Text } from '@mantine/core';
import type { ReactNode } from 'react';
import type { Job } from '../api/types.ts';
import { useQueryState } from '../app/router.ts';
import { Why } from '../jobs/Why.tsx';
import { useMachineJobs } from './useMachineJobs.ts';
import { wanted } from '../lib/cluster.ts';
import { strip } from '../lib/taskstrip.ts';
import { useWaits } from '../live/waits.ts';
import { Copy } from '../parts/Copy.tsx';
import { Ref } from '../parts/Ref.tsx';
import { useJobLog } from '../parts/useJobLog.ts';
import type { TabProps } from './MachinePage.tsx';
import { Strip } from './Strip.tsx';
import classes from './machine.module.css';

/** The facts of a machine, with what is wrong first. */
export function OverviewTab({ machine: m, job }: TabProps) {
  const { jobs } = useMachineJobs(m.Uuid, 200);
  const [, setTab] = useQueryState('tab', 'overview');
  const waits = useWaits()?.filter((w) => w.Machine === m.Uuid) ?? [];
  const failed = job?.State === 'failed' && !m.WorkflowComplete;
  return (
    <div className={classes.sections}>
      {m.Errors.length > 0 && (
        <Alert color="red" variant="light" title={m.Available ? 'Something is wrong' : 'It is not available'}>
          <List size="sm">
            {m.Errors.map((e) => (
              <List.Item key={e}>{e}</List.Item>
            ))}
          </List>
        </Alert>
      )}
      {failed && <Failed key={job.Uuid} job={job} />}
      {m.TaskErrorStacks.length > 0 && (
        <Alert color="orange" variant="light" title="An error handler runs">
          <Text size="sm">After it the machine goes on with the list of {m.TaskErrorStacks[0].TaskList.length} tasks that it had.</Text>
        </Alert>
      )}
      {m.Tasks.length > 0 && <Strip entries={strip(m, jobs)} stage={m.Stage} onPick={() => setTab('tasks', { push: true })} />}
      <dl className={classes.facts}>
        <Fact name="UUID">
          <Value text={m.Uuid} />
        </Fact>
        {m.Description && <Fact name="Description">{m.Description}</Fact>}
        <Fact name="Address">{m.Address ? <Value text={m.Address} /> : 'none'}</Fact>
        <Fact name="MAC addresses">{m.HardwareAddrs.length ? m.HardwareAddrs.map((a) => <Value key={a} text={a} />) : 'none'}</Fact>
        <Fact name="Profiles">
          {m.Profiles.length ? (
            <Group gap={6}>
              {m.Profiles.map((p) => (
                <Ref key={p} kind="profiles" id={p} />
              ))}
            </Group>
          ) : (
            'none'
          )}
        </Fact>
        <Fact name="Workflow">{m.Workflow ? <Ref kind="workflows" id={m.Workflow} /> : 'none'}</Fact>
        <Fact name="Stage">{m.Stage ? <Ref kind="stages" id={m.Stage} /> : 'none'}</Fact>
        <Fact name="Boot environment">{m.BootEnv ? <Ref kind="bootenvs" id={m.BootEnv} /> : 'none'}</Fact>
        {waits.map((w) => (
          <Fact key={w.Id} name="Waits for">
            {wanted(w)}
            {w.Reason && <Text size="xs" c="dimmed">{w.Reason}</Text>}
          </Fact>
        ))}
        <Fact name="Context">{m.Context ? <Ref kind="contexts" id={m.Context} /> : 'the machine itself'}</Fact>
        <Fact name="Architecture">{[m.Arch, m.OS].filter(Boolean).join(', ')}</Fact>
        <Fact name="Pool">
          <Group gap={6}>
            <Ref kind="pools" id={m.Pool} />
            <Badge variant="light" color="gray" tt="none">
              {m.PoolStatus}
            </Badge>
            {m.PoolAllocated && (
              <Badge variant="light" tt="none">
                allocated
              </Badge>
            )}
          </Group>
        </Fact>
        <Fingerprint machine={m} />
        {m.RetryTaskAttempt > 0 && <Fact name="Attempt">{m.RetryTaskAttempt} of the current task have failed</Fact>}
        <Fact name="Params of its own">
          <Anchor size="sm" component="button" onClick={() => setTab('params', { push: true })}>
            {Object.keys(m.Params).length}
          </Anchor>
        </Fact>
        {Object.entries(m.Meta)
          .filter(([k]) => k !== 'icon' && k !== 'color' && k !== 'feature-flags')
          .map(([k, v]) => (
            <Fact key={k} name={'Meta ' + k}>
              {v}
            </Fact>
          ))}
        {m.Bundle && <Fact name="Comes with">{m.Bundle}</Fact>}
      </dl>
    </div>
  );
}

function Failed({ job }: { job: Job }) {
  return (
    <>
      <Group gap="md">
        <Text size="sm" fw={600}>
          {job.Task} has failed
        </Text>
        <Anchor size="sm" href={`#/machines/${job.Machine}?tab=log`}>
          Read its log
        </Anchor>
      </Group>
      <Why job={job} source={useJobLog(job.Uuid)} />
    </>
  );
}

function Fingerprint({ machine: { Fingerprint: f } }: Pick<TabProps, 'machine'>) {
  const parts = [
    ['System UUID', f.SystemUUID],
    ['Cloud instance', f.CloudInstanceID],
    ['System serial, hashed', f.SSNHash],
    ['Chassis serial, hashed', f.CSNHash],
  ].filter(([, v]) => v);
  return parts.map(([name, v]) => (
    <Fact key={name} name={name}>
      <Value text={v} />
    </Fact>
  ));
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div className={classes.fact}>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Value({ text }: { text: string }) {
  return (
    <Group gap={2} wrap="nowrap">
      <Text size="sm" ff="monospace" style={{ overflowWrap: 'anywhere' }}>
        {text}
      </Text>
      <Copy text={text} label={`Copy ${text}`} />
    </Group>
  );
}
