import { Alert, Text } from '@mantine/core';
import { useMemo } from 'react';
import type { Job } from '../api/types.ts';
import { link } from '../app/router.ts';
import { why, type Reason } from '../lib/why.ts';
import { Icon } from '../parts/Icon.tsx';
import type { JobLog } from '../parts/useJobLog.ts';
import classes from './jobs.module.css';

const lastLines = 400; // of the log are looked at for the reason

/** Why a job failed or stopped midway, with the lines that tell; nothing for other jobs. */
export function Why({ job, source: { log, version, loading } }: { job: Job; source: JobLog }) {
  const reason = useMemo(() => {
    if (loading || (job.State !== 'failed' && job.State !== 'incomplete')) return undefined;
    const last = log.last();
    const lines = Array.from({ length: Math.min(lastLines, last - log.first() + 1) }, (_, i, n = Math.max(log.first(), last - lastLines + 1)) => ({ number: n + i, text: log.text(n + i) }));
    return why(job, lines);
  }, [job, log, version, loading]);
  if (!reason) return null;
  return (
    <Alert
      className={classes.reason}
      color={job.State === 'failed' ? 'red' : 'yellow'}
      variant="light"
      title={reason.title}
      role="status"
      icon={<Icon name={job.State === 'failed' ? 'circle xmark' : 'circle pause'} />}
    >
      {reason.hint && <Text size="sm">{reason.hint}</Text>}
      {reason.retryAt && (
        <Text size="sm">
          The server tries again by itself at {new Date(reason.retryAt).toLocaleTimeString()}.
        </Text>
      )}
      <Told job={job} reason={reason} />
    </Alert>
  );
}

function Told({ job, reason }: { job: Job; reason: Reason }) {
  if (reason.lines.length === 0) return null;
  return (
    <pre>
      {reason.lines.map((l) => (
        <div key={l.number}>
          <a href={`${link('jobs', job.Uuid)}?line=${l.number}`} aria-label={`Line ${l.number} of the log`}>
            {l.number}
          </a>
          <span>{l.text}</span>
        </div>
      ))}
    </pre>
  );
}
