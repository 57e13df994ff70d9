import { Anchor, Group, Paper, Title } from '@mantine/core';
import type { ReactNode } from 'react';
import classes from './Overview.module.css';

/** A part of the overview. */
export function Card({ title, more, aside, width, children }: {
  title: string; more?: { href: string; label: string }; aside?: ReactNode; width?: 'wide' | 'broad'; children: ReactNode;
}) {
  return (
    <Paper component="section" withBorder p="sm" className={`${classes.card} ${width ? classes[width] : ''}`} aria-label={title}>
      <Group justify="space-between" gap="xs" mb="xs" wrap="nowrap">
        <Title order={2} size="h5">
          {title}
        </Title>
        <Group gap="xs">
          {aside}
          {more && (
            <Anchor href={more.href} size="sm">
              {more.label}
            </Anchor>
          )}
        </Group>
      </Group>
      {children}
    </Paper>
  );
}
