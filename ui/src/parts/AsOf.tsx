import { Anchor, Button, Group, Loader, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { api, part } from '../api/client.ts';
import type { JsonObject } from '../lib/json.ts';
import { Editor } from './Editor.tsx';
import { Problem } from './Problem.tsx';

interface Props {
  kind: string;
  id: string;
  name: string;
  now: JsonObject;
  rev: string;
  revisions: number[]; // the newest first
  go: (rev: string) => void;
}

/** All but what the tokens of a machine hang on: nobody reads that over a shoulder. */
const text = ({ Secret: _, ...object }: JsonObject) => JSON.stringify(object, null, 2);

/** An object as of a revision, beside what it is now. */
export function AsOf({ kind, id, name, now, rev, revisions, go }: Props) {
  const { data, error, isPending } = useQuery({
    queryKey: ['at', kind, id, rev],
    retry: false,
    queryFn: ({ signal }) => api<JsonObject>('GET', `/${kind}/${part(id)}`, { query: { at: rev }, signal }),
  });
  const at = Number(rev);
  const older = revisions.find((r) => r < at);
  const newer = revisions.findLast((r) => r > at);
  return (
    <Stack gap="sm">
      <Group gap="xs">
        <Anchor component="button" size="sm" onClick={() => go('')}>
          All changes
        </Anchor>
        <Button size="compact-xs" variant="default" disabled={older === undefined} onClick={() => go(String(older))}>
          Older
        </Button>
        <Button size="compact-xs" variant="default" disabled={newer === undefined} onClick={() => go(String(newer))}>
          Newer
        </Button>
        <Text size="sm" role="status">
          As of revision {rev}. Struck out is what is there now instead.
        </Text>
      </Group>
      {error && <Problem error={error} />}
      {isPending && <Loader size="sm" aria-label={`Loading revision ${rev}`} />}
      {data && <Editor key={rev} label={`${name} as of revision ${rev}`} language="json" value={text(data)} original={text(now)} />}
    </Stack>
  );
}
