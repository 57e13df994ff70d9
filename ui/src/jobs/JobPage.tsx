import { Anchor, Button, Group, Loader, Tabs, Text } from '@mantine/core';
import { useMediaQuery } from '@mantine/hooks';
import { type ReactNode } from 'react';
import { useParams } from 'wouter';
import type { Job, Machine } from '../api/types.ts';
import { link, navigate, useQueryState } from '../app/router.ts';
import { useList, useObject } from '../live/hooks.ts';
import { Ago, Elapsed } from '../parts/Ago.tsx';
import { confirm } from '../parts/confirm.tsx';
import { Empty } from '../parts/Empty.tsx';
import { HistoryList, useHistory } from '../parts/HistoryList.tsx';
import { Icon } from '../parts/Icon.tsx';
import { LogPane } from '../parts/LogView.tsx';
import { Page } from '../parts/Page.tsx';
import { actionsOf, PluginMenu } from '../parts/PluginActions.tsx';
import { notifyDone, notifyError, Problem } from '../parts/Problem.tsx';
import { StateBadge } from '../parts/StateBadge.tsx';
import { openUndo } from '../parts/undo.tsx';
import { useJobLog } from '../parts/useJobLog.ts';
import { openCancel } from './cancel.tsx';
import { cancellable, deleteJob, retriable, retry, stateOf } from './control.ts';
import classes from './jobs.module.css';
import { Scripts } from './Scripts.tsx';
import { Why } from './Why.tsx';

const zero = '00000000-0000-0000-0000-000000000000';

export default function JobPage() {
  const { uuid = '' } = useParams();
  const { object: job, loading, missing, error } = useObject<Job>('jobs', uuid);
  if (loading) return <Page title="Job">{<Loader size="sm" aria-label="Loading" />}</Page>;
  if (error) return <Page title="Job">{<Problem error={error} />}</Page>;
  if (!job || missing) {
    return (
      <Page title="Job">
        <Empty title="This job is not there">
          It was deleted or purged, or never was. <Anchor href="#/jobs">See all jobs</Anchor>
        </Empty>
      </Page>
    );
  }
  return <Shown key={uuid} job={job} />;
}

function Shown({ job }: { job: Job }) {
  const source = useJobLog(job.Uuid);
  const machine = useObject<Machine>('machines', job.Machine).object;
  const [tab, setTab] = useQueryState('tab', 'log');
  const [line] = useQueryState('line');
  const roomy = useMediaQuery('(min-width: 48em) and (min-height: 44em)', true);
  return (
    <Page title={job.Task} fill={roomy && tab === 'log'} after={<StateBadge state={stateOf(job)} />} actions={<Actions job={job} machine={machine} />}>
      <Why job={job} source={source} />
      <Facts job={job} machine={machine} />
      <Tabs value={tab} onChange={(t) => setTab(t ?? 'log')} className={classes.tab} keepMounted={false}>
        <Tabs.List>
          <Tabs.Tab value="log">Log</Tabs.Tab>
          <Tabs.Tab value="scripts">Scripts</Tabs.Tab>
          <Tabs.Tab value="changes">Changes</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="log" pt="xs" className={classes.log}>
          <LogPane job={job.Uuid} source={source} line={Number(line) || undefined} />
        </Tabs.Panel>
        <Tabs.Panel value="scripts" pt="xs">
          <Scripts job={job} />
        </Tabs.Panel>
        <Tabs.Panel value="changes" pt="xs">
          <JobChanges job={job} />
        </Tabs.Panel>
      </Tabs>
    </Page>
  );
}

function Actions({ job, machine }: { job: Job; machine?: Machine }) {
  async function remove() {
    const yes = await confirm({ title: 'Delete this job?', children: 'It goes with its log. What it changed stays, and stays in history.', action: 'Delete', danger: true });
    if (!yes) return;
    try {
      await deleteJob(job);
      navigate('/jobs');
    } catch (err) {
      notifyError(err);
    }
  }
  const name = machine?.Name ?? 'The machine';
  const ended = job.State === 'failed' || job.State === 'finished';
  return (
    <>
      {retriable(job) && !machine?.Runnable && (
        <Button
          size="xs"
          leftSection={<Icon name="redo" />}
          onClick={() => retry(job).then(() => notifyDone(`${name} does ${job.Task} again as soon as its runner asks`), notifyError)}
        >
          Retry
        </Button>
      )}
      {cancellable(job) && (
        <Button size="xs" color="red" variant="light" leftSection={<Icon name="circle stop" />} onClick={() => openCancel(job, machine?.Name)}>
          Cancel
        </Button>
      )}
      <PluginMenu path={actionsOf('jobs', job.Uuid)} on={job.Task} />
      {ended && (
        <Button size="xs" variant="default" leftSection={<Icon name="trash alternate outline" />} onClick={() => void remove()}>
          Delete
        </Button>
      )}
    </>
  );
}

function Facts({ job, machine }: { job: Job; machine?: Machine }) {
  const attempts = useList<Job>('jobs', { Machine: job.Machine, Task: job.Task, CurrentIndex: job.CurrentIndex, Workflow: job.Workflow, sort: 'StartTime', reverse: true, limit: 20 }).items;
  const next = useList<Job>('jobs', { Previous: job.Uuid, limit: 1 }).items[0];
  const ended = job.State === 'failed' || job.State === 'finished';
  return (
    <dl className={classes.facts}>
      <Fact name="Machine">
        <Anchor size="sm" href={link('machines', job.Machine)}>
          {machine?.Name ?? job.Machine}
        </Anchor>
      </Fact>
      <Fact name="Workflow">{job.Workflow && <Anchor size="sm" href={link('workflows', job.Workflow)}>{job.Workflow}</Anchor>}</Fact>
      <Fact name="Stage">{job.Stage && <Anchor size="sm" href={link('stages', job.Stage)}>{job.Stage}</Anchor>}</Fact>
      <Fact name="Task">
        {job.Task.includes(':') ? job.Task : <Anchor size="sm" underline="always" href={link('tasks', job.Task)}>{job.Task}</Anchor>}
        {job.CurrentIndex >= 0 && ` (${job.CurrentIndex + 1}${machine?.CurrentJob === job.Uuid ? ` of ${machine.Tasks.length}` : '. of the list'})`}
      </Fact>
      {job.Context && <Fact name="Context">{job.Context}</Fact>}
      {job.BootEnv && <Fact name="Boot environment">{job.BootEnv}</Fact>}
      <Fact name="Started">
        <Ago time={job.StartTime} />
      </Fact>
      <Fact name={ended ? 'Took' : 'Runs for'}>
        <Elapsed start={job.StartTime} end={job.EndTime} />
      </Fact>
      {job.ExitState && job.ExitState !== 'complete' && job.ExitState !== job.State && <Fact name="Asked for">{job.ExitState}</Fact>}
      <Fact name="Attempts">
        <Attempts job={job} attempts={attempts} />
      </Fact>
      <Fact name="Jobs of this machine">
        <Group gap="xs" wrap="nowrap">
          {job.Previous && job.Previous !== zero && <Anchor size="sm" href={link('jobs', job.Previous)}>previous</Anchor>}
          {next && <Anchor size="sm" href={link('jobs', next.Uuid)}>next</Anchor>}
          <Anchor size="sm" href={`#/jobs?machine=${job.Machine}`}>all</Anchor>
        </Group>
      </Fact>
    </dl>
  );
}

/** Every run of this entry of the task list, the oldest first. */
function Attempts({ job, attempts }: { job: Job; attempts: readonly Job[] }) {
  if (attempts.length < 2) return <>the only one</>;
  return (
    <Group gap={6}>
      {attempts.toReversed().map((a, i) =>
        a.Uuid === job.Uuid ? (
          <Text key={a.Uuid} span size="sm" fw={700} aria-current="true">
            {i + 1}
          </Text>
        ) : (
          <Anchor key={a.Uuid} size="sm" href={link('jobs', a.Uuid)} aria-label={`Attempt ${i + 1}, ${a.State}`}>
            {i + 1} {a.State}
          </Anchor>
        ),
      )}
    </Group>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  if (!children) return null;
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function JobChanges({ job }: { job: Job }) {
  const history = useHistory({ job: job.Uuid });
  return (
    <>
      <Group justify="space-between" mb="xs">
        <Text size="sm" c="dimmed">
          What its scripts and its runner changed, the newest first.
        </Text>
        {history.entries.length > 0 && (
          <Button size="xs" variant="default" leftSection={<Icon name="undo" />} onClick={() => openUndo({ Job: job.Uuid }, `what job ${job.Task} changed`, history.refetch)}>
            Undo all of this job
          </Button>
        )}
      </Group>
      <HistoryList history={history} without={['job']} />
      {history.next && <Anchor size="sm" href={`#/history?job=${job.Uuid}&to=${history.next}`}>older changes</Anchor>}
    </>
  );
}
