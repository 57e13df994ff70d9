import { useQuery, useQueryClient } from '@tanstack/react-query';
import { api, ApiError } from '../api/client.ts';
import type { PackMeta } from '../lib/pack.ts';
import { useEvents } from '../live/hooks.ts';

/** A pack as the list of packs shows it. */
export interface Summary {
  meta: PackMeta & { Description?: string; Type?: string; Icon?: string; Color?: string; DisplayName?: string };
  Counts: Record<string, number>;
  Warnings: string[];
}

/** All packs, read again when one comes, changes or goes. */
export function usePacks() {
  const client = useQueryClient();
  const { data, error, refetch } = useQuery<Summary[], ApiError>({ queryKey: ['contents'], queryFn: () => api<Summary[]>('GET', '/contents') });
  const again = () => void client.invalidateQueries({ queryKey: ['contents'] });
  useEvents('contents.*.*', again);
  useEvents('plugin_providers.*.*', again); // they bring packs of their own
  return { packs: data, error: error ?? undefined, refetch };
}

/** How many objects a pack has. */
export const size = (s: Summary) => Object.values(s.Counts).reduce((sum, n) => sum + n, 0);

/** Whether a pack came by an upload: only such ones can be replaced and removed. */
export const uploaded = (meta: Summary['meta']) => !['basic', 'default', 'local', 'plugin', 'writable'].includes(String(meta.Type ?? ''));
