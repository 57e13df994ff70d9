import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useMemo } from 'react';
import { api, server, type ApiError } from '../api/client.ts';
import { keyField } from '../api/types.ts';
import { describe, namesOf, type Description, type Index, type Kind, type Provider } from '../lib/kind.ts';
import { useEvents } from '../live/hooks.ts';

export interface Kinds {
  kinds?: Kind[];
  indexes: Record<string, Record<string, Index>>;
  error?: Error;
}

// useKinds is every kind of objects that there is, as the API describes it. Kinds that plugin
// providers define come and go with them.
export function useKinds(): Kinds {
  const client = useQueryClient();
  const description = useQuery({ queryKey: ['description'], staleTime: Infinity, queryFn: async () => (await (await fetch(new URL('swagger.json', server))).json()) as Description });
  const objects = useQuery<string[], ApiError>({ queryKey: ['kinds'], staleTime: Infinity, queryFn: () => api('GET', '/objects') });
  const indexes = useQuery<Kinds['indexes'], ApiError>({ queryKey: ['indexes'], staleTime: Infinity, queryFn: () => api('GET', '/indexes') });
  // Who may not see providers has no kinds of theirs.
  const providers = useQuery<Provider[]>({ queryKey: ['providers'], staleTime: Infinity, queryFn: () => api<Provider[]>('GET', '/plugin_providers').catch(() => []) });
  useEvents('plugin_providers.*.*', () => {
    for (const name of ['kinds', 'indexes', 'providers']) void client.invalidateQueries({ queryKey: [name] });
  });
  const kinds = useMemo(() => {
    const d = description.data;
    if (!d || !objects.data || !providers.data) return undefined;
    return namesOf(objects.data).flatMap((name) => describe(name, d, keyField(name), providers.data) ?? []);
  }, [description.data, objects.data, providers.data]);
  const error = description.error ?? objects.error ?? indexes.error ?? undefined;
  return { kinds, indexes: indexes.data ?? {}, error };
}

export interface OneKind {
  kind?: Kind;
  indexes: Record<string, Index>;
  loading: boolean;
  error?: Error;
}

export function useKind(name: string): OneKind {
  const { kinds, indexes, error } = useKinds();
  const kind = useMemo(() => kinds?.find((k) => k.name === name), [kinds, name]);
  return { kind, indexes: indexes[name] ?? noIndexes, loading: !kinds && !error, error };
}

const noIndexes: Record<string, Index> = {};
