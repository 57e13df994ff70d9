import { useQuery } from '@tanstack/react-query';
import { useDeferredValue, useMemo } from 'react';
import { api, type ApiError } from '../api/client.ts';
import type { Machine, Param } from '../api/types.ts';
import { compileFilter, type Filter, type Language, paramsOf, parseFilter } from '../lib/filter.ts';
import type { Access, Fields } from '../lib/match.ts';
import { useObjects } from '../live/hooks.ts';
import { useEffective } from '../machines/values.ts';

export interface MachineFilter {
  filter: Filter;
  language: Language;
  /** of machines; what cannot be read yet lets all through */
  matches: (m: Machine) => boolean;
  /** params that machines can be grouped by */
  params: readonly string[];
  /** The effective value of the param by. */
  value: (m: { Uuid: string }) => unknown;
  error?: ApiError;
}

const none: Fields = {};
const all = () => true;
const nobody: readonly string[] = [];
const key = (m: Machine): string => m.Uuid;
const plain: Access<Machine> = { key, param: () => undefined };
const nothing = () => undefined;

/** What a typed filter means for machines: fields as the server indexes them, and effective values of params; by is one more of these. */
export function useMachineFilter(text: string, machines: readonly Machine[], by: string | undefined): MachineFilter {
  const typed = useDeferredValue(text);
  const fields = useQuery({ queryKey: ['indexes', 'machines'], queryFn: () => api<Fields>('GET', '/indexes/machines'), staleTime: Infinity }).data ?? none;
  const { items } = useObjects<Param>('params');
  const params = useMemo(() => items.filter((p) => !p.Secure).map((p) => p.Name), [items]);
  const language = useMemo(() => ({ fields, params }), [fields, params]);
  const filter = useMemo(() => parseFilter(typed, language), [typed, language]);
  const asked = useMemo(() => (fields === none ? [] : paramsOf(filter, language)), [filter, fields, language]);
  const names = useMemo(() => (by ? [...asked, by] : asked), [asked, by]);
  const effective = useEffective(machines, nobody, nobody, names);
  // values come one after another: no matter to who asks for none
  const access = useMemo<Access<Machine>>(() => ({ key, param: (m, name) => effective.value(m.Uuid, name) }), [effective]);
  const reading = asked.length > 0 ? access : plain;
  const matches = useMemo(
    () => (filter.error || fields === none || filter.words.length + filter.terms.length === 0 ? all : compileFilter<Machine>(filter, fields, reading)),
    [filter, fields, reading],
  );
  const grouped = useMemo(() => (m: { Uuid: string }) => effective.value(m.Uuid, by ?? ''), [effective, by]);
  return { filter, language, matches, params, value: by ? grouped : nothing, error: effective.error };
}
