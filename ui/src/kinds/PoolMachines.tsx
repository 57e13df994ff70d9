import { Alert, Badge, Button, Checkbox, Fieldset, Group, Modal, NumberInput, Select, Stack, TagsInput, Text, TextInput } from '@mantine/core';
import { useState, type FormEvent } from 'react';
import { change, part } from '../api/client.ts';
import type { Machine } from '../api/types.ts';
import { link } from '../app/router.ts';
import type { JsonObject } from '../lib/json.ts';
import { useObjects } from '../live/hooks.ts';
import { DataGrid, type Column } from '../parts/DataGrid.tsx';
import { notifyDone, Problem } from '../parts/Problem.tsx';
import { ParamsForm } from './ParamsForm.tsx';

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

const nothing = { workflow: null as string | null, add: [] as string[], remove: [] as string[], without: [] as string[], params: {} as JsonObject };

interface Result {
  Name: string;
  Uuid: string;
  Status: string;
}

function Move({ pool, verb, chosen, close }: { pool: string; verb: Verb; chosen: Machine[]; close: () => void }) {
  const adds = verb.verb === 'addMachines';
  const pools = [...useObjects<{ Id: string }>('pools').items.map((p) => p.Id), ...useObjects<Machine>('machines').items.map((m) => m.Pool)];
  const [these, setThese] = useState(chosen.length > 0 && !adds);
  const [count, setCount] = useState<number | string>(1);
  const [minimum, setMinimum] = useState<number | string>('');
  const [filter, setFilter] = useState<string[]>([]);
  const [all, setAll] = useState(false);
  const [wait, setWait] = useState('');
  const [besides, setBesides] = useState(nothing);
  const workflows = useObjects<{ Name: string }>('workflows').items.map((w) => w.Name);
  const profiles = useObjects<{ Name: string }>('profiles').items.map((p) => p.Name);
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
          ...(these ? { 'pool/machine-list': chosen.map((m) => m.Uuid) } : { ...(all ? { 'pool/all-machines': true } : { 'pool/count': Number(count), 'pool/minimum': Number(minimum) || 0 }), 'pool/filter': filter }),
          ...(besides.workflow && { 'pool/workflow': besides.workflow }),
          ...(besides.add.length > 0 && { 'pool/add-profiles': besides.add }),
          ...(besides.remove.length > 0 && { 'pool/remove-profiles': besides.remove }),
          ...(Object.keys(besides.params).length > 0 && { 'pool/add-parameters': besides.params }),
          ...(besides.without.length > 0 && { 'pool/remove-parameters': besides.without }),
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
      <Stack gap="sm">
        <Stack gap="sm" component="form" id="move-machines" onSubmit={(e) => void submit(e)}>
          <Text size="sm">{verb.help} Either as many as the minimum are moved, or none.</Text>
          {chosen.length > 0 && !adds && <Checkbox label={`The ${chosen.length} selected: ${chosen.slice(0, 4).map((m) => m.Name).join(', ')}${chosen.length > 4 ? ' …' : ''}`} checked={these} onChange={(e) => setThese(e.currentTarget.checked)} />}
          {!these && (
            <>
              {adds && <Select label="From the pool" placeholder="the parent pool" data={[...new Set(['default', ...pools])].filter((p) => p !== pool)} value={source} onChange={setSource} clearable />}
              <Checkbox label="All that fit" checked={all} onChange={(e) => setAll(e.currentTarget.checked)} />
              {!all && <Group grow><NumberInput label="How many" value={count} onChange={setCount} min={1} allowDecimal={false} /><NumberInput label="At least" placeholder="all of them" value={minimum} onChange={setMinimum} min={1} allowDecimal={false} /></Group>}
              <TagsInput label="Only those with" description="such as Arch=Eq(arm64); Enter adds one" value={filter} onChange={setFilter} />
            </>
          )}
          <TextInput label="Wait" description="how long for enough machines and for their workflows, such as 10m; empty: not at all" value={wait} onChange={(e) => setWait(e.currentTarget.value)} />
        </Stack>
        <details>
          <summary>What is done to them besides</summary>
          <Stack gap="sm" mt="xs">
            <Select label="Workflow" description="in place of that of the pool" data={workflows} value={besides.workflow} onChange={(workflow) => setBesides({ ...besides, workflow })} searchable clearable />
            <TagsInput label="Add profiles" data={profiles} limit={50} value={besides.add} onChange={(add) => setBesides({ ...besides, add })} />
            <TagsInput label="Remove profiles" data={profiles} limit={50} value={besides.remove} onChange={(remove) => setBesides({ ...besides, remove })} />
            <TagsInput label="Remove params" value={besides.without} onChange={(without) => setBesides({ ...besides, without })} />
            <Fieldset legend="Set params"><ParamsForm params={besides.params} onChange={(params) => setBesides({ ...besides, params })} /></Fieldset>
          </Stack>
        </details>
        {busy && wait !== '' && <Alert variant="light">The server answers when the workflows have ended.</Alert>}
        {error !== undefined && <Problem error={error} />}
        <Group justify="flex-end"><Button variant="default" onClick={close}>Cancel</Button><Button type="submit" form="move-machines" loading={busy}>{verb.label}</Button></Group>
      </Stack>
    </Modal>
  );
}
