import { ActionIcon, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { api, server } from '../api/client.ts';
import { session } from '../api/session.ts';
import { bytes } from '../lib/bytes.ts';
import { useConnection } from '../live/hooks.ts';
import { Ago, Elapsed } from '../parts/Ago.tsx';
import { Icon } from '../parts/Icon.tsx';
import { StateIcon } from '../parts/StateBadge.tsx';
import { metric, parseMetrics } from '../lib/metrics.ts';
import { Card } from './Card.tsx';
import classes from './Overview.module.css';

interface Info {
  version: string;
  os: string;
  arch: string;
  id: string;
  address: string;
  api_port: number;
}

interface Health {
  ready: boolean | undefined; // undefined: a proxy does not let the question through
  reasons: string[];
  info: Info;
  metrics?: ReturnType<typeof parseMetrics>; // only for who may
  at: string;
}

/** Whether the server can do its work, and what it has to do. Asked when the page opens, when the connection comes back, and on request. */
export function ServerHealth() {
  const connection = useConnection();
  const { data, refetch, isFetching } = useQuery({ queryKey: ['health', connection === 'live'], queryFn: ({ signal }) => ask(signal), placeholderData: (old) => old });
  const away = connection === 'reconnecting';
  const rows: [string, React.ReactNode][] = data
    ? [
        ['Version', `${data.info.version} (${data.info.os}/${data.info.arch})`],
        ['Address', data.info.address && `${data.info.address}:${data.info.api_port}`],
        ['Server', data.info.id],
        ...figures(data),
      ]
    : [];
  const word = away ? 'not reachable' : data?.ready === false ? 'not ready' : 'ready';
  return (
    <Card
      title="Server"
      more={{ href: '#/system', label: 'System' }}
      aside={
        <ActionIcon variant="subtle" color="gray" size="sm" onClick={() => void refetch()} loading={isFetching} aria-label="Ask the server again">
          <Icon name="rotate" />
        </ActionIcon>
      }
    >
      {data && (
        <>
          <Text size="sm" fw={600}>
            <StateIcon state={word === 'ready' ? 'done' : 'failed'} /> {word}
          </Text>
          {data.reasons.map((r) => (
            <Text key={r} size="sm">
              {r}
            </Text>
          ))}
          <dl className={classes.facts}>
            {rows
              .filter(([, v]) => v)
              .map(([name, value]) => (
                <div key={name}>
                  <dt>{name}</dt>
                  <dd>{value}</dd>
                </div>
              ))}
          </dl>
          <Text size="xs" c="dimmed" mt={4}>
            asked <Ago time={data.at} />
          </Text>
        </>
      )}
    </Card>
  );
}

function figures({ metrics, at }: Health): [string, React.ReactNode][] {
  if (!metrics) return [];
  const started = metric(metrics, 'process_start_time_seconds');
  const n = (name: string) => metric(metrics, name)?.toLocaleString('en');
  const size = (name: string) => {
    const v = metric(metrics, name);
    return v === undefined ? undefined : bytes(v);
  };
  return [
    ['Up for', started && <Elapsed start={new Date(Math.min(started * 1000, Date.parse(at))).toISOString()} />],
    ['Event streams', n('drp_websocket_subscribers')],
    ['Waiting requests', n('drp_waiters')],
    ['Revision', n('drp_revision')],
    ['Database', size('drp_store_database_bytes')],
    ['Memory', size('process_resident_memory_bytes')],
  ];
}

async function ask(signal: AbortSignal): Promise<Health> {
  const [info, [ready, reasons], metrics] = await Promise.all([api<Info>('GET', '/info', { signal }), readiness(signal), readMetrics(signal)]);
  return { info, ready, reasons, metrics, at: new Date().toISOString() };
}

async function readiness(signal: AbortSignal): Promise<[boolean | undefined, string[]]> {
  try {
    const res = await fetch(new URL('readyz', server), { signal, credentials: 'omit', cache: 'no-store' });
    if (res.ok) return [true, []];
    return res.status === 503 ? [false, ((await res.json()) as { Messages?: string[] }).Messages ?? []] : [undefined, []];
  } catch {
    return [undefined, []];
  }
}

async function readMetrics(signal: AbortSignal) {
  try {
    const headers = { Authorization: `Bearer ${session.getState().token ?? ''}` };
    const res = await fetch(new URL('metrics', server), { signal, credentials: 'omit', cache: 'no-store', headers });
    return res.ok ? parseMetrics(await res.text()) : undefined;
  } catch {
    return undefined;
  }
}
