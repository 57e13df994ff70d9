import { Alert, Badge, Button, Checkbox, Group, Modal, NumberInput, Select, Stack, TagsInput, Text, TextInput } from '@mantine/core';
import { useState, type FormEvent } from 'react';
import { change, part } from '../api/client.ts';
import type { Machine } from '../api/types.ts';
import { link } from '../app/router.ts';
import type { JsonObject } from '../lib/json.ts';
import { useObjects } from '../live/hooks.ts';
import { DataGrid, type Column } from '../parts/DataGrid.tsx';
import { notifyDone, Problem } from '../parts/Problem.tsx';

const statuses = 'Free InUse Joining Building Destroying Leaving HoldJoin HoldBuild HoldDestroy HoldLeave'.split(' ');

const columns: Column<Machine>[] = [
  { id: 'Name', header: 'Name', cell: (m) => m.Name, sort: (m) => m.Name, width: 240, grow: true },
  { id: 'PoolStatus', header: 'Status', cell: (m) => m.PoolStatus, sort: (m) => m.PoolStatus, width: 120 },
  { id: 'Workflow', header: 'Workflow', cell: (m) => m.Workflow, sort: (m) => m.Workflow, width: 180 },
  { id: 'problem', header: 'Problem', cell: (m) => m.Meta['pool-problem'] ?? '', width: 260 },
];

const verbs = [
  { verb: 'addMachines', label: 'Add', help: 'Takes machines of the parent pool, or of another one, into this pool.' },
  { verb: 'allocateMachines', label: 'Allocate', help: 'Takes free machines into use. Nobody else gets the same ones.' },
  { verb: 'releaseMachines', label: 'Release', help: 'Gives machines in use back to the pool.' },
  { verb: 'removeMachines', label: 'Remove', help: 'Gives machines back to the parent pool.' },
] as const;

type Verb = (typeof verbs)[number];

// PoolMachines is who is in a pool, by status, and what moves them.
export function PoolMachines({ id }: { id: string; object: JsonObject }) {
  const { items, loading } = useObjects<Machine>('machines');
  const [verb, setVerb] = useState<Verb>();
  const [status, setStatus] = useState('');
  const [selection, setSelection] = useState<ReadonlySet<string>>(new Set());
  const [sort, setSort] = useState('Name');
  const here = items.filter((m) => m.Pool === id);
  const shown = here.filter((m) => status === '' || m.PoolStatus === status);
  return (
    <Stack gap="sm">
      <Group gap="xs">
        {verbs.map((v) => <Button key={v.verb} size="xs" variant="default" onClick={() => setVerb(v)}>{v.label} machines</Button>)}
      </Group>
      <Group gap={6} role="group" aria-label="Machines by status">
        {['', ...statuses].map((s) => {
          const n = s === '' ? here.length : here.filter((m) => m.PoolStatus === s).length;
          return n > 0 || s === '' ? (
            <Button key={s} size="compact-sm" variant={status === s ? 'light' : 'default'} aria-pressed={status === s} onClick={() => setStatus(s)} rightSection={<Badge size="xs" variant="light" color={s.startsWith('Hold') ? 'red' : 'gray'}>{n}</Badge>}>
              {s || 'All'}
            </Button>
          ) : null;
        })}
      </Group>
      <DataGrid name="pool-machines" label={`Machines of ${id}`} rows={shown} columns={columns} rowKey={(m) => m.Uuid} href={(m) => link('machines', m.Uuid)} loading={loading} total={here.length}
        empty="No machine is in this pool." height="60vh" sort={sort} onSort={setSort} selection={selection} onSelection={setSelection} />
      {verb && <Move pool={id} verb={verb} chosen={items.filter((m) => selection.has(m.Uuid))} close={() => setVerb(undefined)} />}
    </Stack>
  );
}

interface Result {
  Name: string;
  Uuid: string;
  Status: string;
}

function Move({ pool, verb, chosen, close }: { pool: string; verb: Verb; chosen: Machine[]; close: () => void }) {
  const adds = verb.verb === 'addMachines';
  const pools = useObjects<{ Id: string }>('pools').items.map((p) => p.Id);
  const [these, setThese] = useState(chosen.length > 0 && !adds);
  const [count, setCount] = useState<number | string>(1);
  const [minimum, setMinimum] = useState<number | string>('');
  const [filter, setFilter] = useState<string[]>([]);
  const [wait, setWait] = useState('');
  const [source, setSource] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const submit = async (e: FormEvent) => {
    e.preventDefault();
    setBusy(true);
    setError(undefined);
    try {
      const moved = await change<Result[]>('POST', `/pools/${part(pool)}/${verb.verb}`, {
        query: { 'source-pool': source ?? undefined },
        body: {
          ...(these ? { 'pool/machine-list': chosen.map((m) => m.Uuid) } : { 'pool/count': Number(count), 'pool/minimum': Number(minimum) || 0, 'pool/filter': filter }),
          'pool/wait-timeout': wait,
        },
      });
      notifyDone(moved.map((m) => `${m.Name}: ${m.Status}`).join(', ') || 'No machine was moved', `${verb.label} machines`);
      close();
    } catch (err) {
      setError(err);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Modal opened onClose={close} title={`${verb.label} machines: ${pool}`} closeButtonProps={{ 'aria-label': 'Cancel' }}>
      <form onSubmit={(e) => void submit(e)}>
        <Stack gap="sm">
          <Text size="sm">{verb.help} Either as many as the minimum are moved, or none.</Text>
          {chosen.length > 0 && !adds && <Checkbox label={`The ${chosen.length} selected: ${chosen.slice(0, 4).map((m) => m.Name).join(', ')}${chosen.length > 4 ? ' …' : ''}`} checked={these} onChange={(e) => setThese(e.currentTarget.checked)} />}
          {!these && (
            <>
              {adds && <Select label="From the pool" placeholder="the parent pool" data={[...new Set(['default', ...pools])].filter((p) => p !== pool)} value={source} onChange={setSource} clearable />}
              <Group grow><NumberInput label="How many" value={count} onChange={setCount} min={1} allowDecimal={false} /><NumberInput label="At least" placeholder="all of them" value={minimum} onChange={setMinimum} min={1} allowDecimal={false} /></Group>
              <TagsInput label="Only those with" description="such as Arch=Eq(arm64); Enter adds one" value={filter} onChange={setFilter} />
            </>
          )}
          <TextInput label="Wait" description="how long for enough machines and for their workflows, such as 10m; empty: not at all" value={wait} onChange={(e) => setWait(e.currentTarget.value)} />
          {busy && wait !== '' && <Alert variant="light">The server answers when the workflows have ended.</Alert>}
          {error !== undefined && <Problem error={error} />}
          <Group justify="flex-end"><Button variant="default" onClick={close}>Cancel</Button><Button type="submit" loading={busy}>{verb.label}</Button></Group>
        </Stack>
      </form>
    </Modal>
  );
}
