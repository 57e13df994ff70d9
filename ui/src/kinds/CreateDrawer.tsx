import { Button, Drawer, Group, Loader, Stack, Tabs, Text } from '@mantine/core';
import { useState } from 'react';
import { change } from '../api/client.ts';
import { keyField, keyOf } from '../api/types.ts';
import { link } from '../app/router.ts';
import { isObject, type JsonObject } from '../lib/json.ts';
import { cloneOf, sealedParams, type Kind } from '../lib/kind.ts';
import { validate } from '../lib/schema.ts';
import { useObject } from '../live/hooks.ts';
import { Fields, OfKind } from '../parts/Control.tsx';
import { notifyDone, Problem } from '../parts/Problem.tsx';
import { DocumentEditor } from './DocumentEditor.tsx';
import { ParamsForm } from './ParamsForm.tsx';

interface Props {
  kind: Kind;
  clone?: string; // the key of the object that a copy is made of
  close: () => void;
}

export function CreateDrawer({ kind, clone, close }: Props) {
  const title = clone ? `A copy of ${clone}` : `New among the ${kind.name}`;
  return (
    <Drawer opened onClose={close} position="right" size="xl" title={title} closeButtonProps={{ 'aria-label': 'Cancel' }}>
      {clone ? <Clone kind={kind} id={clone} close={close} /> : <Create kind={kind} start={{}} close={close} />}
    </Drawer>
  );
}

function Clone({ kind, id, close }: { kind: Kind; id: string; close: () => void }) {
  const { object, error, missing } = useObject<JsonObject>(kind.name, id);
  if (error) return <Problem error={error} />;
  if (missing) return <Text>There is no {id}.</Text>;
  if (!object) return <Loader size="sm" aria-label="Loading" />;
  return <Create kind={kind} start={cloneOf(kind, object, keyField(kind.name))} left={sealedParams(object)} close={close} />;
}

// What is not filled in gets its default from the server.
function Create({ kind, start, left = [], close }: { kind: Kind; start: JsonObject; left?: string[]; close: () => void }) {
  const [object, setObject] = useState(start);
  const [broken, setBroken] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const fields = kind.fields.filter((f) => !f.readOnly && f.name !== 'Params');
  const submit = async () => {
    setBusy(true);
    setError(undefined);
    try {
      const made = await change<JsonObject>('POST', `/${kind.name}`, { body: object });
      const key = keyOf(kind.name, made);
      notifyDone(`${kind.name} ${key} is there`);
      location.hash = link(kind.name, key); // in place of the drawer's own address
    } catch (err) {
      setError(err);
      setBusy(false);
    }
  };
  return (
    <OfKind value={kind.name}>
      <Stack gap="sm">
        {kind.about && <Text size="sm" c="dimmed">{kind.about}</Text>}
        {left.length > 0 && <Text size="sm">Sealed values open in their own object alone and are not copied: {left.join(', ')}.</Text>}
        <Tabs defaultValue="form" keepMounted={false}>
          <Tabs.List><Tabs.Tab value="form">Form</Tabs.Tab><Tabs.Tab value="text">YAML / JSON</Tabs.Tab></Tabs.List>
          <Tabs.Panel value="form" pt="md">
            <Fields fields={fields} value={object} onChange={setObject} flaws={validate(kind.schema, object)} />
            {kind.params && (
              <Stack mt="md" gap="xs">
                <Text size="sm" fw={500}>Params</Text>
                <ParamsForm params={isObject(object.Params) ? object.Params : {}} onChange={(Params) => setObject({ ...object, Params })} />
              </Stack>
            )}
          </Tabs.Panel>
          <Tabs.Panel value="text" pt="md">
            <DocumentEditor label={`A new object of ${kind.name}`} value={object} schema={kind.schema} onChange={setObject} onBroken={setBroken} onSave={() => void submit()} />
          </Tabs.Panel>
        </Tabs>
        {error !== undefined && <Problem error={error} />}
        <Group justify="flex-end">
          <Button variant="default" onClick={close}>Cancel</Button>
          <Button onClick={() => void submit()} loading={busy} disabled={broken}>Create</Button>
        </Group>
      </Stack>
    </OfKind>
  );
}
