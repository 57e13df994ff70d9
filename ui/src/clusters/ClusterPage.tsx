import { Alert, Button, Loader, Progress, Text } from '@mantine/core';
import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { useParams } from 'wouter';
import { useQueryState } from '../app/router.ts';
import { clusterOf, elections, writes, type Cluster, type Facts } from '../lib/cluster.ts';
import { duration } from '../lib/time.ts';
import { useNow } from '../parts/Ago.tsx';
import { Empty } from '../parts/Empty.tsx';
import { Icon } from '../parts/Icon.tsx';
import { Page } from '../parts/Page.tsx';
import { Problem } from '../parts/Problem.tsx';
import { Ref } from '../parts/Ref.tsx';
import { useFacts } from './facts.ts';
import { Matrix } from './Matrix.tsx';
import { Barriers, Failures, Leadership, LongestWaits } from './Panels.tsx';
import { factsAt, usePast, useProfileHistory, type Past, type Reach } from './past.ts';
import { SharedParams } from './SharedParams.tsx';
import { State } from './State.tsx';
import { LeaderBadge, Tiles } from './Tiles.tsx';
import { Timeline } from './Timeline.tsx';
import classes from './clusters.module.css';

/** A cluster as it is now, or as it was at a revision that stands in the address. */
export default function ClusterPage() {
  const { profile = '' } = useParams<{ profile: string }>();
  const name = decodeURIComponent(profile);
  const { facts, loading, missing, error } = useFacts(name);
  const { at, setAt, move } = useMoment();
  const [reach, setReach] = useQueryState('reach', 'run');
  const history = useProfileHistory(name);
  const { past, problem, loading: reading } = usePast(facts, at !== '', reach as Reach);
  const clock = useNow();

  const moments = at && past ? past.replay.moments : undefined;
  const index = moments?.length ? indexAt(moments, at) : undefined;
  const before = moments !== undefined && moments.length > 0 && Number(at) < moments[0]!.rev;
  useEffect(() => {
    if (before && reach === 'run') setReach('all'); // the moment is older than what was read
  }, [before, reach, setReach]);
  const then = index === undefined ? undefined : moments![index];
  const shown = useMemo<Facts | undefined>(() => {
    if (!facts) return undefined;
    if (then && past) return factsAt(past, facts, then);
    return { ...facts, now: clock };
  }, [facts, past, then, clock]);
  const cluster = useMemo(() => shown && clusterOf(shown), [shown]);
  const names = useMemo(
    (): Pick<Past, 'names' | 'jobs'> => ({ names: new Map(facts?.machines.map((m) => [m.Uuid, m.Name])), jobs: past?.jobs ?? new Map(facts?.jobs.map((j) => [j.Uuid, j])) }),
    [facts, past],
  );
  const goTo = useCallback((rev: number) => setAt(String(rev), { push: at === '' }), [setAt, at]);
  const log = useMemo(() => writes(history.entries, then?.rev), [history.entries, then]);
  const won = useMemo(
    () => (cluster ? elections(history.entries, cluster.leaderParams, cluster.members, shown!.jobs, then?.rev) : []),
    [history.entries, cluster, shown, then],
  );

  if (error) return <Page title={name}><Problem error={error} /></Page>;
  if (missing && !at) return <Page title={name}><Empty title={`There is no profile ${name}`}>A cluster is what machines make that share a profile. <a href="#/clusters">All clusters</a></Empty></Page>;
  if (loading || !facts) return <Page title={name}><Loader /></Page>;
  return (
    <Page
      title={name}
      before={<Icon name={facts.profile.Meta?.icon ?? 'object group'} color={facts.profile.Meta?.color} size="1.4rem" />}
      after={!at && cluster && <State cluster={cluster} now={0} />}
      actions={
        <>
          <Ref kind="profiles" id={name}>
            Edit profile
          </Ref>
          {at === '' && (
            <Button size="xs" variant="default" leftSection={<Icon name="clock rotate left" />} onClick={() => setAt('first', { push: true })}>
              Replay
            </Button>
          )}
        </>
      }
    >
      {at !== '' && problem !== undefined && <Problem error={problem} title="The past cannot be read" />}
      {at !== '' && reading && !past && <Text size="sm"><Loader size="xs" /> Reading history</Text>}
      {at !== '' && past && index === undefined && !reading && (
        <Alert color="yellow" title="Nothing is kept of this time">
          <Button size="xs" variant="default" onClick={() => setAt('')}>Back to live</Button>
        </Alert>
      )}
      {at !== '' && past && index !== undefined && (
        <Timeline past={past} index={index} go={(i) => move(String(moments![i]!.rev))} leave={() => setAt('', { push: true })} reach={reach as Reach} setReach={setReach} />
      )}
      {at !== '' && !cluster && past && <Empty title="The profile did not exist at this moment" />}
      {cluster && (at === '' || then) && (
        <div className={then ? `${classes.body} ${classes.then}` : classes.body} data-moment={then?.rev ?? 'live'}>
          <Body cluster={cluster} shown={shown!} live={!then} names={names} goTo={goTo} past={past}>
            <Leadership cluster={cluster} list={won} names={names} goTo={goTo} />
            <Barriers cluster={cluster} now={shown!.now} waitsKnown={shown!.waits !== undefined} />
            <LongestWaits cluster={cluster} history={history.entries} names={names} />
          </Body>
          <SharedParams params={shown!.profile.Params ?? {}} log={log} names={names} goTo={goTo} past={then !== undefined} />
        </div>
      )}
    </Page>
  );
}

interface BodyProps {
  cluster: Cluster;
  shown: Facts;
  live: boolean;
  names: Pick<Past, 'names' | 'jobs'>;
  goTo: (rev: number) => void;
  past: Past | undefined;
  children: React.ReactNode;
}

function Body({ cluster, shown, live, children }: BodyProps) {
  if (!cluster.members.length) {
    return <Empty title={live ? 'No machine has this profile' : 'No machine had this profile at this moment'}>Add it to machines to make a cluster of them: <a href="#/machines">Machines</a></Empty>;
  }
  return (
    <>
      <Summary cluster={cluster} now={shown.now} live={live} />
      <Failures list={cluster.failures} />
      <Tiles cluster={cluster} />
      <Matrix cluster={cluster} />
      <div className={classes.panels}>{children}</div>
    </>
  );
}

function Summary({ cluster, now, live }: { cluster: Cluster; now: number; live: boolean }) {
  const { members, leaders, done, total, started, ended } = cluster;
  const workflows = [...new Set(members.map((m) => m.machine.Workflow).filter(Boolean))];
  const percent = total ? Math.floor((100 * done) / total) : 0;
  return (
    <dl className={classes.summary} style={{ margin: 0 }}>
      {!live && <Fact name="State"><State cluster={cluster} now={0} /></Fact>}
      <Fact name="Elapsed">{started === undefined ? '–' : duration((ended ?? now) - started)}</Fact>
      <Fact name="Members">{members.length}</Fact>
      <Fact name="Leader">{leaders.length ? leaders.map((l) => l.machine.Name).join(', ') : 'nobody yet'} {leaders.length > 0 && <LeaderBadge />}</Fact>
      <Fact name="Workflow">
        {workflows.length ? workflows.map((w, i) => <span key={w}>{i > 0 && ', '}<Ref kind="workflows" id={w} /></span>) : '–'}
      </Fact>
      <Fact name={`Progress, ${done} of ${total} steps`}>
        <Progress value={percent} w="14rem" maw="60vw" size="lg" color={cluster.state === 'failed' ? 'red' : 'green'} aria-label={`${percent} percent of the steps are done`} />
      </Fact>
    </dl>
  );
}

function Fact({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <div className={classes.fact}>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

const pause = 300; // milliseconds

/**
 * The moment that stands in the address. Who moves through history goes ahead of the address, which
 * follows after a pause: browsers take only so many changes of it.
 */
function useMoment() {
  const [at, write] = useQueryState('at');
  const [ahead, setAhead] = useState<string>();
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const setAt = useCallback(
    (rev: string, how?: { push?: boolean }) => {
      clearTimeout(timer.current);
      setAhead(undefined);
      write(rev, how);
    },
    [write],
  );
  const move = useCallback(
    (rev: string) => {
      setAhead(rev);
      clearTimeout(timer.current);
      timer.current = setTimeout(() => setAt(rev), pause);
    },
    [setAt],
  );
  useEffect(() => () => clearTimeout(timer.current), []);
  useEffect(() => setAhead(undefined), [at]); // by the back button, or since it has followed
  return { at: ahead ?? at, setAt, move };
}

/** The moment of a revision, or the last before it. */
function indexAt(moments: readonly { rev: number }[], at: string): number {
  if (at === 'first') return 0;
  const rev = Number(at);
  let i = moments.findLastIndex((m) => m.rev <= rev);
  if (i < 0) i = 0;
  return i;
}
