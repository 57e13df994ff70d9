import { Button, Group, Modal, Radio, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { api } from '../api/client.ts';
import type { HistoryEntry } from '../api/types.ts';
import { tokens, type JsonObject, type Maybe } from '../lib/json.ts';
import { choose, conflicts, differences, merge, type Choices, type Difference, type Edit, type Side } from '../lib/merge.ts';
import { Ago } from './Ago.tsx';
import classes from './ConflictDialog.module.css';

interface Props {
  kind: string;
  id: string;
  edit: Edit<JsonObject>;
  theirs: JsonObject;
  onMerged: (merged: JsonObject) => void; // as it was chosen, to be saved over theirs
  onCancel: () => void; // nothing is saved; the edit stays as it is
  action?: string;
}

// ConflictDialog shows what two have made of the same fields, and lets one choose for each.
export function ConflictDialog({ kind, id, edit, theirs, onMerged, onCancel, action = 'Save' }: Props) {
  const all = differences(edit.base, edit.mine, theirs);
  const open = conflicts(all);
  const [choices, setChoices] = useState<Choices>({});
  const missing = open.filter((d) => choices[d.path] === undefined).length;
  return (
    <Modal opened onClose={onCancel} title={`${kind} ${id} was changed while you edited it`} size="xl" closeButtonProps={{ 'aria-label': 'Back to the edit' }}>
      <Stack gap="md">
        <Text size="sm"><LastChange kind={kind} id={id} /> Choose what each field becomes. Nothing is saved before you do.</Text>
        {open.map((d) => (
          <Choice key={d.path} difference={d} chosen={choices[d.path]} choose={(s) => setChoices({ ...choices, [d.path]: s })} />
        ))}
        <Merged title="Changed by you alone" list={all.filter((d) => d.standing === 'mine')} />
        <Merged title="Changed by others alone" list={all.filter((d) => d.standing === 'theirs')} />
        <Group justify="space-between">
          <Group gap="xs">
            <Button size="xs" variant="default" onClick={() => setChoices(choose(all, 'mine'))}>All mine</Button>
            <Button size="xs" variant="default" onClick={() => setChoices(choose(all, 'theirs'))}>All theirs</Button>
          </Group>
          <Group gap="xs">
            <Button variant="default" onClick={onCancel}>Back to the edit</Button>
            <Button disabled={missing > 0} onClick={() => onMerged(merge(edit.base, edit.mine, theirs, choices))}>{missing > 0 ? `${missing} to choose` : action}</Button>
          </Group>
        </Group>
      </Stack>
    </Modal>
  );
}

const sides: [Side, string][] = [['mine', 'Mine'], ['theirs', 'Theirs'], ['base', 'Before']];

function Choice({ difference: d, chosen, choose }: { difference: Difference; chosen?: Side; choose: (side: Side) => void }) {
  return (
    <Radio.Group label={fieldName(d.path)} value={chosen ?? null} onChange={(s) => choose(s as Side)} data-conflict={d.path}>
      <div className={classes.sides}>
        {sides.map(([side, label]) => (
          <div key={side} className={classes.side} data-chosen={chosen === side || undefined} data-side={side}>
            <Radio value={side} label={label} size="sm" />
            <pre className={classes.value} tabIndex={0} aria-label={`${fieldName(d.path)}, ${label}`}>{words(d[side])}</pre>
          </div>
        ))}
      </div>
    </Radio.Group>
  );
}

function Merged({ title, list }: { title: string; list: Difference[] }) {
  if (list.length === 0) return null;
  return <Text size="xs" c="dimmed">{title}, and kept: {list.map((d) => fieldName(d.path)).join(', ')}</Text>;
}

// LastChange tells who changed the object last, if one may know.
export function LastChange({ kind, id }: { kind: string; id: string }) {
  const { data } = useQuery({
    queryKey: ['last change', kind, id], gcTime: 0,
    queryFn: () => api<HistoryEntry[]>('GET', '/history', { query: { kind, key: id, limit: 1 } }),
  });
  if (!data?.[0]) return null;
  return <>The last change is by <b>{who(data[0].Who)}</b>, <Ago time={data[0].Time} />. </>;
}

export const who = (principal: string) => principal.replace(/^user:/, '');

export const fieldName = (path: string) => tokens(path).join(' › ') || 'the whole object';

const words = (value: Maybe) => (value === undefined ? '(not there)' : value === '' ? '(empty)' : typeof value === 'string' ? value : JSON.stringify(value, null, 2));
