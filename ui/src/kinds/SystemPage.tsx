import { Alert, Anchor, Badge, Button, Code, Fieldset, FileInput, Group, Loader, Select, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState, type FormEvent } from 'react';
import { api, change } from '../api/client.ts';
import { useConnection } from '../live/hooks.ts';
import type { Json } from '../lib/json.ts';
import { Copy } from '../parts/Copy.tsx';
import { Page } from '../parts/Page.tsx';
import { ActionDialog, useActions, type PluginAction } from '../parts/PluginActions.tsx';
import { notifyDone, Problem } from '../parts/Problem.tsx';
import { save } from './download.ts';
import classes from './kinds.module.css';
import { Support } from './Support.tsx';

interface Info {
  [name: string]: Json;
}

// SystemPage is the server itself.
export default function SystemPage() {
  const info = useQuery({ queryKey: ['info'], queryFn: () => api<Info>('GET', '/info') });
  return (
    <Page title="System">
      <Stack>
        {info.error && <Problem error={info.error} />}
        {!info.data && !info.error && <Loader size="sm" aria-label="Loading" />}
        {info.data && <About info={info.data} />}
        <Actions />
        <Certificates />
        <Support />
        <Backup />
      </Stack>
    </Page>
  );
}

const port = (info: Info, name: string, on: string) => (info[on] === true ? String(info[name]) : 'off');

function About({ info }: { info: Info }) {
  const connection = useConnection();
  const errors = (info.errors as string[] | null) ?? [];
  const facts: [string, string][] = [
    ['Version', `${String(info.version)} (${String(info.os)}/${String(info.arch)})`], ['Id', String(info.id)], ['Host', `${String(info.server_hostname)} ${String(info.address)}`.trim()],
    ['API port', String(info.api_port)], ['File port', port(info, 'file_port', 'prov_enabled')], ['File port (HTTPS)', port(info, 'secure_file_port', 'secure_prov_enabled')],
    ['DHCP', port(info, 'dhcp_port', 'dhcp_enabled')], ['TFTP', port(info, 'tftp_port', 'tftp_enabled')], ['Connection', connection],
  ];
  return (
    <Fieldset legend="This server">
      {errors.map((e) => <Alert key={e} color="red" variant="light" mb="xs">{e}</Alert>)}
      <dl className={classes.facts}>
        {facts.map(([k, v]) => <div key={k} style={{ display: 'contents' }}><dt>{k}</dt><dd>{v}</dd></div>)}
        <dt>Features</dt>
        <dd><Group gap={4}>{((info.features as string[] | null) ?? []).map((f) => <Badge key={f} size="sm" variant="default" tt="none" fw={400}>{f}</Badge>)}</Group></dd>
      </dl>
      <Text size="sm" mt="sm"><Anchor size="sm" href="#/objects/interfaces">Network interfaces</Anchor> · <Anchor size="sm" href="#/prefs">Preferences</Anchor> · <Anchor size="sm" href="#/logs">Log</Anchor></Text>
    </Fieldset>
  );
}

// What plugins can do to the server as a whole.
function Actions() {
  const { actions, error } = useActions('/system/actions');
  const [chosen, setChosen] = useState<PluginAction>();
  return (
    <Fieldset legend="Actions of plugins">
      {error && <Problem error={error} />}
      {actions?.length === 0 && <Text size="sm" c="dimmed">No plugin offers an action for the server as a whole.</Text>}
      <Group gap="xs">{actions?.map((a) => <Button key={a.Provider + a.Command} size="xs" variant="default" onClick={() => setChosen(a)} title={`of ${a.Provider}`}>{a.Command}</Button>)}</Group>
      {chosen && <ActionDialog path="/system/actions" on="this server" action={chosen} onClose={() => setChosen(undefined)} />}
    </Fieldset>
  );
}

const ports = [{ value: 'system', label: 'API and this UI' }, { value: 'static', label: 'file port (HTTPS)' }];

function Certificates() {
  const [of, setOf] = useState('system');
  const [cert, setCert] = useState<File | null>(null);
  const [key, setKey] = useState<File | null>(null);
  const [error, setError] = useState<unknown>();
  const submit = async (e: FormEvent) => {
    e.preventDefault();
    setError(undefined);
    try {
      await change('POST', `/${of}/cert`, { body: { Cert: await base64(cert!), Key: await base64(key!) } });
      setCert(null);
      setKey(null);
      notifyDone('New connections use the new certificate');
    } catch (err) {
      setError(err);
    }
  };
  const keep = async () => {
    setError(undefined);
    try {
      const { Cert, Key } = await api<{ Cert: string; Key: string }>('GET', `/${of}/cert`);
      const name = of === 'system' ? 'api' : 'files';
      save(`${name}.crt`, new Blob([atob(Cert)], { type: 'application/x-pem-file' }));
      save(`${name}.key`, new Blob([atob(Key)], { type: 'application/x-pem-file' }));
    } catch (err) {
      setError(err);
    }
  };
  return (
    <Fieldset legend="Certificate">
      <form onSubmit={(e) => void submit(e)}>
        <Stack gap="xs">
          <Text size="sm">Replaces a certificate and its key, both as PEM, at once and for good. They must fit each other.</Text>
          <Group align="flex-end" gap="xs">
            <Select label="Of" data={ports} value={of} onChange={(v) => setOf(v ?? 'system')} allowDeselect={false} />
            <FileInput label="Certificate file" value={cert} onChange={setCert} w={200} />
            <FileInput label="Key file" value={key} onChange={setKey} w={200} />
            <Button type="submit" variant="default" disabled={!cert || !key}>Replace</Button>
            <Button variant="default" onClick={() => void keep()}>Save the present ones</Button>
          </Group>
          {error !== undefined && <Problem error={error} />}
        </Stack>
      </form>
    </Fieldset>
  );
}

async function base64(file: File): Promise<string> {
  return btoa(Array.from(new Uint8Array(await file.arrayBuffer()), (b) => String.fromCharCode(b)).join(''));
}

function Backup() {
  const command = 'drp-server backup drp-backup.db';
  return (
    <Fieldset legend="Backup">
      <Text size="sm">On the host of the server, while it runs: one file with all its data. Keep the file secret.key of the base root apart: without it secure params cannot be read.</Text>
      <Group gap="xs" mt="xs"><Code>{command}</Code><Copy text={command} label="Copy the command" /></Group>
    </Fieldset>
  );
}
