import { Button, Group, JsonInput, Modal, Stack, Text, TextInput } from '@mantine/core';
import { useState, type FormEvent } from 'react';
import { change } from '../api/client.ts';
import { notifyDone, Problem } from '../parts/Problem.tsx';

/** Sends an event to all who watch: pages, plugins and scripts. */
export function PostEvent({ close }: { close: () => void }) {
  const [event, setEvent] = useState({ Type: '', Action: '', Key: '' });
  const [object, setObject] = useState('');
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const post = async (e: FormEvent) => {
    e.preventDefault();
    setBusy(true);
    setError(undefined);
    try {
      await change('POST', '/events', { body: { ...event, Object: object.trim() === '' ? null : (JSON.parse(object) as unknown) } });
      notifyDone(`${event.Type}.${event.Action}.${event.Key} is sent`);
      close();
    } catch (err) {
      setError(err);
      setBusy(false);
    }
  };
  const field = (name: keyof typeof event, description: string) => (
    <TextInput label={name} description={description} value={event[name]} onChange={(e) => setEvent({ ...event, [name]: e.currentTarget.value })} required={name !== 'Key'} />
  );
  return (
    <Modal opened onClose={close} title="Send an event" closeButtonProps={{ 'aria-label': 'Cancel' }}>
      <form onSubmit={(e) => void post(e)}>
        <Stack gap="sm">
          <Text size="sm">All who watch get it: pages, plugins and scripts. It changes nothing by itself and stands in no history.</Text>
          <Group grow align="start">
            {field('Type', 'such as site')}
            {field('Action', 'such as announce')}
          </Group>
          {field('Key', 'what it is about')}
          <JsonInput label="Object" description="JSON, such as a map or a text in quotes; empty: null" autosize minRows={3} formatOnBlur validationError="is no JSON" value={object} onChange={setObject} />
          {error !== undefined && <Problem error={error} />}
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={close}>Cancel</Button>
            <Button type="submit" loading={busy}>Send</Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
