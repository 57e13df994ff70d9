import { Modal } from '@mantine/core';
import { useEffect } from 'react';
import { keepSession, signOut } from '../api/login.ts';
import { useSession } from '../api/session.ts';
import { Login } from './Login.tsx';
import { Shell } from './Shell.tsx';
import { listen } from './shortcuts.ts';

/** The whole page: the login, or the shell. A session that has ended keeps what was being done. */
export function App() {
  const { state, user } = useSession();
  useEffect(keepSession, []);
  useEffect(listen, []);
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
      {/* above whatever asks or tells something */}
      <Modal opened={state === 'expired'} onClose={() => void signOut()} title="The session has ended" zIndex={1000} closeButtonProps={{ 'aria-label': 'Sign out' }} closeOnClickOutside={false}>
        <Login only={user} />
      </Modal>
    </>
  );
}
