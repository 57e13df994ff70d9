import { Text } from '@mantine/core';
import type { ReactNode } from 'react';
import { modals } from './modals.tsx';

interface Question {
  title: string;
  children: ReactNode;
  /** What the button says that does it, as a verb: "Delete". */
  action: string;
  danger?: boolean;
}

/** Asks before something that is hard to take back. True when the answer is yes. */
export function confirm({ title, children, action, danger }: Question): Promise<boolean> {
  return new Promise((resolve) => {
    modals.openConfirmModal({
      title,
      children: (
        <Text size="sm" component="div">
          {children}
        </Text>
      ),
      labels: { confirm: action, cancel: 'Cancel' },
      confirmProps: { color: danger ? 'red' : undefined, 'data-autofocus': true },
      onConfirm: () => resolve(true),
      onCancel: () => resolve(false),
      onClose: () => resolve(false),
    });
  });
}
