import type { Machine } from '../api/types.ts';
import { currentTask, machineStates, meaning, progress, type MachineState } from '../lib/machine-state.ts';
import type { SortKey } from '../lib/natural.ts';
import type { Column } from '../parts/DataGrid.tsx';
import { Icon } from '../parts/Icon.tsx';
import { StateBadge } from '../parts/StateBadge.tsx';
import { addressOrder } from '../lib/match.ts';
import classes from './machines.module.css';
import type { Effective } from './values.ts';

type State = (m: Machine) => MachineState;

const text = (id: string, header: string, read: (m: Machine) => string, more: Partial<Column<Machine>> = {}): Column<Machine> => ({
  id, header, sort: read, cell: (m) => <span title={read(m)}>{read(m)}</span>, ...more,
});

/** machineColumns are the fields of a machine that a table can show. */
export const machineColumns = (state: State): Column<Machine>[] => [
  name,
  { id: 'State', header: 'State', width: 130, sort: (m) => machineStates.indexOf(state(m)), cell: (m) => <StateBadge state={state(m)} title={meaning[state(m)]} /> },
  ...others,
];

// Those that no job changes are always the same, so that rows need not be drawn anew.
const name: Column<Machine> = { id: 'Name', header: 'Name', width: 230, sort: (m) => m.Name, cell: (m) => <Named machine={m} /> };
const others: Column<Machine>[] = [
  { id: 'Address', header: 'Address', width: 125, sort: (m) => addressOrder(m.Address) ?? '', cell: (m) => m.Address },
  { id: 'Workflow', header: 'Workflow', width: 230, sort: (m) => m.Workflow, cell: (m) => <Progress machine={m} /> },
  text('Stage', 'Stage', (m) => m.Stage, { width: 130 }),
  text('Profiles', 'Profiles', (m) => m.Profiles.join(', '), { width: 160 }),
  text('Pool', 'Pool', (m) => m.Pool, { width: 100 }),
  text('Description', 'Description', (m) => m.Description, { grow: true, width: 140 }),
  text('Task', 'Current task', (m) => currentTask(m) ?? '', { hidden: true }),
  { id: 'Runnable', header: 'Runnable', width: 90, hidden: true, sort: (m) => m.Runnable, cell: (m) => (m.Runnable ? 'yes' : 'no') },
  text('BootEnv', 'Boot environment', (m) => m.BootEnv, { hidden: true }),
  text('PoolStatus', 'Pool status', (m) => m.PoolStatus, { hidden: true, width: 110 }),
  { id: 'Locked', header: 'Locked', width: 80, hidden: true, sort: (m) => m.Locked, cell: (m) => (m.Locked ? 'yes' : 'no') },
  text('OS', 'OS', (m) => m.OS, { hidden: true }),
  text('Arch', 'Architecture', (m) => m.Arch, { hidden: true, width: 100 }),
  text('Context', 'Context', (m) => m.Context, { hidden: true }),
  text('HardwareAddrs', 'MAC addresses', (m) => m.HardwareAddrs.join(', '), { hidden: true, width: 160 }),
  text('Errors', 'Errors', (m) => m.Errors.join('; '), { hidden: true, width: 240 }),
  text('Uuid', 'UUID', (m) => m.Uuid, { hidden: true, width: 310 }),
];

/** Column ids of params, as they stand in the address: param:NAME. */
export const paramColumn = 'param:';

export const paramColumns = (names: readonly string[], effective: Effective): Column<Machine>[] =>
  names.map((name) => ({
    id: paramColumn + name, header: name, hidden: true, group: 'Params', width: 150,
    sort: (m) => sortKey(effective.value(m.Uuid, name)),
    cell: (m) => {
      const shown = paramText(effective.value(m.Uuid, name));
      return <span title={shown}>{shown}</span>;
    },
  }));

const sortKey = (v: unknown): SortKey => (typeof v === 'number' || typeof v === 'boolean' ? v : paramText(v));

export function paramText(v: unknown): string {
  if (v === undefined) return '';
  if (typeof v === 'string') return v;
  if (v !== null && typeof v === 'object' && 'Payload' in v && 'Nonce' in v) return '(sealed)';
  return JSON.stringify(v);
}

function Named({ machine: m }: { machine: Machine }) {
  return (
    <span className={classes.named}>
      <Icon name={m.Meta.icon || 'server'} color={m.Meta.color} />
      <span className={classes.name} title={m.Name}>{m.Name}</span>
      {m.Locked && <Icon name="lock" label="locked" />}
      {!m.Available && <Icon name="triangle exclamation" label="not available" />}
    </span>
  );
}

function Progress({ machine: m }: { machine: Machine }) {
  const { done, total } = progress(m);
  if (!m.Workflow && total === 0) return '';
  return (
    <span className={classes.progress} title={currentTask(m) && `at ${currentTask(m)}`}>
      <span className={classes.name}>{m.Workflow || 'no workflow'}</span>
      {total > 0 && (
        <>
          <span className={classes.bar} aria-hidden="true"><span style={{ width: `${(100 * done) / total}%` }} /></span>
          <span className={classes.steps}>{done}/{total}</span>
        </>
      )}
    </span>
  );
}
