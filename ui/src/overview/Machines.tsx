import { Anchor, Text } from '@mantine/core';
import type { Machine, Profile } from '../api/types.ts';
import { namesItself, roleOf } from '../lib/cluster.ts';
import { countStates, currentTask, machineStates, meaning, progress } from '../lib/machine-state.ts';
import { naturalKey } from '../lib/natural.ts';
import type { Fleet } from '../live/fleet.ts';
import { useObjects } from '../live/hooks.ts';
import { Elapsed } from '../parts/Ago.tsx';
import { Icon } from '../parts/Icon.tsx';
import { Ref } from '../parts/Ref.tsx';
import { stateColour, StateBadge, StateIcon } from '../parts/StateBadge.tsx';
import { Card } from './Card.tsx';
import classes from './Overview.module.css';

/** How many machines are in each state. */
export function States({ fleet }: { fleet: Fleet }) {
  const counts = new Map(countStates(fleet.items.map(fleet.state)));
  const locked = fleet.items.filter((m) => m.Locked).length;
  const unsound = fleet.items.filter((m) => !m.Available).length;
  const all = fleet.items.length;
  return (
    <Card title={`${all.toLocaleString('en')} machine${all === 1 ? '' : 's'}`} more={{ href: '#/wall', label: 'Wall' }}>
      <ul className={classes.bars}>
        {machineStates
          .filter((s) => counts.get(s) || s === 'failed' || s === 'running')
          .map((state) => (
            <Bar key={state} state={state} n={counts.get(state) ?? 0} of={all} title={meaning[state]} href={`#/wall?state=${encodeURIComponent(state)}`} />
          ))}
        {locked > 0 && <Bar state="locked" n={locked} of={all} title="refuse all changes but the one that unlocks" href="#/wall?state=locked" />}
      </ul>
      {unsound > 0 && (
        <Text size="sm" mt="xs">
          <StateIcon state="waiting" label="attention" /> <Anchor href={`#/machines?filter=${encodeURIComponent('Available=false')}`}>{unsound.toLocaleString('en')} not available</Anchor>: they refer to
          something that is not there
        </Text>
      )}
    </Card>
  );
}

function Bar({ state, n, of, title, href }: { state: string; n: number; of: number; title: string; href: string }) {
  return (
    <li>
      <a href={href} title={title} className={classes.stateLine}>
        <StateBadge state={state} />
        <span className={classes.track}>
          <span style={{ width: `${of ? (n / of) * 100 : 0}%`, background: stateColour(state) }} />
        </span>
        <b>{n.toLocaleString('en')}</b>
      </a>
    </li>
  );
}

const most = 8;

/** Machines that are at a task now, those furthest first. */
export function ComingUp({ fleet }: { fleet: Fleet }) {
  const running = fleet.items.filter((m) => fleet.state(m) === 'running');
  const share = (m: Machine) => progress(m).done / Math.max(progress(m).total, 1);
  const shown = running.sort((a, b) => share(b) - share(a) || (naturalKey(a.Name) < naturalKey(b.Name) ? -1 : 1)).slice(0, most);
  return (
    <Card title="Coming up now" more={running.length ? { href: '#/wall?state=running&size=l', label: running.length > most ? `All ${running.length.toLocaleString('en')}` : 'Wall' } : undefined}>
      {shown.length === 0 ? (
        <Text size="sm" c="dimmed">
          No machine is at work.
        </Text>
      ) : (
        <ul className={classes.running}>
          {shown.map((m) => {
            const { done, total } = progress(m);
            return (
              <li key={m.Uuid}>
                <Icon name={m.Meta.icon || 'server'} color={m.Meta.color} />
                <span className={classes.name}>
                  <Ref kind="machines" id={m.Uuid}>
                    {m.Name}
                  </Ref>
                </span>
                <span className={classes.task}>{currentTask(m)}</span>
                <span className={classes.quiet}>
                  <Elapsed start={fleet.jobs.get(m.Uuid)?.StartTime} />
                </span>
                <span className={classes.track}>
                  <span style={{ width: `${(done / Math.max(total, 1)) * 100}%`, background: stateColour('running') }} />
                </span>
                <span className={classes.quiet}>
                  {done}/{total}
                </span>
              </li>
            );
          })}
        </ul>
      )}
    </Card>
  );
}

interface Shared {
  profile: Profile;
  members: Machine[];
  leaders: Machine[];
}

/** The clusters there are, with who is in them and who leads them. */
export function useClusters(fleet: Fleet): Shared[] {
  const { items: profiles } = useObjects<Profile>('profiles');
  return profiles.filter(namesItself).map((profile) => {
    const members = fleet.items.filter((m) => m.Profiles.includes(profile.Name));
    return { profile, members, leaders: leadersOf(profile, members) };
  });
}

/** Clusters, each with who leads it. */
export function Clusters({ clusters, state }: { clusters: Shared[]; state: Fleet['state'] }) {
  if (clusters.length === 0) return null;
  return (
    <Card title={clusters.length === 1 ? '1 cluster' : `${clusters.length.toLocaleString('en')} clusters`} more={{ href: '#/clusters', label: 'Clusters' }}>
      <ul className={classes.clusters}>
        {clusters.slice(0, most).map(({ profile, members, leaders }) => (
          <li key={profile.Name}>
            <span className={classes.name}>
              <Anchor size="sm" href={`#/clusters/${encodeURIComponent(profile.Name)}`}>
                {profile.Name}
              </Anchor>
            </span>
            <span className={classes.leader}>
              {leaders.length === 0 ? (
                <span className={classes.quiet}>no leader</span>
              ) : (
                leaders.slice(0, 3).map((m) => (
                  <span key={m.Uuid}>
                    <Icon name={m.Meta.icon || 'anchor'} color={m.Meta.color} label="leader" />{' '}
                    <Ref kind="machines" id={m.Uuid}>
                      {m.Name}
                    </Ref>
                  </span>
                ))
              )}
            </span>
            <span className={classes.counts}>
              {countStates(members.map(state)).map(([state, n]) => (
                <StateBadge key={state} state={state} count={n} iconOnly title={`${n} ${state}`} />
              ))}
            </span>
          </li>
        ))}
      </ul>
    </Card>
  );
}

/** Members that a param named after leading names by UUID or by name. */
function leadersOf(p: Profile, members: Machine[]): Machine[] {
  const named = Object.entries(p.Params ?? {})
    .filter(([name]) => roleOf(name))
    .flatMap(([, v]) => (Array.isArray(v) ? v : [v]));
  return members.filter((m) => named.some((v) => v === m.Uuid || v === m.Name));
}
