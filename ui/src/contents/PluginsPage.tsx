import { Alert, Anchor, Button, Group, Menu, Paper, Progress, Stack, Table, Text, TextInput, Title, Tooltip, VisuallyHidden } from '@mantine/core';
import { useState } from 'react';
import { api, part, send } from '../api/client.ts';
import type { Common } from '../api/types.ts';
import { link } from '../app/router.ts';
import { useObjects } from '../live/hooks.ts';
import { save } from '../kinds/download.ts';
import { confirm } from '../parts/confirm.tsx';
import { Empty } from '../parts/Empty.tsx';
import { Icon } from '../parts/Icon.tsx';
import { MoreMenu } from '../parts/MoreMenu.tsx';
import { Page } from '../parts/Page.tsx';
import { notifyDone, notifyError, Problem } from '../parts/Problem.tsx';
import { upload } from '../parts/upload.ts';
import classes from './contents.module.css';
import { Drop } from './Drop.tsx';

interface Provider {
  Name: string;
  Version: string;
  PluginVersion: number;
  AutoStart: boolean;
  HasPublish: boolean;
  AvailableActions: { Command: string; Model: string }[] | null;
  StoreObjects: Record<string, unknown> | null;
}

interface Plugin extends Common {
  Name: string;
  Description: string;
  Provider: string;
  PluginErrors: string[];
}

/** Plugin providers, which are programs, and the plugins that run them. */
export default function PluginsPage() {
  const providers = useObjects<Provider>('plugin_providers');
  const plugins = useObjects<Plugin>('plugins');
  return (
    <Page title="Plugins">
      <Stack gap="lg">
        <section>
          <Title order={2} size="h5" mb="xs">
            At work
          </Title>
          {plugins.error && <Problem error={plugins.error} />}
          {plugins.complete && plugins.items.length === 0 && (
            <Empty title="No plugins">
              A plugin is a provider at work, with its params. <Anchor href="#/objects/plugins" underline="always">Create one</Anchor>, or upload a provider that starts by itself.
            </Empty>
          )}
          {plugins.items.length > 0 && <PluginTable plugins={plugins.items} />}
        </section>
        <section>
          <Title order={2} size="h5" mb="xs">
            Providers
          </Title>
          <Stack gap="xs">
            {providers.error && <Problem error={providers.error} />}
            <Upload names={providers.items.map((p) => p.Name)} />
            {providers.items.length > 0 && <ProviderTable providers={providers.items} plugins={plugins.items} />}
          </Stack>
        </section>
      </Stack>
    </Page>
  );
}

function PluginTable({ plugins }: { plugins: readonly Plugin[] }) {
  return (
    <div className={classes.scroll} role="region" aria-label="Plugins" tabIndex={0}>
      <Table highlightOnHover>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Plugin</Table.Th>
            <Table.Th>Provider</Table.Th>
            <Table.Th>State</Table.Th>
            <Table.Th visibleFrom="sm">Description</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {plugins.map((p) => {
            const problems = [...p.PluginErrors, ...p.Errors];
            return (
              <Table.Tr key={p.Name}>
                <Table.Td>
                  <Anchor size="sm" href={link('plugins', p.Name)}>
                    {p.Name}
                  </Anchor>
                </Table.Td>
                <Table.Td>{p.Provider}</Table.Td>
                <Table.Td>
                  {problems.length === 0 ? (
                    <Text size="sm" component="span">
                      <Icon name="circle check" color="green" /> works
                    </Text>
                  ) : (
                    <Stack gap={2}>
                      <Text size="sm" component="span">
                        <Icon name="circle xmark" color="red" /> does not work
                      </Text>
                      {problems.map((text, i) => (
                        <Text key={i} size="xs">
                          {text}
                        </Text>
                      ))}
                    </Stack>
                  )}
                </Table.Td>
                <Table.Td visibleFrom="sm">
                  <Text size="sm" c="dimmed">
                    {p.Description}
                  </Text>
                </Table.Td>
              </Table.Tr>
            );
          })}
        </Table.Tbody>
      </Table>
    </div>
  );
}

function ProviderTable({ providers, plugins }: { providers: readonly Provider[]; plugins: readonly Plugin[] }) {
  return (
    <div className={classes.scroll} role="region" aria-label="Providers" tabIndex={0}>
      <Table highlightOnHover>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Provider</Table.Th>
            <Table.Th>Version</Table.Th>
            <Table.Th visibleFrom="sm">Starts by itself</Table.Th>
            <Table.Th>Actions</Table.Th>
            <Table.Th visibleFrom="sm">Kinds</Table.Th>
            <Table.Th>
              <VisuallyHidden>What can be done</VisuallyHidden>
            </Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {providers.map((p) => (
            <Table.Tr key={p.Name}>
              <Table.Td>
                <Anchor size="sm" href={link('plugin_providers', p.Name)}>
                  {p.Name}
                </Anchor>
              </Table.Td>
              <Table.Td>{p.Version}</Table.Td>
              <Table.Td visibleFrom="sm">{p.AutoStart ? 'yes' : 'no'}</Table.Td>
              <Table.Td>
                <Tooltip label={(p.AvailableActions ?? []).map((a) => `${a.Model || 'system'}: ${a.Command}`).join(', ') || 'none'}>
                  <span>{p.AvailableActions?.length ?? 0}</span>
                </Tooltip>
              </Table.Td>
              <Table.Td visibleFrom="sm">{Object.keys(p.StoreObjects ?? {}).join(', ')}</Table.Td>
              <Table.Td ta="right">
                <ProviderMenu provider={p} plugins={plugins.filter((x) => x.Provider === p.Name)} />
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </div>
  );
}

function ProviderMenu({ provider, plugins }: { provider: Provider; plugins: readonly Plugin[] }) {
  const at = '/plugin_providers/' + part(provider.Name);
  const download = async () => {
    try {
      const res = await send('GET', at + '/binary', { headers: { Accept: '*/*' } });
      save(provider.Name, await res.blob());
    } catch (err) {
      notifyError(err);
    }
  };
  const remove = async () => {
    const yes = await confirm({
      title: `Remove ${provider.Name}?`,
      children: `Its program, content and files go.${plugins.length > 0 ? ` Plugins that stop working: ${plugins.map((p) => p.Name).join(', ')}.` : ''}`,
      action: 'Remove',
      danger: true,
    });
    if (!yes) return;
    try {
      await api('DELETE', at);
      notifyDone(`${provider.Name} is removed`);
    } catch (err) {
      notifyError(err, `${provider.Name} was not removed`);
    }
  };
  return (
    <MoreMenu label={`Actions of ${provider.Name}`}>
      <Menu.Item onClick={() => void download()}>Download the program</Menu.Item>
      <Menu.Item color="red" onClick={() => void remove()}>
        Remove…
      </Menu.Item>
    </MoreMenu>
  );
}

/** The program of a provider on its way: it runs with the rights of the server, so its name is asked for first. */
function Upload({ names }: { names: readonly string[] }) {
  const [file, setFile] = useState<File>();
  const [name, setName] = useState('');
  const [sent, setSent] = useState<number>();
  const [error, setError] = useState<unknown>();
  const take = (f: File) => {
    setFile(f);
    setName(f.name.replace(/\.(amd64|arm64|linux|exe|bin).*$/, ''));
    setError(undefined);
  };
  const start = async () => {
    setSent(0);
    setError(undefined);
    try {
      await upload('/plugin_providers/' + part(name), file!, { onProgress: setSent });
      notifyDone(`${name} is loaded`);
      setFile(undefined);
    } catch (err) {
      setError(err);
    }
    setSent(undefined);
  };
  return (
    <Stack gap="xs">
      <Drop label="Upload a provider" hint="or drop its program here" onFiles={([f]) => take(f)} />
      {file && (
        <Paper withBorder p="xs" role="group" aria-label={`Upload of ${file.name}`}>
          <Stack gap="xs">
            <Alert color="yellow" variant="light">
              The program runs with the rights of the server. Upload only what you trust.
            </Alert>
            <Group align="end" gap="xs">
              <TextInput size="xs" label="Name of the provider" value={name} onChange={(e) => setName(e.currentTarget.value)} description={names.includes(name) ? 'takes the place of the one that is there' : undefined} />
              <Button size="xs" disabled={name === '' || sent !== undefined} onClick={() => void start()}>
                Upload
              </Button>
              <Button size="xs" variant="default" disabled={sent !== undefined} onClick={() => setFile(undefined)}>
                Cancel
              </Button>
            </Group>
            {sent !== undefined && <Progress size="sm" value={sent * 100} animated aria-label={`${file.name}: sent`} />}
            {error !== undefined && <Problem error={error} title="The provider was not loaded" />}
          </Stack>
        </Paper>
      )}
    </Stack>
  );
}
