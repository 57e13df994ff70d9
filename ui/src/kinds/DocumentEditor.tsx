import { Group, SegmentedControl, Stack, Switch, Text } from '@mantine/core';
import { useEffect, useRef, useState } from 'react';
import { equal, type Json, type JsonObject } from '../lib/json.ts';
import { read, write, type Notation } from '../lib/text.ts';
import { Editor } from '../parts/Editor.tsx';

interface Props {
  label: string;
  value: JsonObject;
  stored?: JsonObject; // to compare with
  schema?: unknown;
  onChange?: (value: JsonObject) => void; // read-only without
  onBroken?: (broken: boolean) => void; // while the text is no document
  onSave?: () => void;
}

// DocumentEditor is a whole document as JSON or YAML.
export function DocumentEditor({ label, value, stored, schema, onChange, onBroken, onSave }: Props) {
  const [notation, setNotation] = useState<Notation>(() => remembered());
  const [compare, setCompare] = useState(false);
  const [text, setText] = useState(() => write(value, notation));
  const reading = read(text, notation, schema);

  // Only a value that is another one takes the place of the text, which may be no document for a while.
  const seen = useRef(value);
  useEffect(() => {
    if (equal(seen.current, value)) return;
    seen.current = value;
    setText(write(value, notation));
    onBroken?.(false);
  }, [value, notation, onBroken]);

  const type = (next: string) => {
    setText(next);
    const now = read(next, notation);
    const broken = !isDocument(now.value);
    onBroken?.(broken);
    if (broken) return;
    seen.current = now.value as JsonObject;
    onChange?.(seen.current);
  };
  const turn = (to: Notation) => {
    setNotation(to);
    localStorage.setItem('notation', to);
    setText(write(isDocument(reading.value) ? reading.value : value, to));
    onBroken?.(false);
  };
  return (
    <Stack gap="xs">
      <Group justify="space-between">
        <SegmentedControl size="xs" data={[{ value: 'yaml', label: 'YAML' }, { value: 'json', label: 'JSON' }]} value={notation} onChange={(v) => turn(v as Notation)} aria-label="Notation" />
        {stored && onChange && <Switch size="xs" label="Show what differs from what is stored" checked={compare} onChange={(e) => setCompare(e.currentTarget.checked)} />}
      </Group>
      <Editor label={label} value={text} onChange={onChange && type} language={notation} marks={reading.marks} original={compare && stored ? write(stored, notation) : undefined} onSave={onSave} />
      {onChange && reading.marks.map((m) => (
        <Text key={`${m.line} ${m.message}`} size="xs" c="var(--mantine-color-error)" role="status">line {m.line}: {m.message}</Text>
      ))}
    </Stack>
  );
}

const isDocument = (v: Json | undefined): v is JsonObject => typeof v === 'object' && v !== null && !Array.isArray(v);

const remembered = (): Notation => (localStorage.getItem('notation') === 'json' ? 'json' : 'yaml');
