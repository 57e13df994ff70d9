import { CloseButton, Group, Title } from '@mantine/core';
import { useEffect, useRef } from 'react';
import { useLocation } from 'wouter';
import { keepSession, signOut } from '../api/login.ts';
import { useSession } from '../api/session.ts';
import classes from './App.module.css';
import { Login } from './Login.tsx';
import { preload } from './routes.tsx';
import { Shell } from './Shell.tsx';
import { listen } from './shortcuts.ts';

/** The whole page: the login, or the shell. A session that has ended keeps what was being done. */
export function App() {
  const { state, user } = useSession();
  useEffect(keepSession, []);
  useEffect(listen, []);
  const [place] = useLocation();
  useEffect(() => preload(place), []); // while the password is typed
  if (state === 'out') {
    return (
      <main>
        <Login />
      </main>
    );
  }
  return (
    <>
      <Shell />
      {state === 'expired' && <Again user={user} />}
    </>
  );
}

/** Asks who is there once more, over what was being done. A dialog of the browser: it needs nothing that would have to be loaded. */
function Again({ user }: { user: string }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    dialog.current?.showModal();
    dialog.current?.querySelector<HTMLInputElement>('input[type=password]')?.focus(); // not what signs out
  }, []);
  return (
    <dialog ref={dialog} className={classes.again} aria-labelledby="session-ended" onCancel={() => void signOut()}>
      <Group justify="space-between" wrap="nowrap" mb="md">
        <Title order={2} size="h4" id="session-ended">
          The session has ended
        </Title>
        <CloseButton aria-label="Sign out" onClick={() => void signOut()} />
      </Group>
      <Login only={user} />
    </dialog>
  );
}
