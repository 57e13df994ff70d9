import { ActionIcon, Anchor, Breadcrumbs, Button, Checkbox, FileButton, Group, Progress, Stack, Text, Tooltip } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useMemo, useState, type DragEvent } from 'react';
import { api, part, send } from '../api/client.ts';
import { useQueryState } from '../app/router.ts';
import { confirm } from '../parts/confirm.tsx';
import { Copy } from '../parts/Copy.tsx';
import { DataGrid, type Column } from '../parts/DataGrid.tsx';
import { Icon } from '../parts/Icon.tsx';
import { Page } from '../parts/Page.tsx';
import { messages, notifyDone, notifyError, Problem } from '../parts/Problem.tsx';
import { upload } from '../parts/upload.ts';
import { save } from './download.ts';
import classes from './kinds.module.css';

interface Props {
  area: 'files' | 'isos';
  title: string;
  about: string;
  folders?: boolean;
}

interface Transfer {
  name: string;
  done: number; // of 1
  error?: string;
  stop: () => void;
}

// Blobs are the files that machines download: browsed, uploaded, deleted.
export function Blobs({ area, title, about, folders }: Props) {
  const client = useQueryClient();
  const [folder, setFolder] = useQueryState('path');
  const list = useQuery({ queryKey: ['blobs', area, folder], queryFn: () => api<string[]>('GET', '/' + area, { query: { path: folder } }) });
  const [transfers, setTransfers] = useState<Transfer[]>([]);
  const [explode, setExplode] = useState(false);
  const [over, setOver] = useState(false);
  const read = () => void client.invalidateQueries({ queryKey: ['blobs', area] });

  const take = async (file: File) => {
    const stop = new AbortController();
    const name = folder + file.name;
    const tell = (t: Partial<Transfer>) => setTransfers((all) => all.map((x) => (x.name === name ? { ...x, ...t } : x)));
    setTransfers((all) => [...all.filter((x) => x.name !== name), { name, done: 0, stop: () => stop.abort() }]);
    try {
      await upload(`/${area}/${part(name)}`, file, { query: { explode: (folders && explode) || undefined }, onProgress: (done) => tell({ done }), signal: stop.signal });
      setTransfers((all) => all.filter((x) => x.name !== name));
      notifyDone(`${name} is stored${folders && explode ? ' and unpacked' : ''}`);
      read();
    } catch (err) {
      tell({ error: messages(err).join(' ') });
    }
  };
  const takeAll = async (files: File[]) => {
    for (const f of files) await take(f);
  };
  const drop = (e: DragEvent) => {
    e.preventDefault();
    setOver(false);
    void takeAll([...e.dataTransfer.files]);
  };
  const remove = async (name: string) => {
    const yes = await confirm({ title: `Delete ${name}?`, action: 'Delete', danger: true, children: 'It is gone for good. Files have no history.' });
    if (!yes) return;
    await api('DELETE', `/${area}/${part(folder + name.replace(/\/$/, ''))}`).then(() => notifyDone(`${name} is deleted`), notifyError);
    read();
  };
  const columns = useColumns(area, folder, setFolder, (n) => void remove(n));
  const names = useMemo(() => (list.data ?? []).map((name) => ({ name })), [list.data]);
  return (
    <Page title={title} fill after={<Text size="sm" c="dimmed" visibleFrom="sm">{about}</Text>}
      actions={<>
        <Button size="xs" variant="default" onClick={read} leftSection={<Icon name="refresh" />}>Refresh</Button>
        <FileButton multiple onChange={(files) => void takeAll(files)} inputProps={{ 'aria-label': `Upload to ${area}` }}>{(props) => <Button size="xs" {...props} leftSection={<Icon name="upload" />}>Upload</Button>}</FileButton>
      </>}>
      <Stack gap="xs" mb="xs">
        {folders && <Path folder={folder} open={setFolder} />}
        <div className={classes.drop} data-over={over || undefined} onDragOver={(e) => { e.preventDefault(); setOver(true); }} onDragLeave={() => setOver(false)} onDrop={drop}>
          <Group justify="center" gap="lg">
            <Text size="sm">Drop files here{folders && folder ? ` to put them into ${folder}` : ''}.</Text>
            {folders && <Checkbox size="xs" label="Unpack archives (zip, tar, gz, bz2, xz, zst, iso)" checked={explode} onChange={(e) => setExplode(e.currentTarget.checked)} />}
          </Group>
        </div>
        {transfers.map((t) => (
          <Group key={t.name} gap="xs" wrap="nowrap" role="group" aria-label={`Upload of ${t.name}`}>
            <Text size="sm" className={classes.mono} style={{ flex: 1 }}>{t.name}</Text>
            {t.error ? <Text size="sm" c="var(--mantine-color-error)" role="alert">{t.error}</Text> : <Progress value={t.done * 100} style={{ flex: 1 }} aria-label={`${t.name}: ${Math.round(t.done * 100)} %`} />}
            <Button size="compact-xs" variant="default" onClick={() => (t.error ? setTransfers((all) => all.filter((x) => x !== t)) : t.stop())}>{t.error ? 'Dismiss' : 'Stop'}</Button>
          </Group>
        ))}
        {list.error && <Problem error={list.error} />}
      </Stack>
      <DataGrid name={`blobs-${area}`} label={title} rows={names} columns={columns} rowKey={(f) => f.name} loading={list.isPending} empty={folder ? 'The folder is empty.' : 'Nothing is here yet.'} />
    </Page>
  );
}

function Path({ folder, open }: { folder: string; open: (folder: string, how?: { push?: boolean }) => void }) {
  const parts = folder.split('/').filter(Boolean);
  return (
    <Breadcrumbs aria-label="Folder" separatorMargin={6}>
      <Anchor component="button" size="sm" onClick={() => open('', { push: true })}>files</Anchor>
      {parts.map((p, i) => <Anchor key={p + i} component="button" size="sm" onClick={() => open(parts.slice(0, i + 1).join('/') + '/', { push: true })}>{p}</Anchor>)}
    </Breadcrumbs>
  );
}

interface Blob {
  name: string;
}

function useColumns(area: string, folder: string, open: (folder: string, how?: { push?: boolean }) => void, remove: (name: string) => void): Column<Blob>[] {
  // eslint-disable-next-line react-hooks/exhaustive-deps
  return useMemo(() => [
    {
      id: 'name', header: 'Name', grow: true, sort: (f) => f.name,
      cell: (f) => (f.name.endsWith('/')
        ? <Anchor component="button" size="sm" onClick={() => open(folder + f.name, { push: true })}><Icon name="folder" /> {f.name}</Anchor>
        : <span className={classes.mono}>{f.name}</span>),
    },
    { id: 'sum', header: 'Size and SHA-256', width: 420, cell: (f) => (f.name.endsWith('/') ? '' : <Sum path={`/${area}/${part(folder + f.name)}`} name={f.name} />) },
    {
      id: 'actions', header: 'Actions', width: 110, cell: (f) => (
        <Group gap={4} wrap="nowrap">
          {!f.name.endsWith('/') && <Act icon="download" label={`Download ${f.name}`} run={() => void fetchBlob(`/${area}/${part(folder + f.name)}`, f.name)} />}
          <Act icon="trash" label={`Delete ${f.name}`} run={() => remove(f.name)} />
        </Group>
      ),
    },
  ], [area, folder]);
}

function Act({ icon, label, run }: { icon: string; label: string; run: () => void }) {
  return <Tooltip label={label}><ActionIcon variant="subtle" color="gray" size="sm" aria-label={label} onClick={run}><Icon name={icon} /></ActionIcon></Tooltip>;
}

// The sum of a large file takes the server a while: it is asked for when somebody wants it.
function Sum({ path, name }: { path: string; name: string }) {
  const [sum, setSum] = useState<{ size: number; sha: string }>();
  const [busy, setBusy] = useState(false);
  const ask = async () => {
    setBusy(true);
    try {
      const { headers } = await send('HEAD', path);
      setSum({ size: Number(headers.get('Content-Length')), sha: headers.get('X-DRP-SHA256SUM') ?? '' });
    } catch (err) {
      notifyError(err);
    }
    setBusy(false);
  };
  if (!sum) return <Button size="compact-xs" variant="default" onClick={() => void ask()} loading={busy} aria-label={`Show size and checksum of ${name}`}>Show</Button>;
  return <Group gap={4} wrap="nowrap"><Text size="sm">{bytes(sum.size)}</Text><Text size="xs" className={classes.mono} truncate title={sum.sha}>{sum.sha}</Text><Copy text={sum.sha} label="Copy the checksum" /></Group>;
}

async function fetchBlob(path: string, name: string): Promise<void> {
  try {
    save(name, await (await send('GET', path)).blob());
  } catch (err) {
    notifyError(err);
  }
}

export function bytes(n: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  const i = n < 1024 ? 0 : Math.min(Math.floor(Math.log2(n) / 10), units.length - 1);
  return `${i === 0 ? n : (n / 1024 ** i).toFixed(1)} ${units[i]}`;
}
