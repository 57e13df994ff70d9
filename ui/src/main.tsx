import '@mantine/core/styles.css';
import '@mantine/notifications/styles.css';
import './app/app.css';
import { MantineProvider } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { QueryClientProvider } from '@tanstack/react-query';
import { createRoot } from 'react-dom/client';
import { Router } from 'wouter';
import { App } from './app/App.tsx';
import { Hosts } from './app/Hosts.tsx';
import { navigate, useHash, useHashSearch } from './app/router.ts';
import { theme } from './app/theme.ts';
import { nonce } from './lib/nonce.ts';
import { leavings, queries } from './live/index.ts';

// Messages, the title and the place are not for who signs in next.
leavings.push(notifications.clean, () => {
  document.title = 'drp';
  navigate('/', { replace: true });
});

createRoot(document.getElementById('root')!).render(
  <MantineProvider theme={theme} defaultColorScheme="auto" getStyleNonce={() => nonce}>
    <QueryClientProvider client={queries}>
      <Router hook={useHash} searchHook={useHashSearch}>
        <App />
        <Hosts />
      </Router>
    </QueryClientProvider>
  </MantineProvider>,
);
