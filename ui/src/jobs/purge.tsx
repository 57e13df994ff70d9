import { Button, Group, NumberInput, Stack, Text, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useEffect, useState } from 'react';
import { api } from '../api/client.ts';
import { notifyDone, Problem } from '../parts/Problem.tsx';
import { modals } from '../parts/modals.tsx';

interface Purged {
  Purged: number;
  Kept: number;
}

/** Asks which old jobs are to go, tells how many that are, and deletes them. */
export function openPurge(machine: string, done: () => void) {
  const id = modals.open({
    title: machine ? 'Purge old jobs of this machine' : 'Purge old jobs',
    children: <PurgeForm machine={machine} close={() => modals.close(id)} done={done} />,
  });
}

function PurgeForm({ machine, close, done }: { machine: string; close: () => void; done: () => void }) {
  const [keep, setKeep] = useState<number | string>('');
  const [failed, setFailed] = useState('');
  const [complete, setComplete] = useState('');
  const [plan, setPlan] = useState<Purged>();
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const [query] = useDebouncedValue(
    JSON.stringify({ machine, jobsToKeep: keep, failedJobsPurgedAfter: failed.trim(), completeJobsPurgedAfter: complete.trim() }),
    300,
  );
  const ask = (dryrun: boolean, signal?: AbortSignal) => api<Purged>('DELETE', '/jobs', { query: { ...JSON.parse(query), dryrun: dryrun || undefined }, signal });

  useEffect(() => {
    const leave = new AbortController();
    setPlan(undefined);
    ask(true, leave.signal).then(
      (p) => (setPlan(p), setError(undefined)),
      (err: unknown) => !leave.signal.aborted && setError(err),
    );
    return () => leave.abort();
  }, [query]);

  async function run() {
    setBusy(true);
    try {
      notifyDone(`${jobs((await ask(false)).Purged)} deleted`);
      done();
      close();
    } catch (err) {
      setError(err);
      setBusy(false);
    }
  }

  const nothingSaid = keep === '' && failed === '' && complete === '';
  return (
    <Stack gap="sm">
      <Text size="sm">
        Deletes ended jobs with their logs. The newest job of each machine stays.
        {nothingSaid && ' As long as nothing is said here, the preferences of the server say which.'}
      </Text>
      <NumberInput label="Keep of each machine the newest" description="jobs, beside the current one; all older ones go" value={keep} onChange={setKeep} min={1} allowDecimal={false} />
      <TextInput label="Failed jobs go after" placeholder="30d" description="such as 12h or 30d" value={failed} onChange={(e) => setFailed(e.currentTarget.value)} />
      <TextInput label="Finished jobs go after" placeholder="7d" description="such as 12h or 30d" value={complete} onChange={(e) => setComplete(e.currentTarget.value)} />
      {error !== undefined && <Problem error={error} />}
      <Text size="sm" fw={600} role="status">
        {plan ? `${jobs(plan.Purged)} would go, ${plan.Kept.toLocaleString('en')} would stay.` : error === undefined ? 'Counting' : ''}
      </Text>
      <Group justify="flex-end" gap="xs">
        <Button variant="default" onClick={close}>
          Cancel
        </Button>
        <Button color="red" onClick={() => void run()} loading={busy} disabled={!plan || plan.Purged === 0}>
          {plan && plan.Purged > 0 ? `Delete ${jobs(plan.Purged)}` : 'Delete'}
        </Button>
      </Group>
    </Stack>
  );
}

const jobs = (n: number) => `${n.toLocaleString('en')} ${n === 1 ? 'job' : 'jobs'}`;
