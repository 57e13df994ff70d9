import { useVirtualizer } from '@tanstack/react-virtual';
import { useRef, useState, type KeyboardEvent } from 'react';
import { link } from '../app/router.ts';
import { waitWords, type Cell, type Cluster, type Column, type Member } from '../lib/cluster.ts';
import { duration } from '../lib/time.ts';
import { StateIcon } from '../parts/StateBadge.tsx';
import { LeaderBadge } from './Tiles.tsx';
import classes from './clusters.module.css';

const words: Record<Cell['state'], string> = {
  none: 'not in its list', ahead: 'to come', queued: 'waits for its runner', running: 'running', waiting: 'waiting for others', paused: 'paused', failed: 'failed', done: 'done', skipped: 'passed over',
};
const shapes: Partial<Record<Cell['state'], string>> = { queued: 'created', running: 'running', waiting: 'waiting', paused: 'incomplete', failed: 'failed', done: 'finished' };
const rowHeight = 34; // pixels

/** Every step of every machine. Cells fill in as they come; each leads to its job. */
export function Matrix({ cluster }: { cluster: Cluster }) {
  const { members, columns } = cluster;
  const scroll = useRef<HTMLDivElement>(null);
  const [here, setHere] = useState<[number, number]>([0, 0]);
  const rows = useVirtualizer({ count: members.length, getScrollElement: () => scroll.current, estimateSize: () => rowHeight, overscan: 12 });
  if (!columns.length) return null;

  const go = (e: KeyboardEvent) => {
    const step = ({ ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], Home: [0, -Infinity], End: [0, Infinity] } as Record<string, [number, number]>)[e.key];
    if (!step) return;
    e.preventDefault();
    const row = clamp(here[0] + step[0], members.length);
    const column = clamp(here[1] + step[1], columns.length);
    setHere([row, column]);
    rows.scrollToIndex(row);
    requestAnimationFrame(() => scroll.current?.querySelector<HTMLElement>(`[data-at="${row},${column}"]`)?.focus());
  };

  const shown = rows.getVirtualItems();
  const groups = stages(columns);
  const plain = groups.every(([stage, n, i]) => n === 1 && stage === columns[i]!.task); // the names of stages would say nothing new
  const heads = columns.map((c) => (
    <th key={c.id} scope="col">
      {c.task}
    </th>
  ));
  const before = shown[0]?.start ?? 0;
  const after = rows.getTotalSize() - (shown.at(-1)?.end ?? 0);
  return (
    <div className={classes.scroll} ref={scroll} onKeyDown={go}>
      <table className={classes.matrix} role="grid" aria-label="Steps by machine" aria-rowcount={members.length + 2} aria-colcount={columns.length + 1}>
        <thead>
          <tr>
            <th className={classes.first} scope="col" rowSpan={plain ? 1 : 2}>
              Machine
            </th>
            {plain
              ? heads
              : groups.map(([stage, n, i]) => (
                  <th key={i} scope="colgroup" colSpan={n}>
                    {stage || 'no stage'}
                  </th>
                ))}
          </tr>
          {!plain && <tr>{heads}</tr>}
        </thead>
        <tbody>
          {before > 0 && <tr aria-hidden style={{ height: before }} />}
          {shown.map(({ index }) => (
            <Row key={members[index]!.machine.Uuid} member={members[index]!} columns={columns} row={index} here={here} enter={setHere} />
          ))}
          {after > 0 && <tr aria-hidden style={{ height: after }} />}
        </tbody>
      </table>
    </div>
  );
}

const clamp = (n: number, count: number) => Math.min(Math.max(n, 0), count - 1);

/** Columns that follow each other in the same stage stand below one head. */
function stages(columns: readonly Column[]): [string, number, number][] {
  const groups: [string, number, number][] = [];
  columns.forEach(({ stage }, i) => {
    const last = groups.at(-1);
    if (last && last[0] === stage) last[1]++;
    else groups.push([stage, 1, i]);
  });
  return groups;
}

interface RowProps {
  member: Member;
  columns: readonly Column[];
  row: number;
  here: [number, number];
  enter: (at: [number, number]) => void;
}

function Row({ member, columns, row, here, enter }: RowProps) {
  return (
    <tr aria-rowindex={row + 3}>
      <th className={classes.first} scope="row">
        <span className={classes.name}>
          <span className={classes.cut} title={member.machine.Name}>
            {member.machine.Name}
          </span>
          {member.leads && <LeaderBadge />}
        </span>
      </th>
      {member.cells.map((cell, i) => {
        const text = `${member.machine.Name}, ${columns[i]!.task}: ${[words[cell.state], time(cell), cell.state === 'waiting' && waitWords(member)].filter(Boolean).join(', ')}`;
        const of = {
          className: classes.cell, 'data-state': cell.state, 'data-at': `${row},${i}`, title: text, 'aria-label': text,
          tabIndex: here[0] === row && here[1] === i ? 0 : -1, onFocus: () => (here[0] !== row || here[1] !== i) && enter([row, i]),
        };
        return (
          <td key={columns[i]!.id} role="gridcell">
            {cell.job ? (
              <a {...of} href={link('jobs', cell.job.Uuid)} data-job={cell.job.Uuid}>
                <Inside cell={cell} />
              </a>
            ) : (
              <div {...of} role="img">
                <Inside cell={cell} />
              </div>
            )}
          </td>
        );
      })}
    </tr>
  );
}

/** How long it took; what goes on is counted in seconds. */
function time({ state, took }: Cell): string {
  if (took === undefined || state === 'queued') return '';
  const over = state !== 'running' && state !== 'waiting';
  return over || took >= 1000 ? duration(over ? took : Math.floor(took / 1000) * 1000) : '';
}

function Inside({ cell }: { cell: Cell }) {
  const icon = shapes[cell.state];
  return (
    <>
      {icon && <StateIcon state={icon} />}
      <span className={classes.quiet} aria-hidden>
        {cell.state === 'ahead' ? '·' : cell.state === 'skipped' ? 'passed over' : time(cell)}
      </span>
    </>
  );
}
