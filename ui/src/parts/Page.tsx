import { Group, Title } from '@mantine/core';
import { useEffect, type ReactNode } from 'react';
import classes from './Page.module.css';

interface Props {
  title: string;
  /** What stands in the place of the title, such as a field that edits it. */
  heading?: ReactNode;
  /** What stands before the title, such as an icon. */
  before?: ReactNode;
  /** What stands behind the title, such as a badge or a count. */
  after?: ReactNode;
  actions?: ReactNode;
  /** The page is as high as the window and its content scrolls inside: for windowed lists. */
  fill?: boolean;
  children: ReactNode;
}

/** The frame of a page: its title, also that of the window, its actions, its content. */
export function Page({ title, heading, before, after, actions, fill, children }: Props) {
  useEffect(() => {
    document.title = title + ' · drp';
  }, [title]);
  return (
    <div className={fill ? classes.fill : classes.page}>
      <Group className={classes.head} justify="space-between" gap="xs">
        <Group gap="xs" className={classes.title}>
          <Group gap="xs" wrap="nowrap" className={classes.title}>
            {before}
            {heading ?? (
              <Title order={1} size="h3">
                {title}
              </Title>
            )}
          </Group>
          {after}
        </Group>
        <Group gap="xs">{actions}</Group>
      </Group>
      {children}
    </div>
  );
}
