import { Alert, Anchor, Loader, Tabs, Text } from '@mantine/core';
import { useParams } from 'wouter';
import type { Job, Machine } from '../api/types.ts';
import { useQueryState } from '../app/router.ts';
import { useObject } from '../live/hooks.ts';
import { Empty } from '../parts/Empty.tsx';
import { Page } from '../parts/Page.tsx';
import { Problem } from '../parts/Problem.tsx';
import { EditTab } from './EditTab.tsx';
import { Header } from './Header.tsx';
import { HistoryTab } from './HistoryTab.tsx';
import { JobsTab } from './JobsTab.tsx';
import { LogTab } from './LogTab.tsx';
import { OverviewTab } from './OverviewTab.tsx';
import { ParamsTab } from './ParamsTab.tsx';
import { TasksTab } from './TasksTab.tsx';
import classes from './machine.module.css';

export interface TabProps {
  machine: Machine;
  job?: Job; // the machine's newest
}

const tabs = [
  { name: 'overview', label: 'Overview', Tab: OverviewTab },
  { name: 'params', label: 'Params', Tab: ParamsTab },
  { name: 'tasks', label: 'Tasks', Tab: TasksTab },
  { name: 'jobs', label: 'Jobs', Tab: JobsTab },
  { name: 'log', label: 'Log', Tab: LogTab },
  { name: 'history', label: 'History', Tab: HistoryTab },
  { name: 'edit', label: 'Edit', Tab: EditTab },
];

/** One machine: what it is, does and has done, and all that can be done to it. */
export default function MachinePage() {
  const { uuid = '' } = useParams<{ uuid: string }>();
  return <OneMachine key={uuid} uuid={decodeURIComponent(uuid)} />;
}

function OneMachine({ uuid }: { uuid: string }) {
  const { object: machine, loading, missing, error } = useObject<Machine>('machines', uuid);
  if (machine) return <Known machine={machine} gone={missing} />;
  return (
    <Page title={loading ? 'Machine' : 'No such machine'}>
      {error && <Problem error={error} />}
      {loading && !error && <Loader size="sm" aria-label="Loading the machine" />}
      {missing && !error && (
        <Empty title={`There is no machine ${uuid}, or it is not for you to see`}>
          <Anchor href="#/machines">All machines</Anchor>
        </Empty>
      )}
    </Page>
  );
}

function Known({ machine, gone }: { machine: Machine; gone: boolean }) {
  const { object: job } = useObject<Job>('jobs', machine.CurrentJob);
  const [tab, setTab] = useQueryState('tab', 'overview');
  const now = tabs.some((t) => t.name === tab) ? tab : 'overview';
  return (
    <Header machine={machine} job={job} gone={gone}>
      {gone && (
        <Alert color="red" variant="light" title="This machine has been deleted" role="alert">
          <Text size="sm">
            What stands here is how it was last. <Anchor href={`#/history?kind=machines&key=${machine.Uuid}`} size="sm">Its history</Anchor> tells
            who deleted it, and can take that back.
          </Text>
        </Alert>
      )}
      <Tabs value={now} onChange={(v) => v && setTab(v, { push: true })} keepMounted={false}>
        <Tabs.List className={classes.tabs}>
          {tabs.map((t) => (
            <Tabs.Tab key={t.name} value={t.name}>
              {t.label}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        {tabs.map(({ name, Tab }) => (
          <Tabs.Panel key={name} value={name} pt="sm">
            <Tab machine={machine} job={job} />
          </Tabs.Panel>
        ))}
      </Tabs>
    </Header>
  );
}
