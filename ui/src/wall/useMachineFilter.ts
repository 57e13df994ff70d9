import { useQuery } from '@tanstack/react-query';
import { useCallback, useDeferredValue, useMemo } from 'react';
import { api } from '../api/client.ts';
import type { Machine, Param } from '../api/types.ts';
import { compileFilter, type Filter, type Language, paramsOf, parseFilter } from '../lib/filter.ts';
import type { Fields } from '../lib/match.ts';
import { useObjects } from '../live/hooks.ts';
import { useParamValues } from '../live/values.ts';

export interface MachineFilter {
  filter: Filter;
  language: Language;
  /** of machines; what cannot be read yet lets all through */
  matches: (m: Machine) => boolean;
  /** params that machines can be grouped by */
  params: readonly string[];
  error?: Error;
}

const none: Fields = {};

/** What a typed filter means for machines: fields as the server indexes them, and effective values of params. */
export function useMachineFilter(text: string): MachineFilter {
  const typed = useDeferredValue(text);
  const fields = useQuery({ queryKey: ['indexes', 'machines'], queryFn: () => api<Fields>('GET', '/indexes/machines') }).data ?? none;
  const { items } = useObjects<Param>('params');
  const params = useMemo(() => items.filter((p) => !p.Secure).map((p) => p.Name), [items]);
  const language = useMemo(() => ({ fields, params }), [fields, params]);
  const filter = useMemo(() => parseFilter(typed, language), [typed, language]);
  const asked = useMemo(() => paramsOf(filter, language), [filter, language]);
  const { value, error } = useParamValues(fields === none ? [] : asked);
  const param = useCallback((m: Machine, name: string) => value(m.Uuid, name), [value]);
  const matches = useMemo(
    () => (filter.error || fields === none ? () => true : compileFilter<Machine>(filter, fields, { key: (m) => m.Uuid, param })),
    [filter, fields, param],
  );
  return { filter, language, matches, params, error };
}
