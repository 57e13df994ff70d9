import { Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { send } from '../api/client.ts';
import type { Job, Machine } from '../api/types.ts';
import { why } from '../lib/why.ts';
import type { Fleet } from '../live/fleet.ts';
import { Ago } from '../parts/Ago.tsx';
import { Icon } from '../parts/Icon.tsx';
import { Ref } from '../parts/Ref.tsx';
import { StateIcon } from '../parts/StateBadge.tsx';
import { Card } from './Card.tsx';
import classes from './Overview.module.css';

const most = 6;

/** Machines whose job has failed, the newest first, each with the reason. */
export function Failures({ fleet }: { fleet: Fleet }) {
  const failed = fleet.items
    .filter((m) => fleet.state(m) === 'failed')
    .map((machine) => ({ machine, job: fleet.jobs.get(machine.Uuid)! }))
    .sort((a, b) => Date.parse(b.job.EndTime) - Date.parse(a.job.EndTime));
  if (failed.length === 0) return null;
  return (
    <Card title={failed.length === 1 ? '1 machine failed' : `${failed.length.toLocaleString('en')} machines failed`} width="wide" more={{ href: '#/wall?state=failed', label: 'All failed' }}>
      <ul className={classes.failures}>
        {failed.slice(0, most).map(({ machine, job }) => (
          <Failure key={machine.Uuid} machine={machine} job={job} />
        ))}
      </ul>
      {failed.length > most && (
        <Text size="sm" c="dimmed">
          and {(failed.length - most).toLocaleString('en')} more
        </Text>
      )}
    </Card>
  );
}

function Failure({ machine, job }: { machine: Machine; job: Job }) {
  const { data: lines } = useQuery({
    queryKey: ['end of log', job.Uuid],
    queryFn: ({ signal }) => endOfLog(job.Uuid, signal),
  });
  const reason = lines && why(job, lines);
  return (
    <li>
      <StateIcon state="failed" label="failed" />
      <div className={classes.grow}>
        <div className={classes.line}>
          <span>
            <Icon name={machine.Meta.icon || 'server'} color={machine.Meta.color} />{' '}
            <Ref kind="machines" id={machine.Uuid}>
              <b>{machine.Name}</b>
            </Ref>
          </span>
          <span>
            <span className={classes.quiet}>at</span>{' '}
            <Ref kind="jobs" id={job.Uuid}>
              {job.Task}
            </Ref>
          </span>
          <span className={classes.quiet}>
            <Ago time={job.EndTime} />
          </span>
        </div>
        <div className={classes.reason}>
          {reason?.title}
          {reason?.lines.slice(-2).map((l) => (
            <code key={l.number}>{l.text}</code>
          ))}
        </div>
      </div>
    </li>
  );
}

const end = 16 << 10; // bytes of a log that tell why

async function endOfLog(job: string, signal: AbortSignal) {
  const res = await send('GET', `/jobs/${job}/log`, { signal, headers: { Accept: '*/*', Range: `bytes=-${end}` } });
  const text = (await res.text()).slice(-end);
  return text.split('\n').map((line, number) => ({ number, text: line.replace(/\u001b\[[0-9;]*[A-Za-z]/g, '') }));
}
