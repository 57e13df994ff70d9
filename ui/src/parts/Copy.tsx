import { ActionIcon, CopyButton, Tooltip } from '@mantine/core';
import { Icon } from './Icon.tsx';

/** A button that copies a text. */
export function Copy({ text, label = 'Copy' }: { text: string; label?: string }) {
  return (
    <CopyButton value={text}>
      {({ copied, copy }) => (
        <Tooltip label={copied ? 'Copied' : label}>
          <ActionIcon variant="subtle" size="sm" color="gray" onClick={copy} aria-label={copied ? 'Copied' : label}>
            <Icon name={copied ? 'check' : 'copy outline'} />
          </ActionIcon>
        </Tooltip>
      )}
    </CopyButton>
  );
}
