import { Loader, Table, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { api } from '../api/client.ts';
import type { HistoryEntry } from '../api/types.ts';
import { describePatch, summary } from '../lib/describe-patch.ts';
import type { Operation } from '../lib/jsonpatch.ts';
import { Ago } from '../parts/Ago.tsx';
import { who } from '../parts/ConflictDialog.tsx';
import { Problem } from '../parts/Problem.tsx';

export function History({ kind, id }: { kind: string; id: string }) {
  const { data, error } = useQuery({ queryKey: ['history', kind, id], gcTime: 0, queryFn: () => api<HistoryEntry[]>('GET', '/history', { query: { kind, key: id, limit: 100 } }) });
  if (error) return <Problem error={error} />;
  if (!data) return <Loader size="sm" aria-label="Loading history" />;
  return (
    <Table.ScrollContainer minWidth={500}>
      <Table>
        <Table.Thead><Table.Tr><Table.Th>Rev</Table.Th><Table.Th>When</Table.Th><Table.Th>Who</Table.Th><Table.Th>Change</Table.Th></Table.Tr></Table.Thead>
        <Table.Tbody>
          {data.map((h) => (
            <Table.Tr key={h.Rev}>
              <Table.Td>{h.Rev}</Table.Td><Table.Td><Ago time={h.Time} /></Table.Td><Table.Td>{who(h.Who)}</Table.Td>
              <Table.Td><Text size="sm">{h.Action === 'update' ? summary(describePatch(h.Patch as Operation[])) : `${h.Action}d`}</Text></Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}
