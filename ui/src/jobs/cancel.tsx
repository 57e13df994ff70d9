import { Button, Group, Stack, Text, TextInput } from '@mantine/core';
import { useState } from 'react';
import { useSession } from '../api/session.ts';
import type { Job } from '../api/types.ts';
import { Problem } from '../parts/Problem.tsx';
import { modals } from '../parts/modals.tsx';
import { cancel } from './control.ts';

/** Asks why a job is to end, and ends it. */
export function openCancel(job: Job, machine = 'the machine') {
  const id = modals.open({ title: `Cancel ${job.Task} on ${machine}?`, children: <CancelForm job={job} close={() => modals.close(id)} /> });
}

function CancelForm({ job, close }: { job: Job; close: () => void }) {
  const user = useSession((s) => s.user);
  const [why, setWhy] = useState('');
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);

  async function run() {
    setBusy(true);
    try {
      await cancel(job, why.trim() ? `${why.trim()} (${user})` : `by ${user}`);
      close();
    } catch (err) {
      setError(err);
      setBusy(false);
    }
  }

  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        void run();
      }}
    >
      <Stack gap="sm">
        <Text size="sm">The job fails, its runner ends the script, and the machine does nothing more until it is made runnable again, as by Retry.</Text>
        <TextInput label="Why" placeholder="for those who find it later" value={why} onChange={(e) => setWhy(e.currentTarget.value)} data-autofocus />
        {error !== undefined && <Problem error={error} title="It cannot be cancelled" />}
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={close}>
            Keep it running
          </Button>
          <Button type="submit" color="red" loading={busy}>
            Cancel the job
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
