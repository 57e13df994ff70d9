import { Button, Code, Fieldset, Group, Menu, Modal, ScrollArea, Stack, Text } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, change, part } from '../api/client.ts';
import { type Json } from '../lib/json.ts';
import { useEvents } from '../live/hooks.ts';
import { Icon } from './Icon.tsx';
import { ParamControl } from './ParamControl.tsx';
import { Problem } from './Problem.tsx';

export interface PluginAction {
  Provider: string;
  Command: string;
  RequiredParams: string[];
  OptionalParams: string[];
}

/** Where the actions of an object are: at a job, its scripts have that name. */
export const actionsOf = (kind: string, key: string) => `/${kind}/${part(key)}/${kind === 'jobs' ? 'plugin_actions' : 'actions'}`;

/** The actions that plugins offer at a path now. */
export function useActions(path: string, wanted = true) {
  const client = useQueryClient();
  const queryKey = ['actions', path];
  useEvents(wanted ? 'plugins.*.*' : '', () => void client.invalidateQueries({ queryKey }));
  const { data, error } = useQuery({ queryKey, enabled: wanted, retry: false, queryFn: ({ signal }) => api<PluginAction[]>('GET', path, { signal }) });
  return { actions: data, error };
}

/** What plugins can do to an object; nothing as long as that is nothing. */
export function PluginMenu({ path, on }: { path: string; on: string }) {
  const { actions = [] } = useActions(path);
  const [chosen, setChosen] = useState<PluginAction>();
  if (actions.length === 0) return null;
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <Button size="xs" variant="default" leftSection={<Icon name="plug" />}>Plugin actions</Button>
      </Menu.Target>
      <Menu.Dropdown>
        {actions.map((a) => (
          <Menu.Item key={a.Provider + '/' + a.Command} onClick={() => setChosen(a)}>
            {a.Command} <small>({a.Provider})</small>
          </Menu.Item>
        ))}
      </Menu.Dropdown>
      {chosen && <ActionDialog path={path} on={on} action={chosen} onClose={() => setChosen(undefined)} />}
    </Menu>
  );
}

interface Props {
  path: string;
  on: string; // what it is done to, in words
  action: PluginAction;
  onClose: () => void;
}

/** Asks for the params of an action, runs it, and shows what it answers. Empty params are those in force. */
export function ActionDialog({ path, on, action, onClose }: Props) {
  const [given, setGiven] = useState<Record<string, Json>>({});
  const [answer, setAnswer] = useState<{ value: unknown }>();
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const required = action.RequiredParams ?? [];
  const params = [...required, ...(action.OptionalParams ?? [])];
  const invoke = async () => {
    setBusy(true);
    setError(undefined);
    try {
      setAnswer({ value: await change('POST', `${path}/${part(action.Command)}`, { body: given }) });
    } catch (err) {
      setError(err);
    }
    setBusy(false);
  };
  return (
    <Modal opened onClose={onClose} title={`${action.Command} (${action.Provider}) on ${on}`} size="lg">
      <form
        onSubmit={(e) => {
          e.preventDefault();
          void invoke();
        }}
      >
        <Stack gap="xs">
          {params.length === 0 && <Text size="sm">This action needs no params.</Text>}
          {params.map((p) => (
            <Fieldset
              key={p}
              legend={
                <>
                  {p}
                  {required.includes(p) && <Text span size="xs" c="dimmed"> required, here or in force for {on}</Text>}
                </>
              }
            >
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
            </Fieldset>
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
