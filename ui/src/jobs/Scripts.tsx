import { Alert, Group, Loader, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { api, ApiError, part } from '../api/client.ts';
import type { Job, Meta } from '../api/types.ts';
import { Copy } from '../parts/Copy.tsx';
import { Empty } from '../parts/Empty.tsx';
import { Problem } from '../parts/Problem.tsx';
import classes from './jobs.module.css';

interface Previewed {
  Name: string;
  Path: string;
  Content: string;
  Meta: Meta;
  Error?: { Kind: string; Key: string; Part: string; Line: number; Column: number; Why: string; Source: string };
}

/** The scripts of a job's task as its machine would get them now. Looking at them does not touch the job. */
export function Scripts({ job }: { job: Job }) {
  const { data, error, isPending, refetch } = useQuery<Previewed[], ApiError>({
    queryKey: ['scripts', job.Machine, job.Task],
    retry: false,
    gcTime: 0,
    enabled: !job.Task.includes(':'),
    queryFn: ({ signal }) => api('POST', `/machines/${part(job.Machine)}/preview`, { body: { Kind: 'tasks', Key: job.Task }, signal }),
  });
  if (job.Task.includes(':')) return <Empty title="This entry has no scripts">The server does it by itself.</Empty>;
  if (error) return <Problem error={error} retry={() => void refetch()} />;
  if (isPending) return <Loader size="sm" aria-label="Rendering" />;
  return (
    <Stack gap="sm">
      <Text size="sm" c="dimmed">
        Rendered now, as the machine would get them if it ran the task again.
      </Text>
      {data.length === 0 && <Empty title="The task has no templates">It does nothing, and finishes.</Empty>}
      {data.map((p) => (
        <section key={p.Name} aria-label={p.Name}>
          <Group gap="xs">
            <Text size="sm" fw={600}>
              {p.Name}
            </Text>
            <Text size="xs" c="dimmed">
              {p.Path ? `file ${p.Path}` : 'script'}
              {p.Meta.OS ? `, for ${p.Meta.OS}` : ''}
            </Text>
            {!p.Error && <Copy text={p.Content} label={`Copy ${p.Name}`} />}
          </Group>
          {p.Error ? <Faulty error={p.Error} /> : <pre className={classes.script} tabIndex={0}>{p.Content}</pre>}
        </section>
      ))}
    </Stack>
  );
}

const around = 3; // lines before and after the faulty one

function Faulty({ error: e }: { error: NonNullable<Previewed['Error']> }) {
  const lines = e.Source ? e.Source.split('\n') : [];
  const first = Math.max(1, e.Line - around);
  const shown = e.Line > 0 ? lines.slice(first - 1, e.Line + around) : [];
  return (
    <Alert className={classes.reason} color="red" variant="light" title={[[e.Kind, e.Key, e.Part].filter(Boolean).join(' '), e.Line > 0 && `line ${e.Line}`].filter(Boolean).join(', ') || 'It cannot be rendered'}>
      <Text size="sm">{e.Why}</Text>
      {shown.length > 0 && (
        <pre>
          {shown.map((text, i) => (
            <div key={i} style={first + i === e.Line ? { fontWeight: 700 } : undefined}>
              {String(first + i).padStart(4)} {text}
            </div>
          ))}
        </pre>
      )}
    </Alert>
  );
}
