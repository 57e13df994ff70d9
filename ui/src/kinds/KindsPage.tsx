import { Anchor, Loader, Table, Text } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { count } from '../api/client.ts';
import { useEvents } from '../live/hooks.ts';
import { Page } from '../parts/Page.tsx';
import { Problem } from '../parts/Problem.tsx';
import classes from './kinds.module.css';
import { useKinds } from './useKind.ts';

// KindsPage is every kind of objects that the API knows, with how many there are.
export default function KindsPage() {
  const { kinds, error } = useKinds();
  const client = useQueryClient();
  const recount = (e: { Type: string; Rev?: number }) => e.Rev !== undefined && void client.invalidateQueries({ queryKey: ['count', e.Type] });
  useEvents('*.create.*', recount);
  useEvents('*.delete.*', recount);
  return (
    <Page title="All kinds">
      {error && <Problem error={error} />}
      {!kinds && !error && <Loader size="sm" aria-label="Loading" />}
      {kinds && (
        <div className={classes.table}>
          <Table className={classes.kinds}>
            <Table.Thead><Table.Tr><Table.Th>Kind</Table.Th><Table.Th ta="right">Objects</Table.Th><Table.Th>What they are</Table.Th></Table.Tr></Table.Thead>
            <Table.Tbody>
              {kinds.map((k) => (
                <Table.Tr key={k.name}>
                  <Table.Td><Anchor size="sm" href={`#/objects/${k.name}`}>{k.name}</Anchor></Table.Td>
                  <Table.Td ta="right"><Count kind={k.name} /></Table.Td>
                  <Table.Td><Text size="sm" c="dimmed">{k.about}</Text></Table.Td>
                </Table.Tr>
              ))}
              <Table.Tr>
                <Table.Td><Anchor size="sm" href="#/prefs">preferences</Anchor></Table.Td><Table.Td /><Table.Td><Text size="sm" c="dimmed">What the server does unless it is told otherwise.</Text></Table.Td>
              </Table.Tr>
              <Table.Tr>
                <Table.Td><Anchor size="sm" href="#/contents">contents</Anchor></Table.Td><Table.Td /><Table.Td><Text size="sm" c="dimmed">Content packs: files that bring objects of all kinds.</Text></Table.Td>
              </Table.Tr>
            </Table.Tbody>
          </Table>
        </div>
      )}
    </Page>
  );
}

function Count({ kind }: { kind: string }) {
  const { data, error } = useQuery({ queryKey: ['count', kind], queryFn: () => count(kind) });
  if (error) return <Text size="sm" c="dimmed" title={error.message}>not shown</Text>;
  return <Text size="sm">{data?.toLocaleString('en') ?? ''}</Text>;
}
