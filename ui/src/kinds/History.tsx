import { Button, Group, Stack } from '@mantine/core';
import { useQueryState } from '../app/router.ts';
import type { JsonObject } from '../lib/json.ts';
import { escaped } from '../live/feed.ts';
import { useEvents } from '../live/hooks.ts';
import { AsOf } from '../parts/AsOf.tsx';
import { HistoryList, useHistory } from '../parts/HistoryList.tsx';

// History is who changed an object, live, with the way back, and the object as it was.
export function History({ kind, id, now }: { kind: string; id: string; now: JsonObject }) {
  const [to, setTo] = useQueryState('to');
  const [rev, setRev] = useQueryState('at');
  const history = useHistory({ kind, key: id, to: to || undefined });
  useEvents(`${kind}.*.${escaped(id)}`, history.refetch);
  const revisions = [...new Set(history.entries.map((e) => e.Rev))];
  if (rev) return <AsOf kind={kind} id={id} name={id} now={now} rev={rev} revisions={revisions} go={setRev} />;
  return (
    <Stack gap="sm">
      <HistoryList history={history} without={['object']} />
      <Group gap="xs">
        {to && <Button size="xs" variant="default" onClick={() => setTo('')}>The newest</Button>}
        {history.next && <Button size="xs" variant="default" onClick={() => setTo(history.next, { push: true })}>Older ones</Button>}
        {revisions.length > 0 && <Button size="xs" variant="default" onClick={() => setRev(String(revisions[0]), { push: true })}>See it as it was</Button>}
      </Group>
    </Stack>
  );
}
