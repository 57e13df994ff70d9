import { Kbd, Modal, Table, Text } from '@mantine/core';
import { Fragment } from 'react';
import { useShortcutList } from './shortcuts.ts';

/** What the keyboard does on this page. */
export function ShortcutHelp({ opened, close }: { opened: boolean; close: () => void }) {
  const list = useShortcutList((s) => s.list);
  const unique = [...new Map(list.map((s) => [s.keys, s])).values()];
  const groups = [...new Set(unique.map((s) => s.group ?? 'Everywhere'))];
  return (
    <Modal opened={opened} onClose={close} title="Keyboard shortcuts" closeButtonProps={{ 'aria-label': 'Close' }}>
      {groups.map((g) => (
        <Fragment key={g}>
          <Text size="sm" fw={600} mt="xs">
            {g}
          </Text>
          <Table verticalSpacing={4}>
            <Table.Tbody>
              {unique
                .filter((s) => (s.group ?? 'Everywhere') === g)
                .map((s) => (
                  <Table.Tr key={s.keys}>
                    <Table.Td w={110}>
                      {s.keys.split(' ').map((k) => (
                        <Kbd key={k} mr={4}>
                          {k.replace('ctrl+', 'Ctrl ').replace('alt+', 'Alt ')}
                        </Kbd>
                      ))}
                    </Table.Td>
                    <Table.Td>{s.label}</Table.Td>
                  </Table.Tr>
                ))}
            </Table.Tbody>
          </Table>
        </Fragment>
      ))}
    </Modal>
  );
}
