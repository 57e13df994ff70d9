import { Select } from '@mantine/core';
import type { ReactNode } from 'react';

interface Props {
  label: string;
  description?: ReactNode;
  names: readonly { Name?: string; Id?: string }[];
  value: string;
  onChange: (name: string) => void;
  required?: boolean;
  placeholder?: string;
}

/** Names chooses one object by its name. */
export function Names({ names, value, onChange, placeholder = 'none', ...rest }: Props) {
  const data = [...new Set(names.map((o) => o.Name ?? o.Id ?? ''))];
  return <Select {...rest} data={data} searchable clearable limit={100} placeholder={placeholder} value={value || null} onChange={(v) => onChange(v ?? '')} nothingFoundMessage="There is none of this name" />;
}
