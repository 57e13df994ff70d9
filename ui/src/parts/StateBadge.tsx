import { Icon } from './Icon';
import classes from './StateBadge.module.css';

// Each state has a shape of its own, so that its colour says nothing alone.
const icons: Record<string, string> = {
  // jobs
  created: 'clock outline',
  running: 'circle play',
  incomplete: 'circle pause',
  finished: 'circle check',
  failed: 'circle xmark',
  cancelled: 'circle stop',
  // machines
  'not runnable': 'ban',
  waiting: 'hourglass half',
  done: 'circle check',
  idle: 'circle outline',
  locked: 'lock',
};

/** The colour of a state in the theme of the page, for whatever else shows it. */
export const stateColour = (state: string): string => `var(--state-${state.replaceAll(' ', '-')}, var(--state-idle))`;

interface Props {
  /** of a job, or of a machine as lib/machine-state tells it; any other text is shown as it is */
  state: string;
  /** how many are in it */
  count?: number;
  /** only the icon is seen; the word is its label */
  iconOnly?: boolean;
  title?: string;
}

/** A state: shape, colour and word. */
export function StateBadge({ state, count, iconOnly, title }: Props) {
  return (
    <span className={classes.badge} title={title}>
      <StateIcon state={state} label={iconOnly ? state : undefined} />
      {count !== undefined && <b>{count.toLocaleString('en')}</b>}
      {!iconOnly && <span>{state}</span>}
    </span>
  );
}

/** The shape of a state in its colour. */
export function StateIcon({ state, label, size }: { state: string; label?: string; size?: string }) {
  return (
    <span className={classes.shape} style={{ color: stateColour(state) }}>
      <Icon name={icons[state] ?? 'circle question'} label={label} size={size} />
    </span>
  );
}
