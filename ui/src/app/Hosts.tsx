import { notificationsStore } from '@mantine/notifications';
import { lazy, Suspense, useState, useSyncExternalStore } from 'react';
import { useHosts } from '../parts/hosts.ts';

const Notices = lazy(() => import('./Notices.tsx').then((m) => ({ default: m.Notices })));

/** What shows dialogs and notifications, once there are some. */
export function Hosts() {
  const Modals = useHosts((s) => s.Modals);
  const any = useSyncExternalStore(notificationsStore.subscribe, () => notificationsStore.getState().notifications.length > 0);
  const [needed, need] = useState(false);
  if (any && !needed) need(true);
  return (
    <>
      {Modals && <Modals />}
      {needed && (
        <Suspense>
          <Notices />
        </Suspense>
      )}
    </>
  );
}
