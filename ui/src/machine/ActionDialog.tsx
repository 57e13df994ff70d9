import { Button, Code, Group, Modal, ScrollArea, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { api, change, part } from '../api/client.ts';
import type { Machine } from '../api/types.ts';
import { type Json } from '../lib/json.ts';
import { ParamControl } from '../parts/ParamControl.tsx';
import { Problem } from '../parts/Problem.tsx';
import { useDoing } from './save.ts';
import classes from './machine.module.css';

export interface PluginAction {
  Provider: string;
  Command: string;
  RequiredParams: string[];
  OptionalParams: string[];
}

/** The actions that plugins offer for a machine now. */
export function useActions(uuid: string, wanted: boolean): PluginAction[] {
  const { data } = useQuery({
    queryKey: ['actions', uuid],
    enabled: wanted,
    queryFn: ({ signal }) => api<PluginAction[]>('GET', `/machines/${part(uuid)}/actions`, { signal }),
  });
  return data ?? [];
}

/** Asks for the params of an action, runs it, and shows what it answers. Empty params are those in force. */
export function ActionDialog({ machine, action, onClose }: { machine: Machine; action: PluginAction; onClose: () => void }) {
  const [given, setGiven] = useState<Record<string, Json>>({});
  const [answer, setAnswer] = useState<{ value: unknown }>();
  const [error, setError] = useState<unknown>();
  const { busy, run } = useDoing();
  const params = [...action.RequiredParams, ...action.OptionalParams];
  const invoke = () =>
    run(async () => {
      setError(undefined);
      try {
        const value = await change('POST', `/machines/${part(machine.Uuid)}/actions/${part(action.Command)}`, { body: given });
        setAnswer({ value });
      } catch (err) {
        setError(err);
      }
    });
  return (
    <Modal opened onClose={onClose} title={`${action.Command} (${action.Provider}) on ${machine.Name}`} size="lg">
      <form
        onSubmit={(e) => {
          e.preventDefault();
          void invoke();
        }}
      >
        <Stack gap="xs">
          {params.length === 0 && <Text size="sm">This action needs no params.</Text>}
          {params.map((p) => (
            <fieldset key={p} className={classes.action}>
              <Text component="legend" size="sm" fw={500}>
                {p}
                {action.RequiredParams.includes(p) && (
                  <Text span size="xs" c="dimmed">
                    {' '}
                    required, here or in force for the machine
                  </Text>
                )}
              </Text>
              {Object.hasOwn(given, p) ? (
                <>
                  <ParamControl name={p} value={given[p]} onChange={(v) => setGiven({ ...given, [p]: v })} />
                  <Button size="compact-xs" variant="subtle" onClick={() => setGiven(({ [p]: _, ...rest }) => rest)}>
                    Take the value in force
                  </Button>
                </>
              ) : (
                <Button size="compact-xs" variant="default" onClick={() => setGiven({ ...given, [p]: '' })}>
                  Give another value than the one in force
                </Button>
              )}
            </fieldset>
          ))}
          {error !== undefined && <Problem error={error} />}
          {answer && (
            <div role="status">
              <Text size="sm" fw={500}>
                Done. The plugin answers:
              </Text>
              <ScrollArea.Autosize mah="20rem">
                <Code block>{JSON.stringify(answer.value, null, 2) ?? 'nothing'}</Code>
              </ScrollArea.Autosize>
            </div>
          )}
          <Group justify="flex-end" gap="xs">
            <Button variant="default" size="xs" onClick={onClose}>
              {answer ? 'Close' : 'Cancel'}
            </Button>
            <Button type="submit" size="xs" loading={busy}>
              {answer ? 'Run it again' : 'Run it'}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
