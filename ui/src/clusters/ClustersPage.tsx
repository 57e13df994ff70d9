import { Anchor, Loader, Progress, Table } from '@mantine/core';
import { useMemo } from 'react';
import type { Job, Machine, Param, Profile, Task } from '../api/types.ts';
import { clusterOf, isCluster, type Cluster } from '../lib/cluster.ts';
import { useCurrentJobs } from '../live/fleet.ts';
import { useObjects } from '../live/hooks.ts';
import { Empty } from '../parts/Empty.tsx';
import { Icon } from '../parts/Icon.tsx';
import { Page } from '../parts/Page.tsx';
import { Problem } from '../parts/Problem.tsx';
import { LeaderBadge } from './Tiles.tsx';
import { holders, useDefinitions } from './facts.ts';
import { State } from './State.tsx';
import classes from './clusters.module.css';

const order: Cluster['state'][] = ['failed', 'stopped', 'election', 'working', 'done', 'idle', 'empty'];

/** All clusters: those that have failed first. */
export default function ClustersPage() {
  const profiles = useObjects<Profile>('profiles');
  const machines = useObjects<Machine>('machines');
  const { tasks, params } = useDefinitions();
  const jobs = useCurrentJobs();
  const list = useMemo(() => clustersOf(profiles.items, machines.items, jobs, tasks, params), [profiles.items, machines.items, jobs, tasks, params]);
  const error = profiles.error ?? machines.error;
  return (
    <Page title="Clusters" after={list.length > 0 && <span>{list.length}</span>}>
      {error && <Problem error={error} />}
      {!error && (profiles.loading || machines.loading) && <Loader />}
      {!error && !profiles.loading && !machines.loading && list.length === 0 && (
        <Empty title="There are no clusters yet">
          Give a profile its own name in the param cluster/profile, and add it to machines. What they share, and who leads them, is then shown here.
        </Empty>
      )}
      {list.length > 0 && (
        <div className={classes.wide}>
          <Table className={classes.clusters}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Cluster</Table.Th>
                <Table.Th>State</Table.Th>
                <Table.Th>Leader</Table.Th>
                <Table.Th>Progress</Table.Th>
                <Table.Th>Members</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {list.map(({ profile, cluster }) => (
                <Table.Tr key={profile.Name}>
                  <Table.Td>
                    <Icon name={profile.Meta?.icon ?? 'object group'} color={profile.Meta?.color} />{' '}
                    <Anchor size="sm" href={`#/clusters/${encodeURIComponent(profile.Name)}`}>
                      {profile.Name}
                    </Anchor>
                  </Table.Td>
                  <Table.Td>
                    <State cluster={cluster} now={0} />
                  </Table.Td>
                  <Table.Td>
                    {cluster.leaders.length ? (
                      <>
                        {cluster.leaders.map((l) => l.machine.Name).join(', ')} <LeaderBadge />
                      </>
                    ) : (
                      'no leader yet'
                    )}
                  </Table.Td>
                  <Table.Td>
                    {cluster.total > 0 ? (
                      <>
                        <span className={classes.quiet}>
                          {cluster.done} of {cluster.total}
                        </span>
                        <Progress value={(100 * cluster.done) / cluster.total} color={cluster.state === 'failed' ? 'red' : 'green'} w="8rem" aria-label={`${cluster.done} of ${cluster.total} steps of ${profile.Name} are done`} />
                      </>
                    ) : (
                      '–'
                    )}
                  </Table.Td>
                  <Table.Td>
                    {cluster.members.length}{' '}
                    <span aria-hidden>
                      {cluster.members.slice(0, 20).map((m) => (
                        <Icon key={m.machine.Uuid} name={m.machine.Meta?.icon ?? 'server'} color={m.machine.Meta?.color} />
                      ))}
                    </span>
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </div>
      )}
    </Page>
  );
}

function clustersOf(profiles: readonly Profile[], machines: readonly Machine[], jobs: ReadonlyMap<string, Job>, tasks: ReadonlyMap<string, Task>, params: ReadonlyMap<string, Param>) {
  const byProfile = new Map<string, Machine[]>();
  for (const m of machines) for (const p of m.Profiles ?? []) byProfile.set(p, [...(byProfile.get(p) ?? []), m]);
  return profiles
    .map((profile) => ({ profile, members: [...new Set([...holders(profile.Name, profiles)].flatMap((p) => byProfile.get(p) ?? []))] }))
    .filter(({ profile, members }) => isCluster(profile, members.length))
    .map(({ profile, members }) => ({
      profile,
      cluster: clusterOf({ profile, machines: members, jobs: members.flatMap((m) => jobs.get(m.Uuid) ?? []), tasks, params, now: 0 }),
    }))
    .sort((a, b) => order.indexOf(a.cluster.state) - order.indexOf(b.cluster.state) || a.profile.Name.localeCompare(b.profile.Name, 'en', { numeric: true }));
}
