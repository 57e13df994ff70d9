import { link } from '../app/router.ts';
import { waitWords, type Cluster, type Member } from '../lib/cluster.ts';
import { Icon } from '../parts/Icon.tsx';
import { StateIcon } from '../parts/StateBadge.tsx';
import classes from './clusters.module.css';

/** The machines of a cluster, each by its own icon and colour; who leads stands out, whatever icon it has. */
export function Tiles({ cluster }: { cluster: Cluster }) {
  const many = cluster.members.length > crowd;
  const list = many ? [...cluster.members].sort((a, b) => weight(b) - weight(a)) : cluster.members;
  return (
    <div className={many ? `${classes.tiles} ${classes.many}` : classes.tiles} role="list" aria-label="Members">
      {list.map((m) => (
        <div role="listitem" key={m.machine.Uuid}>
          <Tile member={m} />
        </div>
      ))}
    </div>
  );
}

/** From so many on they scroll in a part of the page, those to look at first. */
const crowd = 30;
const weight = (m: Member) => Number(m.leads) * 2 + Number(m.state === 'failed');

function Tile({ member }: { member: Member }) {
  const { machine: m, leads, roles, state, done, total } = member;
  const { icon = 'server', color } = m.Meta ?? {};
  const others = roles.filter((r) => !leads || r !== 'leader');
  return (
    <a
      className={classes.tile}
      href={link('machines', m.Uuid)}
      data-machine={m.Name}
      data-leader={leads || undefined}
      data-state={state}
      data-icon={icon}
      data-color={color}
    >
      <Icon name={icon} color={color} className={classes.face} />
      <div className={classes.text}>
        <div className={classes.name}>
          <span className={classes.cut} title={m.Name}>
            {m.Name}
          </span>
          {leads && <LeaderBadge />}
        </div>
        <div className={`${classes.doing} ${classes.cut}`} title={waitWords(member) || undefined}>
          <StateIcon state={shape(state)} size="0.9em" /> {doing(member)}
          {others.length > 0 && <span> · {others.join(', ')}</span>}
        </div>
        {total > 0 && (
          <div className={classes.bar} aria-hidden>
            <div style={{ width: `${(100 * done) / total}%` }} />
          </div>
        )}
      </div>
    </a>
  );
}

export function LeaderBadge() {
  return (
    <span className={classes.anchor}>
      <Icon name="anchor" /> leader
    </span>
  );
}

export const shape = (state: string) => ({ stopped: 'not runnable', queued: 'created' })[state] ?? state;

function doing({ state, at, done, total }: Member): string {
  switch (state) {
    case 'idle':
      return 'no tasks';
    case 'done':
      return `done, ${total} of ${total}`;
    default:
      return `${state === 'stopped' ? 'not runnable' : state}${at ? ': ' + at.task : ''}, ${done} of ${total}`;
  }
}
