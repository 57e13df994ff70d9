import { Text } from '@mantine/core';
import { stateWords, type Cluster } from '../lib/cluster.ts';
import { StateIcon } from '../parts/StateBadge.tsx';

const shapes: Record<Cluster['state'], string> = { empty: 'idle', idle: 'idle', failed: 'failed', stopped: 'not runnable', election: 'running', working: 'running', done: 'done' };

/** How a cluster stands: shape, colour and words. */
export function State({ cluster, now }: { cluster: Cluster; now: number }) {
  return (
    <Text size="sm" span data-cluster-state={cluster.state}>
      <StateIcon state={shapes[cluster.state]} /> {stateWords(cluster, now)}
    </Text>
  );
}
