import { Alert, Button, Checkbox, Group, Loader, ScrollArea, Stack, Text } from '@mantine/core';
import { useEffect, useState } from 'react';
import { change, ApiError, api } from '../api/client.ts';
import type { HistoryEntry } from '../api/types.ts';
import { describePatch } from '../lib/describe-patch.ts';
import { Changes } from './Changes.tsx';
import { notifyDone, Problem } from './Problem.tsx';
import { modals } from './modals.tsx';

/** What is to be taken back: one revision, or all of a job, or all of somebody since a time. */
export interface Undo {
  Rev?: number;
  Job?: string;
  Who?: string;
  Since?: string;
}

interface Undone {
  Rev: number;
  Undoes: string;
  Undone: number[];
  Kept: { Rev: number; Reason: string }[];
  Changes: HistoryEntry[];
}

/** Shows what taking changes back would do, and does it when that is wanted. */
export function openUndo(what: Undo, name: string, done?: () => void) {
  const id = modals.open({
    title: `Undo ${name}`,
    size: 'xl',
    children: <UndoForm what={what} close={() => modals.close(id)} done={done} />,
  });
}

interface Props {
  what: Undo;
  close: () => void;
  done?: () => void;
}

function UndoForm({ what, close, done }: Props) {
  const [except, setExcept] = useState<number[]>([]);
  const [all, setAll] = useState<number[]>([]); // every revision that could be taken back
  const [plan, setPlan] = useState<Undone>();
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const ask = except.length > 0 ? { ...what, Except: except } : what;

  useEffect(() => {
    const leave = new AbortController();
    api<Undone>('POST', '/undo', { body: { ...ask, DryRun: true }, signal: leave.signal }).then(
      (p) => {
        setPlan(p);
        setError(undefined);
        setAll((known) => (known.length > 0 ? known : [...p.Undone, ...except].sort((a, b) => b - a)));
      },
      (err: unknown) => !leave.signal.aborted && (setError(err), setPlan(undefined)),
    );
    return () => leave.abort();
  }, [JSON.stringify(ask)]);

  async function run() {
    setBusy(true);
    try {
      const did = await change<Undone>('POST', '/undo', { body: ask });
      notifyDone(did.Rev > 0 ? `${plural(did.Undone.length, 'change')} taken back in revision ${did.Rev}` : 'There was nothing left to take back');
      done?.();
      close();
    } catch (err) {
      setError(err);
    } finally {
      setBusy(false);
    }
  }

  // One that stands in the way of the others can be left out.
  const obstacle = what.Rev === undefined && error instanceof ApiError ? /revision (\d+) cannot be taken back/.exec(error.message)?.[1] : undefined;
  const keep = (rev: number, kept: boolean) => setExcept((list) => (kept ? [...list, rev] : list.filter((r) => r !== rev)));
  return (
    <Stack gap="sm">
      {error !== undefined && <Problem error={error} title={error instanceof ApiError && error.status === 409 ? 'Somebody has changed it since' : undefined} />}
      {obstacle && (
        <Group gap="xs">
          <Button size="xs" variant="light" onClick={() => keep(Number(obstacle), true)}>
            Leave out revision {obstacle}
          </Button>
          {except.length > 0 && (
            <Text size="xs" c="dimmed">
              left out already: {except.join(', ')}
            </Text>
          )}
        </Group>
      )}
      {!plan && error === undefined && <Loader size="sm" aria-label="Looking what would be changed" />}
      {plan && <Plan plan={plan} />}
      {all.length > 1 && <Chosen all={all} except={except} keep={keep} />}
      <Group justify="flex-end" gap="xs">
        <Button variant="default" onClick={close}>
          Cancel
        </Button>
        <Button onClick={() => void run()} loading={busy} disabled={!plan || plan.Changes.length === 0} data-autofocus>
          {plan ? `Take back ${plural(plan.Undone.length, 'change')}` : 'Take back'}
        </Button>
      </Group>
    </Stack>
  );
}

function Plan({ plan }: { plan: Undone }) {
  return (
    <>
      <Text size="sm">
        {plan.Changes.length === 0
          ? `There is nothing left to take back of ${plan.Undoes}.`
          : 'These objects would change, all of them or none. The undo stands in history and can be undone too.'}
      </Text>
      <ScrollArea.Autosize mah="40vh">
        <Stack gap="xs">
          {plan.Changes.map((c, i) => (
            <div key={i}>
              <Text size="sm" fw={600}>
                {c.Kind} {c.Key}
              </Text>
              <Changes changes={describePatch(c.Patch as never)} />
            </div>
          ))}
        </Stack>
      </ScrollArea.Autosize>
      {plan.Kept.some((k) => k.Reason !== 'as asked') && (
        <Alert color="gray" title="These stay">
          {plan.Kept.filter((k) => k.Reason !== 'as asked').map((k) => (
            <Text key={k.Rev} size="sm">
              Revision {k.Rev}: {k.Reason}
            </Text>
          ))}
        </Alert>
      )}
    </>
  );
}

function Chosen({ all, except, keep }: { all: number[]; except: number[]; keep: (rev: number, kept: boolean) => void }) {
  return (
    <fieldset style={{ border: 0, padding: 0, margin: 0 }}>
      <Text component="legend" size="sm" fw={600} mb={4}>
        Revisions to take back
      </Text>
      <ScrollArea.Autosize mah={120}>
        <Group gap="md">
          {all.map((rev) => (
            <Checkbox key={rev} size="xs" label={rev} checked={!except.includes(rev)} onChange={(e) => keep(rev, !e.currentTarget.checked)} />
          ))}
        </Group>
      </ScrollArea.Autosize>
    </fieldset>
  );
}

const plural = (n: number, what: string) => `${n.toLocaleString('en')} ${what}${n === 1 ? '' : 's'}`;
