import { Button, Code, Fieldset, Group, Modal, NumberInput, PasswordInput, Select, Stack, Text, TextInput } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useState, type FormEvent } from 'react';
import { api, change, part } from '../api/client.ts';
import { useSession } from '../api/session.ts';
import { Copy } from '../parts/Copy.tsx';
import { Icon } from '../parts/Icon.tsx';
import { notifyDone, Problem } from '../parts/Problem.tsx';

export function UserActions({ id }: { id: string }) {
  const [password, { open: openPassword, close: closePassword }] = useDisclosure();
  const [token, { open: openToken, close: closeToken }] = useDisclosure();
  return (
    <>
      <Button size="xs" variant="default" onClick={openPassword} leftSection={<Icon name="key" />}>Password</Button>
      <Button size="xs" variant="default" onClick={openToken} leftSection={<Icon name="ticket" />}>Token</Button>
      {password && <Password id={id} close={closePassword} />}
      {token && <Token id={id} close={closeToken} />}
    </>
  );
}

function Password({ id, close }: { id: string; close: () => void }) {
  const [password, setPassword] = useState('');
  const [again, setAgain] = useState('');
  const [error, setError] = useState<unknown>();
  const me = useSession((s) => s.user) === id;
  const wrong = again !== '' && again !== password;
  const submit = async (e: FormEvent) => {
    e.preventDefault();
    try {
      await change('PUT', `/users/${part(id)}/password`, { body: { Password: password } });
      notifyDone(`The password of ${id} is changed`);
      close();
    } catch (err) {
      setError(err);
    }
  };
  return (
    <Modal opened onClose={close} title={`Password of ${id}`} closeButtonProps={{ 'aria-label': 'Cancel' }}>
      <form onSubmit={(e) => void submit(e)}>
        <Stack>
          <Text size="sm">All tokens of {id} end{me && ', that of this page too: you sign in again'}.</Text>
          <PasswordInput label="New password" value={password} onChange={(e) => setPassword(e.currentTarget.value)} autoComplete="new-password" data-autofocus required />
          <PasswordInput label="Once more" value={again} onChange={(e) => setAgain(e.currentTarget.value)} autoComplete="new-password" error={wrong && 'is not the same'} required />
          {error !== undefined && <Problem error={error} />}
          <Group justify="flex-end"><Button variant="default" onClick={close}>Cancel</Button><Button type="submit" disabled={password === '' || password !== again}>Change</Button></Group>
        </Stack>
      </form>
    </Modal>
  );
}

const units = [{ value: 'm', label: 'minutes' }, { value: 'h', label: 'hours' }, { value: 'd', label: 'days' }];

const narrowings = { scope: ['Scope', 'machines'], action: ['Actions', 'list,get'], specific: ['Objects', 'any'], roles: ['Roles', 'all of theirs'] } as const;

function Token({ id, close }: { id: string; close: () => void }) {
  const [time, setTime] = useState<number | string>(8);
  const [unit, setUnit] = useState('h');
  const [narrow, setNarrow] = useState({ scope: '', action: '', specific: '', roles: '' });
  const [token, setToken] = useState('');
  const [error, setError] = useState<unknown>();
  const make = async () => {
    try {
      setToken((await api<{ Token: string }>('GET', `/users/${part(id)}/token`, { query: { ttl: `${time}${unit}`, ...narrow } })).Token);
    } catch (err) {
      setError(err);
    }
  };
  return (
    <Modal opened onClose={close} title={`Token for ${id}`} size="lg" closeButtonProps={{ 'aria-label': 'Close' }}>
      <Stack>
        <Text size="sm">Whoever has the token may do what {id} may, but no more than you, until its time is over, the password changes or the user signs out.</Text>
        <Group align="flex-end" gap="xs" wrap="nowrap">
          <NumberInput label="Good for" value={time} onChange={setTime} min={1} allowDecimal={false} style={{ flex: 1 }} />
          <Select aria-label="Unit" data={units} value={unit} onChange={(u) => setUnit(u ?? 'h')} allowDeselect={false} style={{ flex: 1 }} />
          <Button onClick={() => void make()} disabled={!Number(time)}>Make</Button>
        </Group>
        <Fieldset legend="Narrower than that, if anything is said here">
          <Group grow gap="xs">
            {(['scope', 'action', 'specific', 'roles'] as const).map((name) => (
              <TextInput key={name} size="xs" label={narrowings[name][0]} placeholder={narrowings[name][1]} value={narrow[name]} onChange={(e) => setNarrow({ ...narrow, [name]: e.currentTarget.value.trim() })} />
            ))}
          </Group>
        </Fieldset>
        {error !== undefined && <Problem error={error} />}
        {token && (
          <>
            <Group gap="xs"><Text size="sm">It is shown this once.</Text><Copy text={token} label="Copy the token" /></Group>
            <Code block style={{ overflowWrap: 'anywhere', whiteSpace: 'pre-wrap' }} data-token>{token}</Code>
          </>
        )}
      </Stack>
    </Modal>
  );
}
