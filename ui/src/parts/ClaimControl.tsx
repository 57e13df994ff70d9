import { SimpleGrid, TagsInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { api } from '../api/client.ts';
import type { JsonObject } from '../lib/json.ts';
import type { Field } from '../lib/schema.ts';

type Scopes = Record<string, Record<string, unknown>>;

interface Props {
  value: JsonObject;
  onChange: (value: JsonObject) => void;
  label: string;
}

// isClaim tells the fields of a claim: what may be done to what.
export const isClaim = (f: Field): boolean => f.fields?.length === 3 && ['scope', 'action', 'specific'].every((n) => f.fields!.some((x) => x.name === n));

// ClaimControl edits a claim by the scopes and actions that the server knows. Each part is * or a
// list; others than those offered are taken too, such as update:/Params/x.
export function ClaimControl({ value, onChange, label }: Props) {
  const { data } = useQuery({ queryKey: ['scopes'], staleTime: Infinity, queryFn: async () => (await api<{ scopes: Scopes }>('GET', '/info')).scopes });
  const scopes = data ?? {};
  const of = words(value.scope);
  const known = of.includes('*') || of.length === 0 ? Object.keys(scopes) : of;
  const actions = [...new Set(known.flatMap((s) => Object.keys(scopes[s] ?? {})))].sort();
  const offered: Record<string, string[]> = { scope: ['*', ...Object.keys(scopes).sort()], action: ['*', ...actions], specific: ['*'] };
  const help: Record<string, string> = { scope: 'kinds', action: 'what may be done; update:/POINTER is one member', specific: 'keys of objects' };
  return (
    <SimpleGrid cols={{ base: 1, sm: 3 }} spacing="xs">
      {(['scope', 'action', 'specific'] as const).map((name) => (
        <TagsInput key={name} label={name} description={help[name]} aria-label={`${label}: ${name}`} data={offered[name]} value={words(value[name])} splitChars={[',']} onChange={(list) => onChange({ ...value, [name]: list.join(',') })} />
      ))}
    </SimpleGrid>
  );
}

const words = (v: unknown): string[] => (typeof v === 'string' && v !== '' ? v.split(',') : []);
