import { Alert, Button, Group, TextInput } from '@mantine/core';
import { useState } from 'react';
import { ApiError } from '../api/client.ts';
import type { Machine } from '../api/types.ts';
import { notifyError } from '../parts/Problem.tsx';
import { changed, saveMachine } from './save.ts';

/** Renames a machine in place. If somebody else has done so meanwhile, it says so and asks which name is to stay. */
export function NameField({ machine, onDone }: { machine: Machine; onDone: () => void }) {
  const [base, setBase] = useState(machine.Name); // what the new name is to take the place of
  const [name, setName] = useState(machine.Name);
  const [busy, setBusy] = useState(false);
  const theirs = machine.Name !== base ? machine.Name : undefined;
  const save = async (over: string) => {
    if (name === over) return onDone();
    setBusy(true);
    try {
      await saveMachine(machine, changed('/Name', over, name));
      onDone();
    } catch (err) {
      if (!(err instanceof ApiError) || err.status !== 409 || machine.Name === over) notifyError(err, 'Not renamed');
      setBusy(false);
    }
  };
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        if (!theirs) void save(base);
      }}
    >
      <Group gap="xs">
        <TextInput
          aria-label="Name of the machine"
          size="xs"
          w="min(22rem, 70vw)"
          value={name}
          autoFocus
          onFocus={(e) => e.currentTarget.select()}
          onChange={(e) => setName(e.currentTarget.value)}
          onKeyDown={(e) => e.key === 'Escape' && onDone()}
        />
        {!theirs && (
          <Button type="submit" size="xs" loading={busy} disabled={!name.trim()}>
            Rename
          </Button>
        )}
        <Button size="xs" variant="default" onClick={onDone}>
          Cancel
        </Button>
      </Group>
      {theirs && (
        <Alert color="orange" variant="light" mt={4} p="xs" role="alert" title={`Meanwhile somebody has renamed it to ${theirs}`}>
          <Group gap="xs">
            <Button size="compact-xs" variant="default" onClick={onDone}>
              Keep {theirs}
            </Button>
            <Button
              size="compact-xs"
              loading={busy}
              disabled={!name.trim()}
              onClick={() => {
                setBase(theirs);
                void save(theirs);
              }}
            >
              Rename to {name}
            </Button>
          </Group>
        </Alert>
      )}
    </form>
  );
}
