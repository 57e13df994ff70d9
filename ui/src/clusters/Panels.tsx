import { Alert, Anchor, Group, Paper, Text, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { send } from '../api/client.ts';
import type { HistoryEntry, Job } from '../api/types.ts';
import { aheadWords, releasedBy, type Cluster, type Election, type Failure, type Member } from '../lib/cluster.ts';
import { duration } from '../lib/time.ts';
import { why } from '../lib/why.ts';
import { Ago } from '../parts/Ago.tsx';
import { Icon } from '../parts/Icon.tsx';
import { Ref } from '../parts/Ref.tsx';
import { StateIcon } from '../parts/StateBadge.tsx';
import { byWhom, type Past } from './past.ts';
import classes from './clusters.module.css';

export function Panel({ title, children }: { title: string; children: ReactNode }) {
  return (
    <Paper withBorder p="sm" component="section" aria-label={title}>
      <Title order={2} size="h6" mb={6}>
        {title}
      </Title>
      {children}
    </Paper>
  );
}

/** What goes on is counted in seconds. */
const soFar = (ms: number) => (ms < 1000 ? 'under 1 s' : duration(Math.floor(ms / 1000) * 1000));

type Names = Pick<Past, 'names' | 'jobs'>;

/** Where the cluster waits for itself: who is there, who is not, and what they say is missing. */
export function Barriers({ cluster, now, waitsKnown }: { cluster: Cluster; now: number; waitsKnown: boolean }) {
  if (!cluster.barriers.length) {
    return (
      <Panel title="Barriers">
        <Text size="sm" c="dimmed">
          {cluster.state === 'done' ? 'Nobody waits any more.' : 'Nobody waits for others.'}
        </Text>
      </Panel>
    );
  }
  return (
    <Panel title="Barriers">
      <ul className={classes.list}>
        {cluster.barriers.map((b) => (
          <li key={b.column.id}>
            <Text size="sm" fw={600} component="div">
              <StateIcon state="waiting" /> {b.column.task}
              <span className={classes.quiet}>
                {' '}
                {b.here.length} wait, {b.passed.length} passed, {b.missing.length} to come
              </span>
            </Text>
            {b.missing.length > 0 && (
              <div data-missing={!b.inTurn || undefined}>
                {b.inTurn ? 'To come' : 'Missing'}: {places(b.missing)}
              </div>
            )}
            {busy(b.passed).length > 0 && <div>Past it and at work: {places(busy(b.passed))}</div>}
            {b.here.slice(0, 8).map((h) => (
              <div key={h.member.machine.Uuid} className={classes.quiet}>
                {h.member.machine.Name} has waited {soFar(now - h.since)}
                {waitsKnown && ` for ${h.what}`}
                {h.ahead && h.ahead.length > 0 && `; ${aheadWords(h.ahead)}`}
              </div>
            ))}
            {b.here.length > 8 && <div className={classes.quiet}>{b.here.length - 8} more wait</div>}
            {b.lacks.slice(0, 3).map((l) => (
              <div key={l} className={classes.quiet}>
                {plain(l)}
              </div>
            ))}
          </li>
        ))}
      </ul>
    </Panel>
  );
}

/** What the server says is missing, without the way to a param. */
const plain = (reason: string) => reason.replace(/^\w+\/\S+: /, '').replace(/\/Params\/([^\s:]+)/g, (_, name: string) => name.replaceAll('~1', '/').replaceAll('~0', '~'));

const busy = (list: readonly Member[]) => list.filter((m) => m.state !== 'done' && m.state !== 'idle');

/** Who is where, in one line. */
function places(list: readonly Member[]): string {
  const shown = list.slice(0, 12).map((m) => `${m.machine.Name}${m.at ? ` (at ${m.at.task})` : ''}`).join(', ');
  return list.length > 12 ? `${shown} and ${list.length - 12} more` : shown;
}

export function LongestWaits({ cluster, history, names }: { cluster: Cluster; history: readonly HistoryEntry[]; names: Names }) {
  return (
    <Panel title="Longest waits">
      {cluster.longest.length === 0 && (
        <Text size="sm" c="dimmed">
          Nobody has waited for others.
        </Text>
      )}
      <ul className={classes.list}>
        {cluster.longest.map((w) => {
          const by = releasedBy(w, history);
          return (
            <li key={w.job.Uuid}>
              <b>{w.over ? duration(w.took) : soFar(w.took)}</b> {w.member.machine.Name} in <Ref kind="jobs" id={w.job.Uuid}>{w.column.task}</Ref>
              {!w.over && ', still waiting'}
              {by && (
                <span className={classes.quiet}>
                  {' '}
                  until {byWhom(names, '', by.job) || 'somebody'} changed {by.params.join(', ') || 'the profile'}
                </span>
              )}
            </li>
          );
        })}
      </ul>
    </Panel>
  );
}

/** Who leads, how that came, and who lost. */
export function Leadership({ cluster, list, names, goTo }: { cluster: Cluster; list: readonly Election[]; names: Names; goTo: (rev: number) => void }) {
  const name = (uuid: string) => names.names.get(uuid) ?? uuid;
  return (
    <Panel title="Leader">
      <Text size="sm" component="div" data-election>
        {cluster.leaders.length > 0 ? (
          <Group gap={6}>
            <Icon name="anchor" /> {cluster.leaders.map((l) => l.machine.Name).join(', ')} {cluster.leaders.length > 1 ? 'lead' : 'leads'}
          </Group>
        ) : cluster.state === 'election' ? (
          'Election under way: nobody leads yet.'
        ) : cluster.leaderParams.length ? (
          'Nobody leads yet.'
        ) : (
          'No param tells of a leader.'
        )}
      </Text>
      <ul className={classes.list} style={{ marginTop: 6 }}>
        {list
          .slice(-5)
          .reverse()
          .map((e) => (
            <li key={e.rev + e.param}>
              {e.won.map(name).join(', ')} won {e.param}
              {e.job && e.task && (
                <>
                  {' '}
                  in <Ref kind="jobs" id={e.job}>{e.task}</Ref>
                </>
              )}
              , <Anchor component="button" size="sm" onClick={() => goTo(e.rev)} title="Show this moment"><Ago time={new Date(e.time).toISOString()} /></Anchor>
              {e.lost.length > 0 && <div className={classes.quiet}>{e.lost.map(name).join(', ')} lost</div>}
            </li>
          ))}
      </ul>
    </Panel>
  );
}

const most = 5;

/** What failed, the cause first. */
export function Failures({ list }: { list: readonly Failure[] }) {
  if (!list.length) return null;
  return (
    <Alert color="red" variant="light" title={list.length === 1 ? 'One machine failed' : `${list.length} machines failed`} role="alert">
      <ul className={`${classes.list} ${classes.failures}`}>
        {list.slice(0, most).map((f) => (
          <li key={f.job.Uuid}>
            <Ref kind="machines" id={f.member.machine.Uuid}>
              {f.member.machine.Name}
            </Ref>{' '}
            at{' '}
            <Ref kind="jobs" id={f.job.Uuid}>
              {f.job.Task}
            </Ref>
            {f.follows ? <span className={classes.quiet}> · waited for others, most likely a consequence</span> : <Reason job={f.job} />}
          </li>
        ))}
        {list.length > most && <li>{list.length - most} more, in the matrix below</li>}
      </ul>
    </Alert>
  );
}

function Reason({ job }: { job: Job }) {
  const { data } = useQuery({
    queryKey: ['why', job.Uuid, job.State],
    queryFn: async ({ signal }) => {
      const text = await (await send('GET', `/jobs/${job.Uuid}/log`, { signal })).text();
      return text.slice(-20_000).split('\n').map((line, i) => ({ number: i, text: line.replace(/\u001b\[[0-9;]*m/g, '') }));
    },
  });
  const reason = data && why(job, data);
  if (!reason) return null;
  return (
    <div>
      {reason.title}
      {reason.lines.map((l) => (
        <div key={l.number} className={classes.value}>
          {l.text}
        </div>
      ))}
    </div>
  );
}
