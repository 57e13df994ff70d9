import { Alert, Anchor, Badge, Button, Group, Loader, Menu, Stack, Tabs, Text } from '@mantine/core';
import { useState } from 'react';
import { useParams } from 'wouter';
import { change, part } from '../api/client.ts';
import { keyField, storedKey } from '../api/types.ts';
import { navigate, useQueryState, useRest } from '../app/router.ts';
import { isObject, type JsonObject } from '../lib/json.ts';
import { bodyOf, withBody, type Kind } from '../lib/kind.ts';
import { validate } from '../lib/schema.ts';
import { confirm } from '../parts/confirm.tsx';
import { ConflictDialog, fieldName, who } from '../parts/ConflictDialog.tsx';
import { Fields, OfKind } from '../parts/Control.tsx';
import { Empty } from '../parts/Empty.tsx';
import { Icon } from '../parts/Icon.tsx';
import { Page } from '../parts/Page.tsx';
import { actionsOf, PluginMenu } from '../parts/PluginActions.tsx';
import { notifyDone, notifyError, Problem } from '../parts/Problem.tsx';
import { useSave, type Saver } from '../parts/useSave.tsx';
import { download } from './download.ts';
import { DocumentEditor } from './DocumentEditor.tsx';
import { extras } from './extras.tsx';
import { History } from './History.tsx';
import classes from './kinds.module.css';
import { ParamsForm } from './ParamsForm.tsx';
import { useDraft, type Draft } from './useDraft.ts';
import { useKind } from './useKind.ts';

// ObjectPage is any object of any kind, as the API describes it.
export default function ObjectPage() {
  const { kind: name = '', '*': rest } = useParams<{ kind: string; '*': string }>();
  const key = useRest(rest);
  const { kind, loading, error } = useKind(name);
  if (loading) return <Page title={key}><Loader size="sm" aria-label="Loading" /></Page>;
  if (error) return <Page title={key}><Problem error={error} /></Page>;
  if (!kind) return <Page title={key}><Empty title={`There is no kind ${name}`}><Anchor href="#/objects">All kinds</Anchor></Empty></Page>;
  return <ObjectOf key={`${name}/${key}`} kind={kind} id={storedKey(name, key)} />;
}

function ObjectOf({ kind, id }: { kind: Kind; id: string }) {
  const draft = useDraft(kind.name, id);
  const saver = useSave(kind.name, id);
  if (draft.error && !draft.object) return <Page title={id}><Problem error={draft.error} /></Page>;
  const Unmade = extras[kind.name]?.Unmade;
  if (draft.missing && !draft.object && Unmade) return <Page title={id} before={<Anchor href={`#/objects/${kind.name}`} size="sm">{kind.name}</Anchor>}><Unmade id={id} /></Page>;
  if (draft.missing && !draft.object) return <Page title={id}><Empty title={`There is no ${id} among the ${kind.name}`}><Anchor href={`#/objects/${kind.name}`}>All {kind.name}</Anchor></Empty></Page>;
  if (!draft.object || !draft.edit) return <Page title={id}><Loader size="sm" aria-label={`Loading ${id}`} /></Page>;
  const object = draft.object;
  const writable = kind.can.change && object.ReadOnly !== true && !draft.missing;
  return (
    <OfKind value={kind.name}>
      <Page title={String(object[keyField(kind.name)] ?? id)} before={<Anchor href={`#/objects/${kind.name}`} size="sm">{kind.name}</Anchor>} after={<Standing object={object} missing={draft.missing} />}
        actions={<Actions kind={kind} id={id} object={object} writable={writable} />}>
        <Stack gap="sm">
          <Notices kind={kind} id={id} object={object} draft={draft} />
          <Views kind={kind} id={id} draft={draft} writable={writable} saver={saver} />
        </Stack>
      </Page>
      {saver.dialog}
    </OfKind>
  );
}

function Standing({ object, missing }: { object: JsonObject; missing: boolean }) {
  return (
    <Group gap={6}>
      {missing && <Badge color="red" variant="light">deleted</Badge>}
      {object.Available === false && <Badge color="red" variant="light" leftSection={<Icon name="warning sign" />}>not available</Badge>}
      {object.ReadOnly === true && <Badge color="gray" variant="light" leftSection={<Icon name="lock" />}>read-only</Badge>}
    </Group>
  );
}

// Plugins have nothing to do with some kinds, nor with params that have a slash in their names.
const hasActions = (kind: string, id: string) => !['interfaces', 'plugin_providers'].includes(kind) && !id.includes('/');

function Actions({ kind, id, object, writable }: { kind: Kind; id: string; object: JsonObject; writable: boolean }) {
  const remove = async () => {
    const yes = await confirm({ title: `Delete ${id}?`, action: 'Delete', danger: true, children: `It is gone from the ${kind.name} at once. History can bring it back.` });
    if (!yes) return;
    try {
      await change('DELETE', `/${kind.name}/${part(id)}`);
      notifyDone(`${kind.name} ${id} is deleted`);
      navigate(`/objects/${kind.name}`);
    } catch (err) {
      notifyError(err);
    }
  };
  const Extra = extras[kind.name]?.Actions;
  return (
    <>
      {Extra && <Extra id={id} object={object} />}
      {hasActions(kind.name, id) && <PluginMenu path={actionsOf(kind.name, id)} on={id} />}
      {kind.can.create && <Button size="xs" variant="default" component="a" href={`#/objects/${kind.name}?clone=${encodeURIComponent(id)}`} leftSection={<Icon name="clone" />}>Clone</Button>}
      <Menu>
        <Menu.Target><Button size="xs" variant="default" leftSection={<Icon name="download" />}>Export</Button></Menu.Target>
        <Menu.Dropdown>
          <Menu.Item onClick={() => download(`${id}.json`, object, 'json')}>JSON</Menu.Item>
          <Menu.Item onClick={() => download(`${id}.yaml`, object, 'yaml')}>YAML</Menu.Item>
        </Menu.Dropdown>
      </Menu>
      {writable && kind.can.remove && <Button size="xs" variant="default" color="red" onClick={() => void remove()} leftSection={<Icon name="trash" />}>Delete</Button>}
    </>
  );
}

function Notices({ kind, id, object, draft }: { kind: Kind; id: string; object: JsonObject; draft: Draft }) {
  const errors = Array.isArray(object.Errors) ? object.Errors.map(String) : [];
  const pack = typeof object.Bundle === 'string' ? object.Bundle : '';
  return (
    <>
      {draft.missing && (
        <Alert color="red" variant="light" title={`${id} was deleted`}>What you see is what it was. History can bring it back; Clone in its list makes another one.</Alert>
      )}
      {errors.length > 0 && (
        <Alert color="red" variant="light" title="Not available" icon={<Icon name="warning sign" />}>{errors.map((e) => <Text size="sm" key={e}>{e}</Text>)}</Alert>
      )}
      {object.ReadOnly === true && (
        <Text size="sm" c="dimmed">
          {pack ? <>It comes from the content pack <Anchor size="sm" underline="always" href={`#/contents/${encodeURIComponent(pack)}`}>{pack}</Anchor> and cannot be changed here.</> : 'It cannot be changed here.'}
          {kind.can.create && ' Clone it to get one of your own.'}
        </Text>
      )}
    </>
  );
}

interface ViewProps {
  kind: Kind;
  id: string;
  draft: Draft;
  writable: boolean;
  saver: Saver;
}

function Views({ kind, id, draft, writable, saver }: ViewProps) {
  const Extra = extras[kind.name];
  const [tab, setTab] = useQueryState('tab', Extra?.first ? Extra.tab!.value : 'form');
  const [broken, setBroken] = useState(false);
  const [error, setError] = useState<unknown>();
  const [reviewing, setReviewing] = useState(false);
  const { edit, object } = draft;
  const key = keyField(kind.name);
  const mine = edit!.mine;
  const body = bodyOf(kind, mine);
  const flaws = writable ? [...validate(kind.schema, body), ...flawsOfParams(mine)] : [];
  const change = writable ? draft.set : undefined;
  const fields = kind.fields.filter((f) => !['Params', 'Templates'].includes(f.name) && !(f.name === 'Errors') && !(f.readOnly && hiddenWhenFixed.has(f.name)))
    .map((f) => (f.name === key ? { ...f, readOnly: true } : f));
  const templates = kind.fields.filter((f) => f.name === 'Templates');
  const save = async () => {
    setError(undefined);
    try {
      const saved = await saver.save(edit!.base, edit!.mine);
      if (saved) {
        draft.reset(saved);
        notifyDone(`${kind.name} ${id} is saved`);
      }
    } catch (err) {
      setError(err);
    }
  };
  const count = (v: unknown) => (isObject(v) ? Object.keys(v).length : Array.isArray(v) ? v.length : 0);
  return (
    <>
      <Tabs value={tab} onChange={(t) => setTab(t ?? 'form')} keepMounted={false}>
        <Tabs.List>
          {Extra?.tab && Extra.first && <Tabs.Tab value={Extra.tab.value}>{Extra.tab.label}</Tabs.Tab>}
          <Tabs.Tab value="form">Form</Tabs.Tab>
          {templates.length > 0 && <Tabs.Tab value="templates">Templates <Count n={count(mine.Templates)} /></Tabs.Tab>}
          {kind.params && <Tabs.Tab value="params">Params <Count n={count(mine.Params)} /></Tabs.Tab>}
          {Extra?.tab && !Extra.first && <Tabs.Tab value={Extra.tab.value}>{Extra.tab.label}</Tabs.Tab>}
          <Tabs.Tab value="text">YAML / JSON</Tabs.Tab>
          <Tabs.Tab value="history">History</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="form" pt="md">
          <Fields fields={fields} value={mine} onChange={change} flaws={flaws} />
        </Tabs.Panel>
        <Tabs.Panel value="templates" pt="md">
          <Text size="sm" mb="sm"><Anchor size="sm" href={`#/preview?kind=${kind.name}&key=${encodeURIComponent(id)}`}>Preview them on a machine</Anchor></Text>
          <Fields fields={templates} value={mine} onChange={change} flaws={flaws} />
        </Tabs.Panel>
        <Tabs.Panel value="params" pt="md">
          <ParamsForm params={isObject(mine.Params) ? mine.Params : {}} onChange={change && ((Params) => change({ ...mine, Params }))} holder={{ kind: kind.name, id }} />
        </Tabs.Panel>
        {Extra?.tab && <Tabs.Panel value={Extra.tab.value} pt="md"><Extra.tab.Panel id={id} object={object!} /></Tabs.Panel>}
        <Tabs.Panel value="text" pt="md">
          <DocumentEditor label={`${kind.name} ${id}`} value={writable ? body : mine} stored={bodyOf(kind, object!)} schema={writable ? kind.schema : undefined}
            onChange={change && ((b) => change(withBody(kind, mine, b)))} onBroken={setBroken} onSave={() => void save()} />
        </Tabs.Panel>
        <Tabs.Panel value="history" pt="md"><History kind={kind.name} id={id} now={object!} /></Tabs.Panel>
      </Tabs>
      {error !== undefined && <Problem error={error} />}
      {draft.changed.length > 0 && writable && (
        <div className={classes.bar} role="region" aria-label="Unsaved changes">
          <div style={{ minWidth: 0 }}>
            <Text size="sm"><b>Not saved:</b> {draft.changed.map((d) => fieldName(d.path)).join(', ')}</Text>
            {draft.news && (
              <Text size="sm" role="status" c={draft.open.length > 0 ? 'var(--mantine-color-error)' : undefined}>
                Changed by {who(draft.news.by) || 'others'} meanwhile: {draft.news.paths.map(fieldName).join(', ')}.
                {draft.open.length > 0 ? ' You have changed the same. ' : ' It is taken in above. '}
                {draft.open.length > 0 && <Button size="compact-xs" variant="default" onClick={() => setReviewing(true)}>Review</Button>}
              </Text>
            )}
            {flaws.length > 0 && <Text size="xs" c="dimmed">{flaws.length === 1 ? '1 value does' : `${flaws.length} values do`} not fit: {flaws.slice(0, 3).map((f) => fieldName(f.path)).join(', ')}. The server decides.</Text>}
          </div>
          <Group gap="xs">
            <Button size="xs" variant="default" onClick={() => { draft.reset(); setError(undefined); }}>Discard</Button>
            <Button size="xs" onClick={() => void save()} loading={saver.saving} disabled={broken}>Save</Button>
          </Group>
        </div>
      )}
      {reviewing && draft.open.length > 0 && (
        <ConflictDialog kind={kind.name} id={id} edit={edit!} theirs={object!} action="Take this" onCancel={() => setReviewing(false)}
          onMerged={(merged) => { draft.resolve(merged); setReviewing(false); }} />
      )}
    </>
  );
}

// What stands elsewhere on the page, or says nothing here.
const hiddenWhenFixed = new Set(['Validated', 'Available', 'ReadOnly', 'Endpoint', 'Partial', 'Bundle', 'Type']);

const Count = ({ n }: { n: number }) => (n > 0 ? <Badge size="xs" variant="light" color="gray">{n}</Badge> : null);

// The params of an object are looked at by the schemas that their control knows; here only that
// names are possible.
function flawsOfParams(object: JsonObject) {
  return isObject(object.Params) ? Object.keys(object.Params).flatMap((k) => (/^\p{L}[\p{L}\p{N}\-_. /]+$/u.test(k) ? [] : [{ path: `/Params/${k}`, message: 'is no name of a param' }])) : [];
}

