import { ActionIcon, Alert, Anchor, AppShell, Badge, Burger, Button, Center, Group, Kbd, Loader, Menu, NavLink, Text, Tooltip, useMantineColorScheme } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { Component, lazy, Suspense, useEffect, useState, type ComponentType, type ReactNode } from 'react';
import { Route, Switch, useLocation } from 'wouter';
import { signOut } from '../api/login.ts';
import { useSession } from '../api/session.ts';
import { useConnection } from '../live/hooks.ts';
import { Empty } from '../parts/Empty.tsx';
import { Icon } from '../parts/Icon.tsx';
import { Page } from '../parts/Page.tsx';
import { Problem } from '../parts/Problem.tsx';
import { navigate } from './router.ts';
import { entryOf, nav, preload, routes } from './routes.tsx';
import { useShortcuts } from './shortcuts.ts';
import classes from './Shell.module.css';
import { narrow } from './theme.ts';

const Search = lazy(() => import('./Search.tsx').then((m) => ({ default: m.Search })));
const ShortcutHelp = lazy(() => import('./ShortcutHelp.tsx').then((m) => ({ default: m.ShortcutHelp })));

const groups = ['Work', 'Objects', 'Server'] as const;

/** What is around every page: the header, the navigation, search and help. */
export function Shell() {
  const [menu, { toggle, close }] = useDisclosure();
  const [searching, search] = useDisclosure();
  const [helping, help] = useDisclosure();
  const [place] = useLocation();
  useEffect(close, [place, close]);
  useShortcuts([
    { keys: '/', label: 'Search everything', run: search.open },
    { keys: 'ctrl+k', label: 'Search everything', run: search.open },
    { keys: '?', label: 'Show the shortcuts', run: help.open },
    ...nav.flatMap((r) => (r.keys ? [{ keys: r.keys, label: 'Go to ' + r.label, group: 'Go', run: () => navigate(r.path) }] : [])),
  ]);
  return (
    <AppShell header={{ height: 48 }} navbar={{ width: 208, breakpoint: `${narrow}em`, collapsed: { mobile: !menu } }} padding="md">
      <AppShell.Header>
        <Group h="100%" px="md" justify="space-between" wrap="nowrap" gap="xs">
          <Group gap="xs" wrap="nowrap">
            <Burger opened={menu} onClick={toggle} hiddenFrom="sm" size="sm" aria-label={menu ? 'Close the navigation' : 'Open the navigation'} aria-expanded={menu} />
            <Anchor href="#/" fw={700} size="lg" c="var(--mantine-color-text)" underline="never" aria-label="drp, to the overview">
              drp
            </Anchor>
            <Connected />
          </Group>
          <Button variant="default" size="xs" onClick={search.open} leftSection={<Icon name="search" />} rightSection={<Kbd size="xs">/</Kbd>} visibleFrom="xs">
            Search
          </Button>
          <Group gap={4} wrap="nowrap">
            <ActionIcon variant="subtle" color="gray" hiddenFrom="xs" onClick={search.open} aria-label="Search everything">
              <Icon name="search" />
            </ActionIcon>
            <Tooltip label="Keyboard shortcuts (?)">
              <ActionIcon variant="subtle" color="gray" onClick={help.open} aria-label="Keyboard shortcuts">
                <Icon name="keyboard" />
              </ActionIcon>
            </Tooltip>
            <Theme />
            <User />
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar>
        <nav aria-label="Pages" className={classes.nav}>
          {groups.map((g) => (
            <div key={g} role="group" aria-label={g}>
              <Text size="xs" fw={600} c="dimmed" px="xs" mt="xs" aria-hidden>
                {g}
              </Text>
              {nav
                .filter((r) => r.group === g)
                .map((r) => {
                  const here = r === entryOf(place);
                  return (
                    <NavLink
                      key={r.path}
                      href={'#' + r.path}
                      label={r.label}
                      leftSection={<Icon name={r.icon ?? 'circle'} />}
                      active={here}
                      aria-current={here ? 'page' : undefined}
                      px="xs"
                      py={3}
                      noWrap
                      onPointerEnter={() => preload(r.path)}
                      onFocus={() => preload(r.path)}
                    />
                  );
                })}
            </div>
          ))}
        </nav>
      </AppShell.Navbar>
      <AppShell.Main>
        <Failsafe key={place}>
          <Suspense fallback={<Waiting />}>
            <Switch>
              {routes.map((r) => (
                <Route key={r.path} path={r.path} component={r.Page} />
              ))}
              <Route>
                <Page title="There is no such page">
                  <Empty title={'Nothing is at ' + place}>
                    <Anchor href="#/">Go to the overview</Anchor>
                  </Empty>
                </Page>
              </Route>
            </Switch>
          </Suspense>
        </Failsafe>
      </AppShell.Main>
      <Later opened={searching} Part={Search} close={search.close} />
      <Later opened={helping} Part={ShortcutHelp} close={help.close} />
    </AppShell>
  );
}

interface Dialog {
  opened: boolean;
  close: () => void;
}

/** A dialog that is loaded when it is first opened. */
function Later({ opened, Part, close }: Dialog & { Part: ComponentType<Dialog> }) {
  const [needed, need] = useState(false);
  if (opened && !needed) need(true);
  return (
    needed && (
      <div className={classes.later}>
        <Failsafe>
          <Suspense>
            <Opened opened={opened} Part={Part} close={close} />
          </Suspense>
        </Failsafe>
      </div>
    )
  );
}

/** Opens a dialog once it stands: one that comes open does not know where the focus was, and cannot give it back. */
function Opened({ opened, Part, close }: Dialog & { Part: ComponentType<Dialog> }) {
  const [shown, show] = useState(false);
  useEffect(() => show(opened), [opened]);
  return <Part opened={shown} close={close} />;
}

function Waiting() {
  return (
    <Center h={200}>
      <Loader aria-label="Loading" />
    </Center>
  );
}

/** How long a drop may last before it is told: a server that changes its certificate or token is back at once. */
const tolerated = 500; // milliseconds

function Connected() {
  const state = useConnection();
  const [told, setTold] = useState(state);
  useEffect(() => {
    if (state === 'live') return setTold(state);
    const t = setTimeout(() => setTold(state), tolerated);
    return () => clearTimeout(t);
  }, [state]);
  return (
    <span role="status">
      {told === 'live' ? (
        <Tooltip label="What you see is current">
          <Badge color="teal" variant="dot" size="sm" miw="max-content">
            live
          </Badge>
        </Tooltip>
      ) : (
        <Tooltip label="The connection to the server is broken. What you see may be old; it is brought up to date as soon as the server is back.">
          <Badge color="orange" variant="filled" size="sm" miw="max-content" autoContrast>
            {told}
          </Badge>
        </Tooltip>
      )}
    </span>
  );
}

const schemes = [
  ['light', 'Light', 'sun'],
  ['dark', 'Dark', 'moon'],
  ['auto', 'As the system', 'desktop'],
] as const;

function Theme() {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  return (
    <Menu>
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" aria-label="Theme">
          <Icon name={schemes.find(([s]) => s === colorScheme)?.[2] ?? 'desktop'} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.RadioGroup value={colorScheme} onChange={(s) => setColorScheme(s as (typeof schemes)[number][0])}>
          {schemes.map(([value, label]) => (
            <Menu.RadioItem key={value} value={value}>
              {label}
            </Menu.RadioItem>
          ))}
        </Menu.RadioGroup>
      </Menu.Dropdown>
    </Menu>
  );
}

function User() {
  const user = useSession((s) => s.user);
  return (
    <Menu>
      <Menu.Target>
        <Button variant="subtle" color="gray" size="compact-sm" maw={180} aria-label={user}>
          <Icon name="user" />
          <Text span inherit truncate ml={6} visibleFrom="xs">
            {user}
          </Text>
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item component="a" href={'#/objects/users/' + encodeURIComponent(user)}>
          Account and password
        </Menu.Item>
        <Menu.Item onClick={() => void signOut()}>Sign out</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

/** A page that fails does not take the others with it. */
class Failsafe extends Component<{ children: ReactNode }, { error?: unknown }> {
  state: { error?: unknown } = {};
  static getDerivedStateFromError(error: unknown) {
    return { error };
  }
  render() {
    if (this.state.error === undefined) return this.props.children;
    if (isGone(this.state.error)) return <Gone />;
    return <Problem error={this.state.error} title="This page has failed" retry={() => this.setState({ error: undefined })} />;
  }
}

/** Whether an error is that of a part of the page that could not be loaded, in the words of the browsers and of Vite. */
const isGone = (error: unknown) => /module script failed|dynamically imported module|unable to preload/i.test(String(error));

/** Told when a part of this page is no longer at the server: nothing but a reload brings the new one. */
function Gone() {
  return (
    <Alert color="orange" title="This part of the page could not be loaded" role="alert">
      <Text size="sm">
        The server cannot be reached, or has been upgraded since this page was opened. Reload to go on at this place; as the session is kept in this page only,
        you will be asked to sign in again.
      </Text>
      <Button mt="xs" size="xs" variant="default" onClick={() => location.reload()}>
        Reload
      </Button>
    </Alert>
  );
}
