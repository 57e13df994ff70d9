import { Button, Menu } from '@mantine/core';
import { useState } from 'react';
import type { Machine } from '../api/types.ts';
import { Icon } from '../parts/Icon.tsx';
import { BulkDialog, type Verb } from './BulkDialog.tsx';

const groups: { label: string; verbs: [Verb, string, string][] }[] = [
  { label: 'Work', verbs: [['workflow', 'Set workflow …', 'sitemap'], ['run', 'Run', 'play'], ['pause', 'Pause', 'pause'], ['action', 'Plugin action …', 'plug']] },
  { label: 'Data', verbs: [['add profile', 'Add profile …', 'plus'], ['remove profile', 'Remove profile …', 'minus'], ['set param', 'Set param …', 'pen'], ['remove param', 'Remove param …', 'eraser'], ['icon', 'Set icon or colour …', 'palette'], ['meta', 'Set Meta …', 'tag']] },
  { label: 'Pool', verbs: [['add to pool', 'Add to pool …', 'right to bracket'], ['remove from pool', 'Remove from pool', 'right from bracket']] },
  { label: 'Guard', verbs: [['lock', 'Lock', 'lock'], ['unlock', 'Unlock', 'unlock'], ['delete', 'Delete …', 'trash']] },
];

interface Props {
  machines: readonly Machine[]; // to change: those that are selected, or all of the filter
  chosen: boolean;
  byKey: ReadonlyMap<string, Machine>;
  ready?: boolean; // all of them are known: a part would be changed for the whole
}

/** BulkMenu is what can be done to many machines at once. */
export function BulkMenu({ machines, chosen, byKey, ready = true }: Props) {
  const [open, setOpen] = useState<{ verb: Verb; machines: readonly Machine[] }>();
  const n = machines.length.toLocaleString('en');
  return (
    <>
      <Menu position="bottom-end" width={220}>
        <Menu.Target>
          <Button size="xs" variant="default" disabled={machines.length === 0 || !(ready || chosen)} rightSection={<Icon name="caret down" />}>
            {chosen ? `Change ${n} selected` : `Change all ${n}`}
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          {groups.map((g) => (
            <div key={g.label} role="group" aria-label={g.label}>
              <Menu.Label>{g.label}</Menu.Label>
              {g.verbs.map(([verb, label, icon]) => (
                <Menu.Item key={verb} leftSection={<Icon name={icon} />} color={verb === 'delete' ? 'red' : undefined} onClick={() => setOpen({ verb, machines })}>
                  {label}
                </Menu.Item>
              ))}
            </div>
          ))}
        </Menu.Dropdown>
      </Menu>
      {open && <BulkDialog verb={open.verb} machines={open.machines} byKey={byKey} close={() => setOpen(undefined)} />}
    </>
  );
}
