import { ActionIcon, Menu, type ActionIconProps } from '@mantine/core';
import type { ReactNode } from 'react';
import { Icon } from './Icon.tsx';

/** The menu behind three dots: what else can be done with something. Its children are Menu.Item. */
export function MoreMenu({ label, children, ...look }: { label: string; children: ReactNode } & ActionIconProps) {
  return (
    <Menu position="bottom-end" withinPortal>
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" aria-label={label} {...look}>
          <Icon name="ellipsis vertical" />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>{children}</Menu.Dropdown>
    </Menu>
  );
}
