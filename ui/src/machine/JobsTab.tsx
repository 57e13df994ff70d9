import { Anchor, Button, Loader, Table } from '@mantine/core';
import { useState } from 'react';
import { Ago, Elapsed } from '../parts/Ago.tsx';
import { Empty } from '../parts/Empty.tsx';
import { Problem } from '../parts/Problem.tsx';
import { Ref } from '../parts/Ref.tsx';
import { StateBadge } from '../parts/StateBadge.tsx';
import type { TabProps } from './MachinePage.tsx';
import { useMachineJobs } from './useMachineJobs.ts';

const page = 100;

/** The jobs of the machine, the newest first. */
export function JobsTab({ machine }: TabProps) {
  const [limit, setLimit] = useState(page);
  const { jobs, loading, error } = useMachineJobs(machine.Uuid, limit);
  if (error) return <Problem error={error} />;
  if (loading) return <Loader size="sm" aria-label="Loading jobs" />;
  if (!jobs.length) return <Empty title="No job has been made for it">A job is made when its runner asks for a task: see that an agent runs there, and that the machine is set to run.</Empty>;
  return (
    <>
      <Table.ScrollContainer minWidth={560}>
        <Table highlightOnHover verticalSpacing={4} fz="sm">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>State</Table.Th>
              <Table.Th>Task</Table.Th>
              <Table.Th>Stage</Table.Th>
              <Table.Th>Started</Table.Th>
              <Table.Th>Took</Table.Th>
              <Table.Th>Log</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {jobs.map((j) => (
              <Table.Tr key={j.Uuid}>
                <Table.Td>
                  <StateBadge state={j.State} />
                </Table.Td>
                <Table.Td>
                  <Ref kind="jobs" id={j.Uuid}>
                    {j.Task}
                  </Ref>
                </Table.Td>
                <Table.Td>{j.Stage}</Table.Td>
                <Table.Td>
                  <Ago time={j.StartTime} />
                </Table.Td>
                <Table.Td>{j.State === 'created' ? '' : <Elapsed start={j.StartTime} end={j.State === 'running' ? undefined : j.EndTime} />}</Table.Td>
                <Table.Td>
                  {j.Archived ? (
                    'gone'
                  ) : (
                    <Anchor size="sm" href={`#/machines/${machine.Uuid}?tab=log&job=${j.Uuid}`} aria-label={`Log of ${j.Task}`}>
                      log
                    </Anchor>
                  )}
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      {jobs.length >= limit && (
        <Button variant="default" size="xs" onClick={() => setLimit(limit + page)}>
          Show older ones
        </Button>
      )}
    </>
  );
}
