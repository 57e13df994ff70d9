import { Group, Portal, Text } from '@mantine/core';
import { currentTask, meaning, progress } from '../lib/machine-state.ts';
import { useCurrentJobs } from '../live/fleet.ts';
import { Elapsed } from '../parts/Ago.tsx';
import { Icon } from '../parts/Icon.tsx';
import { StateBadge } from '../parts/StateBadge.tsx';
import type { WallTile } from './Tile.tsx';
import classes from './Wall.module.css';

/** Details of the machine under the pointer or the focus, beside its tile. */
export function TileCard({ tile: { machine: m, state }, at }: { tile: WallTile; at: DOMRect }) {
  const job = useCurrentJobs().get(m.Uuid);
  const { done, total } = progress(m);
  const task = currentTask(m);
  const below = at.bottom < innerHeight * 0.6;
  const facts: [string, React.ReactNode][] = [
    ['Workflow', m.Workflow],
    ['Stage', m.Stage],
    ['Task', task && `${task} (${Math.min(done + 1, total)} of ${total})`],
    ['Job', job && job.State !== 'failed' ? <>{job.State} for <Elapsed start={job.StartTime} /></> : ''],
    ['Address', m.Address],
    ['Profiles', m.Profiles.join(', ')],
    ['Pool', m.Pool === 'default' ? '' : m.Pool],
    ['About', m.Description],
  ];
  return (
    <Portal>
      <div
        className={classes.card}
        aria-hidden // the tile says the same
        style={{
          left: Math.max(8, Math.min(at.left, innerWidth - 328)),
          ...(below ? { top: at.bottom + 6 } : { bottom: innerHeight - at.top + 6 }),
        }}
      >
        <Group gap="xs" wrap="nowrap">
          <Icon name={m.Meta.icon || 'server'} color={m.Meta.color} size="1.4em" />
          <Text fw={600} size="sm" style={{ overflowWrap: 'anywhere' }}>
            {m.Name}
          </Text>
        </Group>
        <Group gap="sm" mt={4}>
          <StateBadge state={state} />
          {m.Locked && <StateBadge state="locked" />}
        </Group>
        <Text size="xs" c="dimmed">
          {meaning[state]}
        </Text>
        <dl>
          {facts
            .filter(([, value]) => value)
            .map(([name, value]) => (
              <div key={name} style={{ display: 'contents' }}>
                <dt>{name}</dt>
                <dd>{value}</dd>
              </div>
            ))}
        </dl>
      </div>
    </Portal>
  );
}
