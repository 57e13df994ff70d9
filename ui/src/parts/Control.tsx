import { ActionIcon, Anchor, Autocomplete, Button, Checkbox, Group, Input, NumberInput, PasswordInput, Select, Text, Textarea, TextInput, Tooltip } from '@mantine/core';
import { createContext, useContext, useEffect, useId, useRef, useState, type ReactNode } from 'react';
import { link } from '../app/router.ts';
import { equal, isObject, pointer, type Json, type JsonObject, type Maybe } from '../lib/json.ts';
import { reference, refKind } from '../lib/refs.ts';
import { blank, flawsAt, isScalar, type Field, type Flaw } from '../lib/schema.ts';
import { read, write } from '../lib/text.ts';
import { useObjects } from '../live/hooks.ts';
import { ClaimControl, isClaim } from './ClaimControl.tsx';
import classes from './Control.module.css';
import { Editor } from './Editor.tsx';
import { Icon } from './Icon.tsx';

export interface ControlProps {
  field: Field;
  value: Maybe;
  onChange?: (value: Json) => void; // shows the value only without
  path?: string; // of the value in its object
  flaws?: readonly Flaw[]; // of the whole object
  label?: string; // in place of the field's name; '' for none that is seen
}

// The kind of the object that is edited: fields that name other objects know it by that.
export const OfKind = createContext('');

const multiline = new Set(['Documentation']);
const code = new Set(['Contents']);
const mono = new Set(['BootParams', 'Link', 'Path']);
const hidden = new Set(['Secret', 'Token']);

// Control is what a value is edited with, by its schema.
export function Control(props: ControlProps) {
  const { field, value, onChange } = props;
  if (!onChange || field.readOnly) return <Shown {...props} />;
  if (value !== null && value !== undefined && !fits(field, value)) return <JsonControl {...props} onChange={onChange} />;
  return controls[field.shape]({ ...props, onChange });
}

type Edited = ControlProps & { onChange: (value: Json) => void };

const controls: Record<Field['shape'], (props: Edited) => ReactNode> = {
  boolean: (p) => <BooleanControl {...p} />,
  integer: (p) => <NumberControl {...p} />,
  number: (p) => <NumberControl {...p} />,
  string: (p) => <StringControl {...p} />,
  text: (p) => <StringControl {...p} />,
  time: (p) => <StringControl {...p} />,
  choice: (p) => <ChoiceControl {...p} />,
  list: (p) => <ListControl {...p} />,
  map: (p) => <MapControl {...p} />,
  object: (p) => <ObjectControl {...p} />,
  json: (p) => <JsonControl {...p} />,
};

// What is there may be of another type than its schema says; then it is edited as JSON.
function fits({ shape }: Field, value: Json): boolean {
  if (shape === 'list') return Array.isArray(value);
  if (shape === 'map' || shape === 'object') return isObject(value);
  if (shape === 'boolean') return typeof value === 'boolean';
  if (shape === 'integer' || shape === 'number') return typeof value === 'number';
  return shape === 'json' || shape === 'choice' || typeof value === 'string';
}

const name = ({ field, label }: ControlProps) => (label === undefined ? field.title || field.name : label);

// common are the label, the help and what is wrong, as Mantine takes them.
function common(p: ControlProps) {
  const shown = name(p);
  const flaws = p.flaws?.filter((f) => f.path === (p.path ?? '')) ?? [];
  return {
    ...(shown === '' ? { 'aria-label': p.field.name || 'value' } : { label: shown }),
    description: (shown !== '' && p.field.help) || undefined, error: flaws.length > 0 ? flaws.map((f) => f.message).join('; ') : undefined, withAsterisk: p.field.required && shown !== '',
  };
}

function BooleanControl(p: Edited) {
  return <Checkbox {...common(p)} checked={p.value === true} onChange={(e) => p.onChange(e.currentTarget.checked)} mt={name(p) === '' ? 8 : 4} />;
}

function NumberControl(p: Edited) {
  const { minimum, maximum } = p.field.schema;
  return (
    <NumberInput {...common(p)} value={typeof p.value === 'number' ? p.value : ''} onChange={(v) => p.onChange(v === '' ? null : Number(v))} min={minimum} max={maximum}
      clampBehavior="none" allowDecimal={p.field.shape === 'number'} step={p.field.schema.multipleOf ?? 1} />
  );
}

function ChoiceControl(p: Edited) {
  const choices = p.field.choices ?? [];
  const here = choices.findIndex((c) => equal(c, p.value));
  return (
    <Select {...common(p)} data={choices.map((c, i) => ({ value: String(i), label: typeof c === 'string' ? c || '(empty)' : JSON.stringify(c) }))} value={here < 0 ? null : String(here)}
      placeholder={here < 0 && p.value !== undefined ? `${JSON.stringify(p.value)} is no choice` : undefined} allowDeselect={false}
      onChange={(i) => i !== null && p.onChange(choices[Number(i)])} />
  );
}

function StringControl(p: Edited) {
  const kind = useContext(OfKind);
  const value = typeof p.value === 'string' ? p.value : '';
  const set = (v: string) => p.onChange(v);
  if (code.has(p.field.name)) {
    return <Framed {...p}><Editor label={name(p) || p.field.name} value={value} onChange={set} language="shell" /></Framed>;
  }
  if (multiline.has(p.field.name) || (value.includes('\n') && !code.has(p.field.name))) {
    return <Textarea {...common(p)} value={value} onChange={(e) => set(e.currentTarget.value)} autosize minRows={2} maxRows={16} />;
  }
  const of = refKind(kind, p.path ?? '');
  if (of && of !== 'machines' && of !== 'jobs') return <NameControl {...p} of={of} />;
  if (hidden.has(p.field.name) || p.field.schema.format === 'password') return <PasswordInput {...common(p)} value={value} onChange={(e) => set(e.currentTarget.value)} autoComplete="off" />;
  const { minLength, maxLength, pattern, format } = p.field.schema;
  const hint = [pattern && `matches ${pattern}`, format, minLength && `at least ${minLength} characters`, maxLength && `at most ${maxLength} characters`].filter(Boolean).join(', ');
  return <TextInput {...common(p)} value={value} onChange={(e) => set(e.currentTarget.value)} placeholder={hint || undefined} className={mono.has(p.field.name) ? classes.mono : undefined} />;
}

// NameControl takes the name of another object: those that there are are offered, others are taken
// too, since what they name may come later.
function NameControl(p: Edited & { of: string }) {
  const { items } = useObjects<JsonObject>(p.of);
  const kind = useContext(OfKind);
  const value = typeof p.value === 'string' ? p.value : '';
  const names = [...new Set(items.map((o) => String(o.Name ?? o.Id ?? o.ID ?? '')).filter(Boolean))];
  const ref = reference(kind, p.path ?? '', value);
  return (
    <Autocomplete {...common(p)} data={names} value={value} onChange={p.onChange} limit={30} comboboxProps={{ shadow: 'md' }}
      rightSection={ref && (
        <Tooltip label={`Open ${ref.key}`}>
          <ActionIcon component="a" href={link(ref.kind, ref.key)} variant="subtle" size="sm" color="gray" aria-label={`Open ${ref.kind} ${ref.key}`}><Icon name="arrow right" /></ActionIcon>
        </Tooltip>
      )} />
  );
}

// Framed gives a label, help and errors to what is no single field.
function Framed(p: ControlProps & { children: ReactNode }) {
  const id = useId();
  const { label, description, error } = common(p) as { label?: string; description?: string; error?: string };
  return (
    <Input.Wrapper label={label} labelElement="div" labelProps={{ id }} description={description} error={error} className={classes.wide}>
      <div role="group" aria-label={label ? undefined : p.field.name || 'values'} aria-labelledby={label ? id : undefined} style={{ marginTop: 4 }}>{p.children}</div>
    </Input.Wrapper>
  );
}

function ListControl(p: Edited) {
  const list = (Array.isArray(p.value) ? p.value : []) as Json[];
  const item = p.field.items!;
  const keys = useKeys(list.length);
  const what = `${name(p) || p.field.name || 'item'}`;
  const set = (next: Json[]) => p.onChange(next);
  const move = (from: number, to: number) => {
    keys.move(from, to);
    const next = [...list];
    next.splice(to, 0, ...next.splice(from, 1));
    set(next);
  };
  return (
    <Framed {...p}>
      {list.map((v, i) => (
        <div key={keys.list[i]} className={isScalar(item) ? classes.row : `${classes.row} ${classes.nested}`}>
          <div className={classes.grow}>
            <Control field={{ ...item, name: item.name || `${what} ${i + 1}` }} label="" value={v} path={(p.path ?? '') + `/${i}`} flaws={p.flaws} onChange={(n) => set(list.with(i, n))} />
          </div>
          <RowButton icon="arrow up" label={`Move ${what} ${i + 1} up`} disabled={i === 0} run={() => move(i, i - 1)} />
          <RowButton icon="arrow down" label={`Move ${what} ${i + 1} down`} disabled={i === list.length - 1} run={() => move(i, i + 1)} />
          <RowButton icon="trash" label={`Remove ${what} ${i + 1}`} run={() => { keys.remove(i); set(list.toSpliced(i, 1)); }} />
        </div>
      ))}
      <Button size="compact-xs" variant="default" onClick={() => set([...list, blank(item)])} aria-label={`Add to ${what}`}>Add</Button>
    </Framed>
  );
}

// useKeys keeps what React knows rows by, as rows move: so that the focus moves with them.
function useKeys(length: number) {
  const next = useRef(0);
  const list = useRef<number[]>([]);
  while (list.current.length < length) list.current.push(next.current++);
  list.current.length = length;
  return {
    list: list.current,
    move: (from: number, to: number) => void list.current.splice(to, 0, ...list.current.splice(from, 1)),
    remove: (i: number) => void list.current.splice(i, 1),
  };
}

function RowButton({ icon, label, run, disabled }: { icon: string; label: string; run: () => void; disabled?: boolean }) {
  return (
    <ActionIcon variant="transparent" color="gray" size="sm" mt={5} aria-label={label} onClick={run} disabled={disabled} style={disabled ? { visibility: 'hidden' } : undefined}><Icon name={icon} /></ActionIcon>
  );
}

function MapControl(p: Edited) {
  const map = isObject(p.value) ? p.value : {};
  const item = p.field.items!;
  const what = name(p) || p.field.name || 'values';
  const [added, setAdded] = useState('');
  const add = () => {
    if (added === '' || Object.hasOwn(map, added)) return;
    p.onChange({ ...map, [added]: blank(item) });
    setAdded('');
  };
  return (
    <Framed {...p}>
      {Object.entries(map).map(([k, v]) => (
        <div key={k} className={isScalar(item) ? classes.row : `${classes.row} ${classes.nested}`}>
          <Text size="sm" className={classes.key} mt={6} style={{ overflowWrap: 'anywhere' }}>{k}</Text>
          <div className={classes.grow}>
            <Control field={{ ...item, name: k }} label="" value={v} path={(p.path ?? '') + pointer([k])} flaws={p.flaws} onChange={(n) => p.onChange({ ...map, [k]: n })} />
          </div>
          <RowButton icon="trash" label={`Remove ${k} from ${what}`} run={() => p.onChange(Object.fromEntries(Object.entries(map).filter(([x]) => x !== k)))} />
        </div>
      ))}
      <Group gap={4} wrap="nowrap">
        <TextInput size="xs" aria-label={`Name of a new entry of ${what}`} placeholder="name" value={added} onChange={(e) => setAdded(e.currentTarget.value)}
          onKeyDown={(e) => { if (e.key === 'Enter') { e.preventDefault(); add(); } }} error={Object.hasOwn(map, added) && 'is there already'} />
        <Button size="compact-xs" variant="default" onClick={add} disabled={added === '' || Object.hasOwn(map, added)} aria-label={`Add to ${what}`}>Add</Button>
      </Group>
    </Framed>
  );
}

function ObjectControl(p: Edited) {
  const object = isObject(p.value) ? p.value : {};
  if (isClaim(p.field)) return <ClaimControl value={object} onChange={p.onChange} label={name(p) || p.field.name} />;
  return (
    <Framed {...p}>
      <Fields fields={p.field.fields ?? []} value={object} onChange={p.onChange} path={p.path} flaws={p.flaws} nested={name(p) !== ''} />
    </Framed>
  );
}

interface FieldsProps {
  fields: readonly Field[];
  value: JsonObject;
  onChange?: (value: JsonObject) => void;
  path?: string;
  flaws?: readonly Flaw[];
  nested?: boolean;
}

// Fields is a form: a control for each field of an object.
export function Fields({ fields, value, onChange, path = '', flaws, nested }: FieldsProps) {
  return (
    <div className={nested ? `${classes.fields} ${classes.nested}` : classes.fields}>
      {fields.map((f) => (
        <div key={f.name} className={isWide(f, value[f.name]) ? classes.wide : undefined} data-field={f.name}>
          <Control field={f} value={value[f.name]} path={path + pointer([f.name])} flaws={flaws} onChange={onChange && ((v) => onChange({ ...value, [f.name]: v }))} />
        </div>
      ))}
    </div>
  );
}

const isWide = (f: Field, value: Maybe) =>
  ['map', 'object', 'json'].includes(f.shape) || (f.shape === 'list' && !isScalar(f.items)) || multiline.has(f.name) || code.has(f.name) || (typeof value === 'string' && value.includes('\n'));

// JsonControl is for what no form fits: the value as text, taken over whenever it is JSON.
function JsonControl(p: Edited) {
  const [text, setText] = useState(() => show(p.value));
  const reading = text.trim() === '' ? { value: undefined, marks: [] } : read(text, 'json');
  // Only a value from elsewhere takes the place of what is typed.
  const seen = useRef(p.value);
  useEffect(() => {
    if (equal(seen.current, p.value)) return;
    seen.current = p.value;
    setText(show(p.value));
  }, [p.value]);
  const type = (t: string) => {
    setText(t);
    const now = read(t, 'json');
    if (now.value === undefined) return;
    seen.current = now.value;
    p.onChange(now.value);
  };
  const below = flawsAt(p.flaws ?? [], p.path ?? '').filter((f) => f.path !== (p.path ?? ''));
  return (
    <Framed {...p}>
      <Editor label={name(p) || p.field.name || 'value'} value={text} onChange={type} language="json" marks={reading.marks} />
      {reading.marks.length > 0 && <Text size="xs" c="var(--mantine-color-error)">line {reading.marks[0].line}: {reading.marks[0].message}; the value stays as it was</Text>}
      {below.map((f) => <Text key={f.path + f.message} size="xs" c="var(--mantine-color-error)">{f.path}: {f.message}</Text>)}
    </Framed>
  );
}

const show = (value: Maybe) => (value === undefined ? '' : write(value, 'json'));

// Shown is a value that cannot be changed here.
function Shown(p: ControlProps) {
  const id = useId();
  const shown = name(p);
  return (
    <div className={classes.wide}>
      {shown !== '' && <Text size="sm" fw={500} id={id}>{shown}</Text>}
      {shown !== '' && p.field.help && <Text size="xs" c="dimmed">{p.field.help}</Text>}
      <Value value={p.value} path={p.path} />
    </div>
  );
}

// Value is any value as it reads best: names of other objects as links, texts as they are.
export function Value({ value, path = '' }: { value: Maybe; path?: string }): ReactNode {
  const kind = useContext(OfKind);
  if (value === undefined || value === null || value === '') return <Text size="sm" c="dimmed">–</Text>;
  if (typeof value === 'boolean') return <Text size="sm">{value ? 'yes' : 'no'}</Text>;
  if (typeof value === 'number') return <Text size="sm">{value}</Text>;
  if (typeof value === 'string') {
    const ref = reference(kind, path, value);
    if (ref) return <Anchor size="sm" href={ref.kind === 'contents' ? `#/contents/${encodeURIComponent(ref.key)}` : link(ref.kind, ref.key)}>{value}</Anchor>;
    return value.includes('\n') ? <pre className={classes.code} tabIndex={0}>{value}</pre> : <div className={classes.value}>{value}</div>;
  }
  if (Array.isArray(value)) {
    if (value.length === 0) return <Text size="sm" c="dimmed">none</Text>;
    if (value.every((v) => typeof v !== 'object')) {
      return <Group gap="xs">{value.map((v, i) => <Value key={i} value={v} path={`${path}/${i}`} />)}</Group>;
    }
    return <>{value.map((v, i) => <div key={i} className={classes.nested}><Value value={v} path={`${path}/${i}`} /></div>)}</>;
  }
  const members = Object.entries(value);
  if (members.length === 0) return <Text size="sm" c="dimmed">none</Text>;
  return (
    <dl style={{ display: 'grid', gridTemplateColumns: 'minmax(6rem, max-content) minmax(0, 1fr)', gap: '2px 12px', margin: 0 }}>
      {members.map(([k, v]) => (
        <div key={k} style={{ display: 'contents' }}>
          <Text component="dt" size="sm" c="dimmed" style={{ overflowWrap: 'anywhere' }}>{k}</Text>
          <dd style={{ margin: 0, minWidth: 0 }}><Value value={v} path={path + pointer([k])} /></dd>
        </div>
      ))}
    </dl>
  );
}
