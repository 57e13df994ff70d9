import { FileButton, Button, Group, Text } from '@mantine/core';
import { useState, type DragEvent } from 'react';
import { Icon } from '../parts/Icon.tsx';
import classes from './contents.module.css';

interface Props {
  label: string; // of the button
  hint: string;
  accept?: string;
  multiple?: boolean;
  onFiles: (files: File[]) => void;
}

/** A place to drop files on, with a button for those who choose them. */
export function Drop({ label, hint, accept, multiple, onFiles }: Props) {
  const [over, setOver] = useState(false);
  const drop = (e: DragEvent) => {
    e.preventDefault();
    setOver(false);
    const files = [...e.dataTransfer.files];
    if (files.length > 0) onFiles(multiple ? files : files.slice(0, 1));
  };
  const take = (files: File | File[] | null) => files && onFiles(Array.isArray(files) ? files : [files]);
  return (
    <Group
      className={`${classes.drop} ${over ? classes.over : ''}`}
      onDragOver={(e) => {
        e.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={drop}
      gap="sm"
    >
      <FileButton onChange={take as never} accept={accept} multiple={multiple} inputProps={{ 'aria-label': label }}>
        {(props) => (
          <Button {...props} size="xs" variant="default" leftSection={<Icon name="upload" />}>
            {label}
          </Button>
        )}
      </FileButton>
      <Text size="sm" c="dimmed">
        {hint}
      </Text>
    </Group>
  );
}
