import { memo, useEffect, useRef } from 'react';
import { link } from '../app/router.ts';
import type { Machine } from '../api/types.ts';
import { currentTask, type MachineState, progress } from '../lib/machine-state.ts';
import { Icon } from '../parts/Icon.tsx';
import { stateColour, StateIcon } from '../parts/StateBadge.tsx';
import classes from './Wall.module.css';

export type Size = 's' | 'm' | 'l';

export interface WallTile {
  machine: Machine;
  state: MachineState;
}

interface Props extends WallTile {
  size: Size;
  domain: string; // what all names end with is not shown
  spot: string; // where it stands: group and machine
  active: boolean; // the one that the tab key reaches
  selected: boolean;
}

/** One machine: its icon in its colour, and what it is doing as shape, bar and words. */
export const Tile = memo(function Tile({ machine, state, size, domain, spot, active, selected }: Props) {
  const ref = useFlash(machine, state);
  const { done, total } = progress(machine);
  const quiet = state === 'done' || state === 'idle';
  return (
    <div role="gridcell" aria-selected={selected} className={classes.cell}>
      <a
        ref={ref}
        className={classes.tile}
        href={link('machines', machine.Uuid)}
        tabIndex={active ? 0 : -1}
        aria-label={size === 's' ? describe({ machine, state }) : undefined}
        data-spot={spot}
        data-uuid={machine.Uuid}
        data-state={state}
        style={{ '--state': stateColour(state) } as React.CSSProperties}
      >
        <Icon name={machine.Meta.icon || 'server'} color={machine.Meta.color} className={classes.icon} />
        {size === 's' ? (
          <>
            {!quiet && <StateIcon state={state} />}
            {machine.Locked && <StateIcon state="locked" />}
          </>
        ) : (
          <span className={classes.text}>
            <span className={classes.name}>{machine.Name.slice(0, machine.Name.length - domain.length)}</span>
            {size === 'l' && <span className={classes.task}>{taskLine(machine)}</span>}
            <span className={classes.foot}>
              <StateIcon state={state} label={size === 'm' ? state : undefined} />
              {machine.Locked && <StateIcon state="locked" label="locked" />}
              {size === 'l' && <span>{state}</span>}
              {total > 0 && (
                <>
                  <span className={classes.bar}>
                    <span style={{ transform: `scaleX(${done / total})` }} />
                  </span>
                  <span className={classes.count}>
                    {done}/{total}
                  </span>
                </>
              )}
            </span>
          </span>
        )}
      </a>
    </div>
  );
});

const taskLine = (m: Machine) => currentTask(m) ?? (m.Stage === 'none' ? '' : m.Stage);

/** A small tile in words. */
function describe({ machine, state }: WallTile): string {
  const { done, total } = progress(machine);
  const words = [machine.Name, state];
  if (machine.Locked) words.push('locked');
  if (total) words.push(`${done} of ${total} tasks done`);
  const task = currentTask(machine);
  if (task) words.push(`at ${task}`);
  return words.join(', ');
}

const calm = matchMedia('(prefers-reduced-motion: reduce)');

/** Lights an element up for a moment when what it shows has changed. */
function useFlash(machine: Machine, state: MachineState) {
  const ref = useRef<HTMLAnchorElement>(null);
  const before = useRef({ machine, state });
  useEffect(() => {
    const was = before.current;
    before.current = { machine, state };
    if (was.machine.Uuid !== machine.Uuid || (was.machine === machine && was.state === state) || calm.matches) return;
    ref.current?.animate({ backgroundColor: ['var(--flash)', 'var(--tile)'], borderColor: ['var(--state)', 'var(--edge)'] }, { duration: 900, easing: 'ease-out' });
  }, [machine, state]);
  return ref;
}
