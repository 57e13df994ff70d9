import { Button, Group, Modal, Progress, Stack, Text, TextInput } from '@mantine/core';
import { useMediaQuery } from '@mantine/hooks';
import { useEffect, useMemo, useRef, useState } from 'react';
import { ApiError, change as ask, patch } from '../api/client.ts';
import type { Machine } from '../api/types.ts';
import { type Change, type Outcome, type Plan, planFor, runAll, type Step } from '../lib/bulk.ts';
import type { Maybe } from '../lib/json.ts';
import { sortedBy } from '../lib/natural.ts';
import { type Column, DataGrid } from '../parts/DataGrid.tsx';
import { notifyError, Problem } from '../parts/Problem.tsx';
import { StateBadge } from '../parts/StateBadge.tsx';
import { ChangeForm, ready, titles } from './ChangeForm.tsx';
import { readMachines, readParams } from './values.ts';

export type Verb = Change['do'];

/** How many machines are changed at a time. */
const width = 8;

interface Line {
  machine: Machine;
  plan: Plan;
  outcome?: Outcome;
}

interface Props {
  verb: Verb;
  machines: readonly Machine[]; // as they were when the dialog was opened
  byKey: ReadonlyMap<string, Machine>; // as they are now
  close: () => void;
}

/** BulkDialog says what to change, shows what that does to each machine, does it, and shows what became of each. */
export function BulkDialog({ verb, machines: given, byKey, close }: Props) {
  const machines = useMemo(() => sortedBy(given, (m) => m.Name), [given]);
  const [change, setChange] = useState<Partial<Change>>({ do: verb } as Partial<Change>);
  const [outcomes, setOutcomes] = useState<ReadonlyMap<string, Outcome>>();
  const [plans, setPlans] = useState<ReadonlyMap<string, Plan>>(); // of the run
  const [stop, setStop] = useState<AbortController>();
  const [typed, setTyped] = useState('');
  const small = useMediaQuery('(max-width: 48em)');
  const own = useOwn(change, machines);
  const whole = ready(change) ? change : undefined;

  // The preview follows the machines as they change, until it is run.
  const preview = useMemo<Line[]>(
    () => machines.map((m) => {
      const machine = byKey.get(m.Uuid);
      if (!machine) return { machine: m, plan: { says: 'is gone' } };
      return { machine, plan: whole && !own.loading ? planFor(whole, machine, own.values.get(m.Uuid)) : { says: '' } };
    }),
    [machines, byKey, whole, own],
  );
  const lines = useMemo<Line[]>(
    () => (plans && outcomes ? machines.map((m) => ({ machine: byKey.get(m.Uuid) ?? m, plan: plans.get(m.Uuid)!, outcome: outcomes.get(m.Uuid) })) : preview),
    [plans, outcomes, preview, machines, byKey],
  );
  const willChange = lines.filter((l) => l.plan.step);
  const count = (state: Outcome['state']): number => willChange.filter((l) => l.outcome?.state === state).length;
  const running = stop !== undefined;

  const run = async (todo: readonly Line[]): Promise<void> => {
    const controller = new AbortController();
    setStop(controller);
    setPlans(new Map([...(plans ?? lines.map((l) => [l.machine.Uuid, l.plan] as const)), ...todo.map((l) => [l.machine.Uuid, l.plan] as const)]));
    const now = new Map(outcomes ?? []);
    for (const l of todo) {
      if (l.plan.step) now.set(l.machine.Uuid, { state: 'waiting' });
      else now.delete(l.machine.Uuid);
    }
    setOutcomes(new Map(now));
    let drawn = 0;
    const report = (l: Line, o: Outcome): void => {
      now.set(l.machine.Uuid, o);
      if (performance.now() - drawn < 100) return; // not once for each of thousands
      drawn = performance.now();
      setOutcomes(new Map(now));
    };
    await runAll(todo.filter((l) => l.plan.step), width, (l) => perform(l.plan.step!, l.machine.Uuid), report, controller.signal);
    setOutcomes(now);
    setStop(undefined);
  };
  // What failed is planned anew, from the machines as they are by now.
  const again = async (): Promise<void> => {
    if (!whole) return;
    const failed = lines.filter((l) => l.outcome?.state === 'failed' || l.outcome?.state === 'cancelled').map((l) => l.machine);
    try {
      const now = await readMachines(failed.map((m) => m.Uuid));
      const values = 'param' in whole ? await ownValues(whole.param, failed) : noValues;
      const anew = failed.map((m): Line => {
        const machine = now.get(m.Uuid);
        return machine ? { machine, plan: planFor(whole, machine, values.get(m.Uuid)) } : { machine: m, plan: { says: 'is gone' } };
      });
      await run(anew);
    } catch (err) {
      notifyError(err, 'The machines cannot be read');
    }
  };
  const leave = (): void => {
    stop?.abort();
    close();
  };

  const toRetry = count('failed') + count('cancelled');
  const finished = outcomes !== undefined && !running;
  const sure = verb !== 'delete' || typed === String(willChange.length);
  return (
    <Modal opened onClose={leave} title={titles[verb]} size="60rem" fullScreen={small} closeOnClickOutside={!outcomes} closeOnEscape={!running}>
      <Stack gap="sm">
        {!outcomes && <ChangeForm change={change} onChange={setChange} machines={machines} />}
        {own.error !== undefined && <Problem error={own.error} title="The params cannot be read" />}
        {outcomes ? (
          <Results done={count('done')} failed={count('failed')} cancelled={count('cancelled')} of={willChange.length} />
        ) : (
          <Summary lines={lines} asked={Boolean(whole)} loading={own.loading} />
        )}
        {(whole || outcomes) && <Preview lines={lines} />}
        {verb === 'delete' && !outcomes && willChange.length > 0 && (
          <TextInput label={`Deleting cannot be taken back at once. Type ${willChange.length} to delete ${willChange.length === 1 ? 'it' : 'them'}`} inputMode="numeric"
            value={typed} onChange={(e) => setTyped(e.currentTarget.value)} maw={420} />
        )}
        <Group justify="flex-end">
          {running ? (
            <Button variant="default" onClick={() => stop.abort()} disabled={stop.signal.aborted}>Stop</Button>
          ) : (
            <Button variant="default" onClick={leave}>{finished ? 'Close' : 'Cancel'}</Button>
          )}
          {finished && toRetry > 0 && <Button onClick={() => void again()}>{`Try ${toRetry.toLocaleString('en')} again`}</Button>}
          {!outcomes && (
            <Button color={verb === 'delete' ? 'red' : undefined} disabled={!whole || own.loading || willChange.length === 0 || !sure} onClick={() => void run(willChange)}>
              {verb === 'delete' ? 'Delete' : 'Change'} {willChange.length.toLocaleString('en')} {willChange.length === 1 ? 'machine' : 'machines'}
            </Button>
          )}
        </Group>
      </Stack>
    </Modal>
  );
}

async function perform(step: Step, uuid: string): Promise<void> {
  try {
    if ('ops' in step) await patch('machines', uuid, step.ops);
    else await ask(step.method, step.path, { query: step.query, body: step.body });
  } catch (err) {
    throw new Error(words(err));
  }
}

/** words are what the server says, without the patch that it repeats. */
function words(err: unknown): string {
  if (!(err instanceof ApiError)) return (err as Error).message;
  const differs = err.messages.find((m) => m.startsWith('expected '));
  if (differs) return `has changed meanwhile: ${differs}`;
  return err.messages.filter((m) => !m.startsWith('Patch: ')).join('; ') || err.message;
}

function Summary({ lines, asked, loading }: { lines: readonly Line[]; asked: boolean; loading: boolean }) {
  if (!asked) return <Text size="sm">{plural(lines.length)} to change. Say what, and see what it does to each.</Text>;
  if (loading) return <Text size="sm" role="status">Reading the params of {plural(lines.length)} …</Text>;
  const n = lines.filter((l) => l.plan.step).length;
  const rest = lines.length - n;
  return (
    <Text size="sm" role="status">
      <b>{plural(n)} will change</b>{rest > 0 && `, ${rest.toLocaleString('en')} will not`}.
    </Text>
  );
}

const plural = (n: number): string => `${n.toLocaleString('en')} ${n === 1 ? 'machine' : 'machines'}`;

function Results({ done, failed, cancelled, of }: { done: number; failed: number; cancelled: number; of: number }) {
  const part = (n: number): number => (of === 0 ? 0 : (100 * n) / of);
  return (
    <Stack gap={4}>
      <Progress.Root size="md">
        <Progress.Section value={part(done)} color="teal" aria-label="done" />
        <Progress.Section value={part(failed)} color="red" aria-label="failed" />
        <Progress.Section value={part(cancelled)} color="gray" aria-label="not begun" />
      </Progress.Root>
      <Text size="sm" role="status">
        {done.toLocaleString('en')} of {of.toLocaleString('en')} done
        {failed > 0 && <b>, {failed.toLocaleString('en')} failed</b>}
        {cancelled > 0 && `, ${cancelled.toLocaleString('en')} not begun`}
      </Text>
    </Stack>
  );
}

const order: Record<string, number> = { failed: 0, running: 1, cancelled: 2, waiting: 3, done: 4 };

const columns: Column<Line>[] = [
  { id: 'Name', header: 'Machine', width: 200, sort: (l) => l.machine.Name, cell: (l) => l.machine.Name },
  {
    id: 'Plan', header: 'What changes', grow: true, width: 240,
    sort: (l) => (l.plan.step ? 'b' : 'a') + l.plan.says, // exceptions first
    cell: (l) => <Says plan={l.plan} />,
  },
  { id: 'Result', header: 'Result', width: 440, sort: (l) => order[l.outcome?.state ?? ''] ?? 5, cell: (l) => l.outcome && <Result {...l.outcome} /> },
];

function Says({ plan }: { plan: Plan }) {
  const text = plan.step ? plan.says : plan.says && `does not change: ${plan.says}`;
  return <Text span size="sm" c={plan.step ? undefined : 'dimmed'} title={text}>{text}</Text>;
}

function Result({ state, message }: Outcome) {
  return message ? <span title={message}><StateBadge state={badge[state]} iconOnly /> {message}</span> : <StateBadge state={badge[state]} />;
}

const badge: Record<Outcome['state'], string> = { waiting: 'waiting', running: 'running', done: 'done', failed: 'failed', cancelled: 'not begun' };
const planned = columns.slice(0, 2);
const lineKey = (l: Line): string => l.machine.Uuid;

function Preview({ lines }: { lines: readonly Line[] }) {
  const ran = lines.some((l) => l.outcome);
  const [sort, setSort] = useState('Plan');
  useEffect(() => setSort(ran ? 'Result' : 'Plan'), [ran]);
  return <DataGrid key={String(ran)} name={ran ? 'bulk-results' : 'bulk'} label={ran ? 'Results' : 'Preview'} rows={lines} columns={ran ? columns : planned} rowKey={lineKey} sort={sort} onSort={setSort} height="42dvh" bare />;
}

const noValues: ReadonlyMap<string, Maybe> = new Map();

/** useOwn reads the machines' own values of the param that is to change. */
function useOwn(change: Partial<Change>, machines: readonly Machine[]) {
  const param = ('param' in change && change.param) || '';
  const [state, setState] = useState<{ param: string; values: ReadonlyMap<string, Maybe>; error?: unknown }>({ param: '', values: noValues });
  const latest = useRef('');
  useEffect(() => {
    latest.current = param;
    if (!param) return;
    ownValues(param, machines).then(
      (values) => latest.current === param && setState({ param, values }),
      (error: unknown) => latest.current === param && setState({ param, values: noValues, error }),
    );
  }, [param, machines]);
  return useMemo(() => (param ? { values: state.values, error: state.error, loading: state.param !== param } : { values: noValues, loading: false, error: undefined }), [param, state]);
}

async function ownValues(param: string, machines: readonly Machine[]): Promise<ReadonlyMap<string, Maybe>> {
  const found = await readParams([param], machines.map((m) => m.Uuid));
  return new Map([...found].map(([uuid, params]) => [uuid, Object.hasOwn(params, param) ? (params[param] as Maybe) : undefined]));
}
