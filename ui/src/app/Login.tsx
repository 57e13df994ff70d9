import { Button, Center, Paper, PasswordInput, SegmentedControl, Stack, Text, Textarea, TextInput, Title } from '@mantine/core';
import { useState, type FormEvent } from 'react';
import { server } from '../api/client.ts';
import { logIn, useToken } from '../api/login.ts';
import { Problem } from '../parts/Problem.tsx';

/** Asks who is there. Only is the user whose session has ended: nobody else may go on with the page. */
export function Login({ only }: { only?: string }) {
  const [way, setWay] = useState('password');
  const [user, setUser] = useState(only ?? '');
  const [password, setPassword] = useState('');
  const [token, setToken] = useState('');
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);

  const submit = async (e: FormEvent) => {
    e.preventDefault();
    setBusy(true);
    setError(undefined);
    try {
      await (way === 'password' ? logIn(user.trim(), password) : useToken(token, only));
    } catch (err) {
      setError(err);
      setPassword('');
    } finally {
      setBusy(false);
    }
  };

  const form = (
    <form onSubmit={submit}>
      <Stack>
        <SegmentedControl
          value={way}
          onChange={setWay}
          data={[
            { value: 'password', label: 'With password' },
            { value: 'token', label: 'With token' },
          ]}
          aria-label="How to sign in"
        />
        {way === 'password' ? (
          <>
            <TextInput label="User" value={user} onChange={(e) => setUser(e.currentTarget.value)} autoComplete="username" autoFocus={!only} readOnly={Boolean(only)} required />
            <PasswordInput label="Password" value={password} onChange={(e) => setPassword(e.currentTarget.value)} autoComplete="current-password" autoFocus={Boolean(only)} required />
          </>
        ) : (
          <Textarea
            label="Token"
            description="as drp users token NAME prints it"
            value={token}
            onChange={(e) => setToken(e.currentTarget.value)}
            autosize
            minRows={3}
            maxRows={8}
            autoFocus
            required
            spellCheck={false}
          />
        )}
        {error !== undefined && <Problem error={error} title="Not signed in" />}
        <Button type="submit" loading={busy}>
          Sign in
        </Button>
      </Stack>
    </form>
  );
  if (only) return form;
  return (
    <Center mih="100dvh" p="md">
      <Paper withBorder p="xl" w="100%" maw={400}>
        <Title order={1} size="h2">
          drp
        </Title>
        <Text size="sm" c="dimmed" mb="md">
          Sign in to {server.host}
        </Text>
        {form}
      </Paper>
    </Center>
  );
}
