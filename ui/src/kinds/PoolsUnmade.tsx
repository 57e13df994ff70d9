import { Anchor, Group, Stack, Text } from '@mantine/core';
import type { Machine } from '../api/types.ts';
import { link } from '../app/router.ts';
import { useObjects } from '../live/hooks.ts';
import { PoolMachines } from './PoolMachines.tsx';

// PoolsUnmade are the pools that machines are in although no object describes them.
export function PoolsUnmade() {
  const { byKey, complete } = useObjects<{ Id: string }>('pools');
  const { items } = useObjects<Machine>('machines');
  const names = [...new Set(items.map((m) => m.Pool))].filter((p) => p !== '' && !byKey.has(p)).sort();
  if (!complete || names.length === 0) return null;
  return (
    <Group gap="sm" mb="xs">
      <Text size="sm">Pools without an object:</Text>
      {names.map((p) => <Anchor key={p} size="sm" href={link('pools', p)}>{p}</Anchor>)}
    </Group>
  );
}

// PoolUnmade is such a pool.
export function PoolUnmade({ id }: { id: string }) {
  return (
    <Stack gap="sm">
      <Text size="sm">
        No object describes this pool: it is there by its machines alone. <Anchor size="sm" underline="always" href="#/objects/pools?create=1">Create one</Anchor> of this Id to say what is done to machines that enter, leave, or are taken into use.
      </Text>
      <PoolMachines id={id} object={{}} />
    </Stack>
  );
}
