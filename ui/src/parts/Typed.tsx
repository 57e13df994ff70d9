import { TextInput } from '@mantine/core';
import { useDebouncedCallback } from '@mantine/hooks';
import { useState } from 'react';

interface Props {
  label: string;
  placeholder?: string;
  value: string;
  onChange: (value: string) => void;
  className?: string;
}

/** A field of a filter: what is typed counts a moment later, and what comes from elsewhere shows at once. */
export function Typed({ label, placeholder = label, value, onChange, className }: Props) {
  const [text, setText] = useState(value);
  const [seen, setSeen] = useState(value);
  const tell = useDebouncedCallback((v: string) => onChange(v.trim()), 300);
  if (value !== seen) {
    setSeen(value);
    if (value !== text.trim()) setText(value);
  }
  return (
    <TextInput
      className={className}
      size="xs"
      aria-label={label}
      placeholder={placeholder}
      value={text}
      spellCheck={false}
      onChange={(e) => {
        setText(e.currentTarget.value);
        tell(e.currentTarget.value);
      }}
    />
  );
}
