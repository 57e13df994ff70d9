import { Alert, Button, List, Text } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import type { ReactNode } from 'react';
import { ApiError } from '../api/client.ts';

/** What the server, or the page, says was wrong, and the way out. */
export function Problem({ error, title, retry }: { error: unknown; title?: string; retry?: () => void }) {
  const list = messages(error);
  return (
    <Alert color="red" variant="light" title={title ?? headline(error)} role="alert">
      {list.length === 1 ? (
        <Text size="sm">{list[0]}</Text>
      ) : (
        <List size="sm">
          {list.map((m, i) => (
            <List.Item key={i}>{m}</List.Item>
          ))}
        </List>
      )}
      {retry && (
        <Button mt="xs" size="xs" variant="default" onClick={retry}>
          Try again
        </Button>
      )}
    </Alert>
  );
}

export function messages(error: unknown): string[] {
  if (error instanceof ApiError && error.messages.length) return error.messages;
  return [error instanceof Error ? error.message : String(error)];
}

/** What an error is about, in a few words. */
export function headline(error: unknown): string {
  if (!(error instanceof ApiError)) return 'This did not work';
  const what = [error.model, error.key].filter(Boolean).join(' ');
  const about = what ? ` (${what})` : '';
  switch (error.status) {
    case 0:
      return 'The server cannot be reached';
    case 401:
    case 403:
      return 'Not allowed' + about;
    case 404:
      return 'Not found' + about;
    case 409:
      return 'In conflict' + about;
    case 429:
      return 'Too many requests';
    default:
      return (error.status >= 500 ? 'The server failed' : 'Refused') + about;
  }
}

/** Tells of an error at the edge of the window, for actions that have no place of their own to tell it. */
export function notifyError(error: unknown, title?: string) {
  notifications.show({ color: 'red', title: title ?? headline(error), message: messages(error).join('\n'), autoClose: 10_000, withBorder: true });
}

export function notifyDone(message: ReactNode, title?: string) {
  notifications.show({ color: 'teal', title, message, autoClose: 4000, withBorder: true });
}
