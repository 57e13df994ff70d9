import { Anchor, Button, Fieldset, Group, Modal, Select, Stack, TagsInput, Textarea, TextInput } from '@mantine/core';
import { useState, type FormEvent } from 'react';
import { change } from '../api/client.ts';
import type { Machine } from '../api/types.ts';
import { ParamsForm } from '../kinds/ParamsForm.tsx';
import type { JsonObject } from '../lib/json.ts';
import { useObjects } from '../live/hooks.ts';
import { Names } from './Names.tsx';
import { notifyDone, Problem } from '../parts/Problem.tsx';
import { Ref } from '../parts/Ref.tsx';

const blank = { Name: '', Description: '', Address: '', HardwareAddrs: [] as string[], Workflow: '', Profiles: [] as string[], Arch: 'amd64', Params: {} as JsonObject };
const arches = ['amd64', 'arm64', '386', 'arm', 'ppc64', 'ppc64le', 'mips', 'mipsle', 'mips64', 'mips64le', 's390x', 'rpi4'];

export function CreateMachine({ opened, close }: { opened: boolean; close: () => void }) {
  return (
    <Modal opened={opened} onClose={close} title="Create a machine" size="lg">
      <Form close={close} />
    </Modal>
  );
}

function Form({ close }: { close: () => void }) {
  const [m, setMachine] = useState(blank);
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const workflows = useObjects<{ Name: string }>('workflows').items;
  const profiles = useObjects<{ Name: string }>('profiles').items;
  const set = (more: Partial<typeof blank>): void => setMachine({ ...m, ...more });

  const create = async (e: FormEvent): Promise<void> => {
    e.preventDefault();
    setBusy(true);
    setError(undefined);
    try {
      const { Workflow, ...rest } = m; // the server's default is not overruled by ''
      const made = await change<Machine>('POST', '/machines', { body: { ...rest, ...(Workflow && { Workflow }) } });
      notifyDone(<Ref kind="machines" id={made.Uuid}>{made.Name}</Ref>, 'The machine was created');
      close();
    } catch (err) {
      setError(err);
    } finally {
      setBusy(false);
    }
  };

  return (
    <Stack gap="sm">
      <Stack gap="sm" component="form" id="create-machine" onSubmit={(e) => void create(e)}>
        <TextInput label="Name" description="Its full host name; no other machine may have it" required data-autofocus value={m.Name} onChange={(e) => set({ Name: e.currentTarget.value.trim() })} />
        <Textarea label="Description" autosize minRows={1} value={m.Description} onChange={(e) => set({ Description: e.currentTarget.value })} />
        <Group grow align="start">
          <TextInput label="Address" description="IPv4 or IPv6" value={m.Address} onChange={(e) => set({ Address: e.currentTarget.value.trim() })} />
          <Select label="Architecture" description="Of its processor" data={arches} value={m.Arch} allowDeselect={false} onChange={(v) => set({ Arch: v ?? 'amd64' })} />
        </Group>
        <TagsInput label="MAC addresses" description="By which it is known when it boots; Enter adds one" value={m.HardwareAddrs} onChange={(v) => set({ HardwareAddrs: v })} splitChars={[',', ' ']} />
        <Names label="Workflow" description="Its tasks begin as soon as a runner is there" names={workflows} value={m.Workflow} onChange={(Workflow) => set({ Workflow })} />
        <TagsInput label="Profiles" description="The first goes before the next" data={profiles.map((p) => p.Name)} value={m.Profiles} onChange={(v) => set({ Profiles: v })} limit={50} />
      </Stack>
      <Fieldset legend="Params of its own">
        <ParamsForm params={m.Params} onChange={(Params) => set({ Params })} />
      </Fieldset>
      {error !== undefined && <Problem error={error} title="The machine was not created" />}
      <Group justify="space-between">
        <Anchor size="sm" href="#/objects/machines?create=1">All that a machine has</Anchor>
        <Group gap="sm">
          <Button variant="default" onClick={close}>Cancel</Button>
          <Button type="submit" form="create-machine" loading={busy}>Create</Button>
        </Group>
      </Group>
    </Stack>
  );
}
