import { ActionIcon, Button, Checkbox, Group, NativeSelect, Popover, ScrollArea, Stack, Text, TextInput } from '@mantine/core';
import { useRef, useState } from 'react';
import type { Column } from './DataGrid.tsx';
import type { GridLayout } from './gridLayout.ts';

type Props<T> = {
  columns: readonly Column<T>[];
  layout: GridLayout;
  sort: string;
  onSort?: (sort: string) => void;
  cards?: boolean; // no head to click: the order is chosen here
};

const most = 60;

/** ColumnsButton chooses and orders the columns of a grid. */
export function ColumnsButton<T>({ columns, layout, sort, onSort, cards }: Props<T>) {
  const [wanted, setWanted] = useState('');
  const find = useRef<HTMLInputElement>(null);
  const toggle = (id: string): void => {
    layout.toggle(id);
    find.current?.focus(); // what was clicked stands elsewhere now
  };
  const has = (c: Column<T>): boolean => `${c.header} ${c.group ?? ''}`.toLowerCase().includes(wanted.trim().toLowerCase());
  const shown = layout.shown.map((id) => columns.find((c) => c.id === id)).filter((c) => c !== undefined);
  const others = columns.filter((c) => !layout.shown.includes(c.id) && has(c));
  const sortable = columns.filter((c) => c.sort);
  return (
    <Popover position="bottom-end" width={320} trapFocus returnFocus withinPortal>
      <Popover.Target>
        <Button variant="default" size="xs">Columns</Button>
      </Popover.Target>
      <Popover.Dropdown>
        <Stack gap="xs">
          {cards && onSort && (
            <Group gap="xs" align="end" wrap="nowrap">
              <NativeSelect label="Sort by" size="xs" flex={1} value={sort.replace(/^-/, '')} onChange={(e) => onSort(e.currentTarget.value)}
                data={sortable.map((c) => ({ value: c.id, label: c.header }))} />
              <Button size="xs" variant="default" onClick={() => onSort(sort.startsWith('-') ? sort.slice(1) : '-' + sort)}>
                {sort.startsWith('-') ? 'Descending' : 'Ascending'}
              </Button>
            </Group>
          )}
          <TextInput ref={find} size="xs" aria-label="Find a column" placeholder="Find a column" value={wanted} onChange={(e) => setWanted(e.currentTarget.value)} data-autofocus />
          <ScrollArea.Autosize mah={360} type="auto">
            <Stack gap={4} pr="sm">
              {shown.filter(has).map((c) => (
                <Chosen key={c.id} column={c} layout={layout} at={layout.shown.indexOf(c.id)} toggle={toggle} />
              ))}
              {others.slice(0, most).map((c, i) => (
                <div key={c.id}>
                  {c.group && c.group !== others[i - 1]?.group && <Text size="xs" c="dimmed" mt={4}>{c.group}</Text>}
                  <Checkbox size="xs" label={c.header} checked={false} onChange={() => toggle(c.id)} />
                </div>
              ))}
              {others.length > most && <Text size="xs" c="dimmed">{others.length - most} more: type a part of the name</Text>}
            </Stack>
          </ScrollArea.Autosize>
          <Button size="xs" variant="subtle" disabled={layout.isDefault} onClick={layout.reset}>Reset columns</Button>
        </Stack>
      </Popover.Dropdown>
    </Popover>
  );
}

function Chosen<T>({ column, layout, at, toggle }: { column: Column<T>; layout: GridLayout; at: number; toggle: (id: string) => void }) {
  const swap = (to: number): void => layout.move(column.id, layout.shown[to]!);
  return (
    <Group gap={4} wrap="nowrap">
      <Checkbox size="xs" flex={1} label={column.header} checked disabled={layout.shown.length === 1} onChange={() => toggle(column.id)} />
      <ActionIcon size="sm" variant="subtle" disabled={at === 0} onClick={() => swap(at - 1)} aria-label={`Move ${column.header} left`}>←</ActionIcon>
      <ActionIcon size="sm" variant="subtle" disabled={at === layout.shown.length - 1} onClick={() => swap(at + 1)} aria-label={`Move ${column.header} right`}>→</ActionIcon>
    </Group>
  );
}
