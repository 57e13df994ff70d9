import { Button, Group, Select, Text } from '@mantine/core';
import type { Job } from '../api/types.ts';
import { useQueryState } from '../app/router.ts';
import { useObject } from '../live/hooks.ts';
import { Elapsed } from '../parts/Ago.tsx';
import { Empty } from '../parts/Empty.tsx';
import { LogView } from '../parts/LogView.tsx';
import { Ref } from '../parts/Ref.tsx';
import { StateBadge } from '../parts/StateBadge.tsx';
import type { TabProps } from './MachinePage.tsx';
import { useMachineJobs } from './useMachineJobs.ts';
import classes from './machine.module.css';

/** The log of the current job, or of another one that was chosen. Without a choice it goes on with each new job. */
export function LogTab({ machine }: TabProps) {
  const [chosen, choose] = useQueryState('job');
  const { jobs } = useMachineJobs(machine.Uuid, 100);
  const uuid = chosen || machine.CurrentJob;
  const { object } = useObject<Job>('jobs', uuid);
  const job = object ?? jobs.find((j) => j.Uuid === uuid);
  if (!uuid) return <Empty title="No job has been made for it yet">Its log appears here when its runner takes the first task.</Empty>;
  return (
    <div className={classes.log}>
      <Group gap="xs" mb={4}>
        <Select
          aria-label="Job"
          size="xs"
          searchable
          w="min(20rem, 100%)"
          value={chosen || 'current'}
          onChange={(v) => choose(!v || v === 'current' ? '' : v)}
          data={[{ value: 'current', label: 'The current job, whichever it is' }, ...jobs.map((j) => ({ value: j.Uuid, label: `${j.Task}, ${new Date(j.StartTime).toLocaleString()}` }))]}
          allowDeselect={false}
        />
        {job && (
          <>
            <StateBadge state={job.State} />
            <Ref kind="jobs" id={job.Uuid}>
              {job.Task}
            </Ref>
            <Text size="sm" component="span">
              <Elapsed start={job.StartTime} end={job.State === 'running' ? undefined : job.EndTime} />
            </Text>
          </>
        )}
        {chosen && chosen !== machine.CurrentJob && machine.CurrentJob && (
          <Button size="compact-xs" variant="default" onClick={() => choose('')}>
            To the current job
          </Button>
        )}
      </Group>
      <div className={classes.logView}>
        <LogView key={uuid} job={uuid} />
      </div>
    </div>
  );
}
