import { ActionIcon, Anchor, Button, Group, ScrollArea, Select, Tabs, Text, Tooltip } from '@mantine/core';
import { useMemo, useState } from 'react';
import type { Job, Machine } from '../api/types.ts';
import { link, useQueryState } from '../app/router.ts';
import { jobQuery, spans, tabs, type JobFilter } from '../lib/jobs-query.ts';
import { useList, useObjects } from '../live/hooks.ts';
import { Ago, Elapsed } from '../parts/Ago.tsx';
import { DataGrid, type Column } from '../parts/DataGrid.tsx';
import { Icon } from '../parts/Icon.tsx';
import { Page } from '../parts/Page.tsx';
import { notifyDone, notifyError, Problem } from '../parts/Problem.tsx';
import { Ref } from '../parts/Ref.tsx';
import { StateBadge } from '../parts/StateBadge.tsx';
import { Typed } from '../parts/Typed.tsx';
import { retriable, retry, stateOf } from './control.ts';
import classes from './jobs.module.css';
import { openPurge } from './purge.tsx';
import { useCounts } from './useCounts.ts';

const pageSize = 200;

export default function JobsPage() {
  const [state, setState] = useQueryState('state');
  const [machine, setMachine] = useQueryState('machine');
  const [task, setTask] = useQueryState('task');
  const [stage, setStage] = useQueryState('stage');
  const [workflow, setWorkflow] = useQueryState('workflow');
  const [since, setSince] = useQueryState('since');
  const [page, setPage] = useQueryState('page', '1');
  const filter: JobFilter = { state, machine, task, stage, workflow, since };
  const begin = useMemo(() => Date.now(), [since]);
  const offset = (Math.max(1, Number(page) || 1) - 1) * pageSize;
  const query = { ...jobQuery(filter, begin), sort: 'StartTime', reverse: true, limit: pageSize, offset };
  const { items, total, loading, error, refetch } = useList<Job>('jobs', query);
  const counts = useCounts('jobs', tabs.map((t) => jobQuery(filter, begin, t.id)));
  const machines = useObjects<Machine>('machines').byKey;
  const columns = useMemo(() => columnsFor((uuid) => machines.get(uuid)?.Name ?? uuid.slice(0, 8)), [machines]);
  const [selection, setSelection] = useState<ReadonlySet<string>>(new Set());
  const again = items.filter((j) => selection.has(j.Uuid) && retriable(j));
  const filtered = Boolean(machine || task || stage || workflow || since);

  // Another filter begins with its first page.
  const from1 = (set: (v: string) => void) => (v: string) => {
    setPage('1');
    set(v);
  };
  const clear = () => [setMachine, setTask, setStage, setWorkflow, setSince].forEach((set) => from1(set)(''));

  return (
    <Page
      title="Jobs"
      fill
      actions={
        <>
        {again.length > 0 && (
          <Button size="xs" leftSection={<Icon name="redo" />} onClick={() => void retryAll(again).then(() => setSelection(new Set()))}>
            Retry {again.length}
          </Button>
        )}
        <Button size="xs" variant="default" leftSection={<Icon name="trash alternate outline" />} onClick={() => openPurge(machine, refetch)}>
          Purge old jobs
        </Button>
        </>
      }
    >
      <div className={classes.body}>
        <Tabs value={state || 'all'} onChange={(v) => from1(setState)(v === 'all' ? '' : (v ?? ''))}>
          <ScrollArea type="never">
            <Tabs.List style={{ flexWrap: 'nowrap' }}>
              {tabs.map((t, i) => (
                <Tabs.Tab key={t.id} value={t.id || 'all'} title={'hint' in t ? t.hint : undefined} rightSection={<Count n={counts[i]} />}>
                  {t.label}
                </Tabs.Tab>
              ))}
            </Tabs.List>
          </ScrollArea>
        </Tabs>
        {error ? (
          <Problem error={error} retry={refetch} />
        ) : (
          <DataGrid
            name="jobs"
            label="Jobs"
            rows={items}
            columns={columns}
            rowKey={(j) => j.Uuid}
            href={(j) => link('jobs', j.Uuid)}
            inOrder
            pageKeys
            loading={loading}
            total={total}
            selection={selection}
            onSelection={setSelection}
            empty={<Nothing filtered={filtered} clear={clear} />}
            toolbar={
              <div className={classes.filters} role="search" aria-label="Filter jobs">
                <MachineSelect value={machine} onChange={from1(setMachine)} />
                <Typed label="Task contains" placeholder="Task" value={task} onChange={from1(setTask)} />
                <Typed label="Stage contains" placeholder="Stage" value={stage} onChange={from1(setStage)} />
                <Typed label="Workflow contains" placeholder="Workflow" value={workflow} onChange={from1(setWorkflow)} />
                <Select
                  size="xs"
                  aria-label="Since"
                  data={spans.map((s) => ({ value: s.id || 'any', label: s.label }))}
                  value={since || 'any'}
                  onChange={(v) => from1(setSince)(!v || v === 'any' ? '' : v)}
                  allowDeselect={false}
                />
              </div>
            }
          />
        )}
        <Pager page={Number(page) || 1} total={total} setPage={(n) => setPage(String(n), { push: true })} />
      </div>
    </Page>
  );
}

/** Lets each of the machines go on; what fails is told, job by job. */
async function retryAll(jobs: readonly Job[]) {
  const results = await Promise.allSettled(jobs.map(retry));
  results.forEach((r, i) => r.status === 'rejected' && notifyError(r.reason, `${jobs[i].Task} is not done again`));
  const done = results.filter((r) => r.status === 'fulfilled').length;
  if (done > 0) notifyDone(`${done} of ${jobs.length} go on as soon as the runners of their machines ask`);
}

function Nothing({ filtered, clear }: { filtered: boolean; clear: () => void }) {
  if (!filtered) return <>None. A job is made when the runner of a machine asks for the next task of its workflow.</>;
  return (
    <>
      No such jobs.{' '}
      <Anchor component="button" type="button" size="sm" onClick={clear}>
        Clear the filter
      </Anchor>
    </>
  );
}

function Count({ n }: { n: number | undefined }) {
  return n === undefined ? null : (
    <Text span size="xs" c="dimmed">
      {n.toLocaleString('en')}
    </Text>
  );
}

const zero = '00000000-0000-0000-0000-000000000000';

function columnsFor(nameOf: (uuid: string) => string): Column<Job>[] {
  return [
    { id: 'Task', header: 'Task', cell: (j) => j.Task, width: 220, grow: true },
    { id: 'State', header: 'State', cell: (j) => <JobState job={j} />, width: 130 },
    { id: 'Machine', header: 'Machine', cell: (j) => <Ref kind="machines" id={j.Machine}>{nameOf(j.Machine)}</Ref>, width: 220 },
    { id: 'Stage', header: 'Stage', cell: (j) => j.Stage, width: 150 },
    { id: 'Workflow', header: 'Workflow', cell: (j) => j.Workflow, width: 150 },
    { id: 'StartTime', header: 'Started', cell: (j) => <Ago time={j.StartTime} />, width: 110 },
    { id: 'Took', header: 'Took', cell: (j) => <Took job={j} />, width: 110 },
    { id: 'Retry', header: 'Again', cell: (j) => retriable(j) && <RetryButton job={j} machine={nameOf(j.Machine)} />, width: 80 },
    { id: 'Uuid', header: 'UUID', cell: (j) => j.Uuid, width: 290, hidden: true },
    { id: 'Previous', header: 'Previous', cell: (j) => j.Previous !== zero && <Ref kind="jobs" id={j.Previous}>{j.Previous.slice(0, 8)}</Ref>, width: 110, hidden: true },
    { id: 'ExitState', header: 'Exit state', cell: (j) => j.ExitState, width: 110, hidden: true },
    { id: 'EndTime', header: 'Ended', cell: (j) => <Ago time={j.EndTime} />, width: 110, hidden: true },
    { id: 'BootEnv', header: 'Boot environment', cell: (j) => j.BootEnv, width: 150, hidden: true },
    { id: 'Context', header: 'Context', cell: (j) => j.Context, width: 130, hidden: true },
    { id: 'CurrentIndex', header: 'Place in the list', cell: (j) => j.CurrentIndex + 1, width: 120, numeric: true, hidden: true },
  ];
}

function JobState({ job }: { job: Job }) {
  const asked = ['reboot', 'poweroff', 'stop'].includes(job.ExitState) ? `asked for: ${job.ExitState}` : undefined;
  return <StateBadge state={stateOf(job)} title={asked} />;
}

function Took({ job }: { job: Job }) {
  if (job.State === 'created' || job.State === 'incomplete') return '–';
  return <Elapsed start={job.StartTime} end={job.EndTime} />;
}

function RetryButton({ job, machine }: { job: Job; machine: string }) {
  const again = () => retry(job).then(() => notifyDone(`${machine} does ${job.Task} again as soon as its runner asks`), notifyError);
  return (
    <Tooltip label={`Do ${job.Task} again`}>
      <ActionIcon variant="subtle" color="gray" size="sm" aria-label={`Retry ${job.Task} on ${machine}`} onClick={() => void again()}>
        <Icon name="redo" size="0.9em" />
      </ActionIcon>
    </Tooltip>
  );
}

function MachineSelect({ value, onChange }: { value: string; onChange: (v: string) => void }) {
  const { items } = useObjects<Machine>('machines');
  const data = useMemo(() => items.map((m) => ({ value: m.Uuid, label: m.Name })), [items]);
  const known = value === '' || data.some((d) => d.value === value);
  return (
    <Select
      size="xs"
      aria-label="Machine"
      placeholder="Machine"
      data={known ? data : [{ value, label: value.slice(0, 8) }, ...data]}
      value={value || null}
      onChange={(v) => onChange(v ?? '')}
      searchable
      clearable
      clearButtonProps={{ 'aria-label': 'Any machine' }}
      limit={50}
      nothingFoundMessage="No such machine"
    />
  );
}

function Pager({ page, total, setPage }: { page: number; total: number; setPage: (n: number) => void }) {
  const first = (page - 1) * pageSize + 1;
  const last = Math.min(total, page * pageSize);
  if (total <= pageSize) return null;
  return (
    <Group justify="flex-end" gap="xs">
      <Text size="sm" role="status">
        {first.toLocaleString('en')}–{last.toLocaleString('en')} of {total.toLocaleString('en')}
      </Text>
      <ActionIcon variant="default" aria-label="Newer jobs" disabled={page <= 1} onClick={() => setPage(page - 1)}>
        <Icon name="chevron left" />
      </ActionIcon>
      <ActionIcon variant="default" aria-label="Older jobs" disabled={last >= total} onClick={() => setPage(page + 1)}>
        <Icon name="chevron right" />
      </ActionIcon>
    </Group>
  );
}
