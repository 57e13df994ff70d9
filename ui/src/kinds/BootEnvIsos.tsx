import { Anchor, Badge, Button, Checkbox, Code, FileButton, Group, Progress, Stack, Table, Text } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, change, part } from '../api/client.ts';
import { isosOf, type Iso } from '../lib/isos.ts';
import type { JsonObject } from '../lib/json.ts';
import { useEvents } from '../live/hooks.ts';
import { confirm } from '../parts/confirm.tsx';
import { Copy } from '../parts/Copy.tsx';
import { Empty } from '../parts/Empty.tsx';
import { Icon } from '../parts/Icon.tsx';
import { notifyDone, notifyError, Problem } from '../parts/Problem.tsx';
import { upload } from '../parts/upload.ts';
import classes from './kinds.module.css';

// BootEnvIsos are the ISO images that a boot environment is made of: uploaded here, and unpacked by the server.
export function BootEnvIsos({ id, object }: { id: string; object: JsonObject }) {
  const client = useQueryClient();
  const { data: there, error } = useQuery({ queryKey: ['isos'], queryFn: () => api<string[]>('GET', '/isos'), staleTime: 0 });
  const again = () => void client.invalidateQueries({ queryKey: ['isos'] });
  useEvents('isos.*.*', again);
  const isos = isosOf(object);
  const command = `drp bootenvs uploadiso ${id} --arch all`;
  if (error) return <Problem error={error} />;
  if (isos.length === 0) return <Empty title="It needs no ISO image">Its OS names no IsoFile, nor does any of its architectures.</Empty>;
  return (
    <Stack gap="sm">
      <div style={{ overflowX: 'auto' }} role="region" aria-label="ISO images" tabIndex={0}>
        <Table>
          <Table.Thead><Table.Tr><Table.Th>For</Table.Th><Table.Th>Image</Table.Th><Table.Th>State</Table.Th><Table.Th>Upload</Table.Th></Table.Tr></Table.Thead>
          <Table.Tbody>{isos.map((iso) => <Row key={iso.file} iso={iso} there={there?.includes(iso.file)} done={again} />)}</Table.Tbody>
        </Table>
      </div>
      {isos.some((i) => i.url) && (
        <Group gap="xs"><Text size="sm">Or let the command line fetch them from where they come from:</Text><Code>{command}</Code><Copy text={command} label="Copy the command" /></Group>
      )}
      <Purge id={id} arches={[...new Set(isos.flatMap((i) => i.arches))]} done={again} />
    </Stack>
  );
}

function Row({ iso, there, done }: { iso: Iso; there?: boolean; done: () => void }) {
  const [sent, setSent] = useState<number>();
  const send = async (file: File | null) => {
    if (!file) return;
    setSent(0);
    try {
      await upload(`/isos/${part(iso.file)}`, file, { onProgress: setSent });
      notifyDone(`${iso.file} is uploaded; the server unpacks it`);
    } catch (err) {
      notifyError(err, `${iso.file} was not uploaded`);
    }
    setSent(undefined);
    done();
  };
  return (
    <Table.Tr>
      <Table.Td>{iso.arches.join(', ')}</Table.Td>
      <Table.Td>
        <Text size="sm" className={classes.mono}>{iso.file}</Text>
        {/^https?:/.test(iso.url) && <Anchor size="xs" underline="always" href={iso.url} target="_blank" rel="noopener noreferrer">where it comes from</Anchor>}
        {iso.sum && <Text size="xs" c="dimmed" className={classes.mono} truncate title={iso.sum} maw="20rem">{iso.sum}</Text>}
      </Table.Td>
      <Table.Td>{there === undefined ? '' : there ? <Badge variant="light" tt="none" color="teal">is here</Badge> : <Badge variant="light" tt="none" color="red">missing</Badge>}</Table.Td>
      <Table.Td>
        {sent === undefined ? (
          <FileButton onChange={(f) => void send(f)} inputProps={{ 'aria-label': `Upload ${iso.file}` }}>{(props) => <Button size="compact-sm" variant="default" {...props} leftSection={<Icon name="upload" />}>Upload</Button>}</FileButton>
        ) : (
          <Progress value={sent * 100} aria-label={`${iso.file}: ${Math.round(sent * 100)} %`} />
        )}
      </Table.Td>
    </Table.Tr>
  );
}

function Purge({ id, arches, done }: { id: string; arches: string[]; done: () => void }) {
  const [chosen, setChosen] = useState(arches);
  const purge = async (again: boolean) => {
    const yes = await confirm({
      title: again ? `Unpack the images of ${id} again?` : `Remove what was unpacked for ${id}?`, action: again ? 'Unpack again' : 'Remove', danger: !again,
      children: again ? 'What was unpacked is removed first; until it is there again no machine can be installed with it.' : 'The images go too. No machine can be installed with it until they are uploaded again.',
    });
    if (!yes) return;
    await change('DELETE', `/bootenvs/${part(id)}/purgeLocal`, { body: chosen, query: { reexplodeIsos: again || undefined } })
      .then(() => notifyDone(again ? 'The images are unpacked again' : 'What was unpacked is removed'), notifyError);
    done();
  };
  return (
    <Group gap="md">
      <Checkbox.Group value={chosen} onChange={setChosen} aria-label="Architectures"><Group gap="sm">{arches.map((a) => <Checkbox key={a} size="xs" value={a} label={a} />)}</Group></Checkbox.Group>
      <Button size="xs" variant="default" disabled={chosen.length === 0} onClick={() => void purge(true)}>Unpack again</Button>
      <Button size="xs" variant="default" color="red" disabled={chosen.length === 0} onClick={() => void purge(false)} leftSection={<Icon name="trash" />}>Remove what was unpacked</Button>
    </Group>
  );
}
