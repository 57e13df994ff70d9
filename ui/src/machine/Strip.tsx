import { Tooltip, UnstyledButton } from '@mantine/core';
import { byStage, type StripEntry } from '../lib/taskstrip.ts';
import { duration } from '../lib/time.ts';
import { stateColour } from '../parts/StateBadge.tsx';
import classes from './machine.module.css';

/** The state of an entry in the words of the badges. */
export const stateWord: Record<StripEntry['state'], string> = { done: 'finished', running: 'running', incomplete: 'incomplete', failed: 'failed', waiting: 'idle' };

const say: Record<StripEntry['state'], string> = { done: 'done', running: 'runs', incomplete: 'stopped midway', failed: 'failed', waiting: 'to come' };

export function told(e: StripEntry): string {
  const took = e.seconds === undefined ? '' : ` in ${duration(e.seconds * 1000)}`;
  return `${e.entry}: ${e.next && e.state === 'waiting' ? 'next' : say[e.state]}${took}`;
}

/** The whole task list at a glance, grouped by stage: a box for each entry. */
export function Strip({ entries, stage, onPick }: { entries: readonly StripEntry[]; stage: string; onPick: (index: number) => void }) {
  const groups = byStage(entries);
  return (
    <div className={classes.strip} role="group" aria-label="Task list">
      {groups.map((g) => (
        <div key={g.entries[0].index} className={classes.stage}>
          <span className={classes.stageName}>{g.stage || (groups.length === 1 && stage) || 'before a stage'}</span>
          <span className={classes.boxes}>
            {g.entries.map((e) => (
              <Tooltip key={e.index} label={told(e)}>
                <UnstyledButton
                  className={classes.box}
                  data-state={e.state}
                  data-next={e.next || undefined}
                  style={{ '--box': stateColour(stateWord[e.state]) } as React.CSSProperties}
                  onClick={() => onPick(e.index)}
                  aria-label={told(e)}
                />
              </Tooltip>
            ))}
          </span>
        </div>
      ))}
    </div>
  );
}
