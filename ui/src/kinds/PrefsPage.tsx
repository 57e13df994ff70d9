import { Button, Fieldset, Group, Loader, PasswordInput, Select, Stack, Text } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { api, change } from '../api/client.ts';
import { useEvents } from '../live/hooks.ts';
import { conflicts, differences, rebase, type Edit } from '../lib/merge.ts';
import { ConflictDialog, fieldName } from '../parts/ConflictDialog.tsx';
import { Control, OfKind } from '../parts/Control.tsx';
import { Page } from '../parts/Page.tsx';
import { notifyDone, Problem } from '../parts/Problem.tsx';
import controls from '../parts/Control.module.css';
import classes from './kinds.module.css';

type Prefs = Record<string, string>;

const levels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'panic', 'audit'];

interface Pref {
  help: string;
  choices?: string[];
  secret?: boolean;
}

const groups: [string, Record<string, Pref>][] = [
  ['What new machines start with', {
    defaultWorkflow: { help: 'the workflow of a new machine; empty: none' }, defaultStage: { help: 'its stage, when it has no workflow' }, defaultBootEnv: { help: 'what it boots' },
    unknownBootEnv: { help: 'what hosts boot that are no machines yet; must be for unknown ones' },
  }],
  ['What is kept', {
    jobsToKeep: { help: 'jobs of each machine; 0: all' }, failedJobsPurgedAfter: { help: 'failed jobs go after this time, such as 30d; 0: never' },
    completeJobsPurgedAfter: { help: 'finished jobs go after this time; 0: never' }, historyDays: { help: 'days that history is kept; 0: for good' },
    historyMegabytes: { help: 'the most that history takes; 0: any' },
  }],
  ['Tokens', {
    knownTokenTimeout: { help: 'seconds that the token of a machine is good at boot' }, unknownTokenTimeout: { help: 'seconds that the token of an unknown host is good' },
    baseTokenSecret: { help: 'signs all tokens, 32 bytes; another one ends them all, that of this page too', secret: true },
    systemGrantorSecret: { help: 'signs tokens that the server hands out itself', secret: true },
  }],
  ['Log', {
    logLevel: { help: 'what the log of the server has at least', choices: levels }, debugBootEnv: { help: 'about boot environments', choices: levels },
    debugDhcp: { help: 'about DHCP', choices: levels }, debugFrontend: { help: 'about requests', choices: levels }, debugPlugins: { help: 'about plugins', choices: levels },
    debugRenderer: { help: 'about templates', choices: levels },
  }],
];

// PrefsPage is what the server does unless it is told otherwise.
export default function PrefsPage() {
  const client = useQueryClient();
  const { data, error } = useQuery({ queryKey: ['prefs'], queryFn: () => api<Prefs>('GET', '/prefs') });
  const [edit, setEdit] = useState<Edit<Prefs>>();
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<unknown>();
  const [asking, setAsking] = useState(false);
  useEvents('preferences.*.*', () => void client.invalidateQueries({ queryKey: ['prefs'] }));
  useEffect(() => {
    if (data) setEdit((e) => (e ? rebase(e, data) : { base: data, mine: data }));
  }, [data]);

  if (error) return <Page title="Preferences"><Problem error={error} /></Page>;
  if (!edit || !data) return <Page title="Preferences"><Loader size="sm" aria-label="Loading" /></Page>;
  const changed = differences(edit.base, edit.mine, edit.base);
  const open = conflicts(differences(edit.base, edit.mine, data));
  const store = async (mine: Prefs, over: Prefs) => {
    setBusy(true);
    setFailure(undefined);
    try {
      const body = Object.fromEntries(Object.entries(mine).filter(([k, v]) => over[k] !== v));
      const stored = await change<Prefs>('POST', '/prefs', { body });
      client.setQueryData(['prefs'], stored);
      setEdit({ base: stored, mine: stored });
      notifyDone('The preferences are saved');
    } catch (err) {
      setFailure(err);
    } finally {
      setBusy(false);
    }
  };
  const known = new Set(groups.flatMap(([, g]) => Object.keys(g)));
  const others = Object.fromEntries(Object.keys(data).filter((k) => !known.has(k)).map((k): [string, Pref] => [k, { help: '' }]));
  const set = (k: string, v: string) => setEdit({ ...edit, mine: { ...edit.mine, [k]: v } });
  return (
    <OfKind value="preferences">
      <Page title="Preferences" after={<Text size="sm" c="dimmed" visibleFrom="sm">What the server does unless it is told otherwise.</Text>}>
        <Stack>
          {[...groups, ...(Object.keys(others).length > 0 ? [['Others', others] as const] : [])].map(([title, prefs]) => (
            <Fieldset key={title} legend={title}>
              <div className={controls.fields}>
                {Object.entries(prefs).filter(([k]) => k in data).map(([k, p]) => <PrefControl key={k} name={k} pref={p} value={edit.mine[k] ?? ''} set={(v) => set(k, v)} />)}
              </div>
            </Fieldset>
          ))}
          {failure !== undefined && <Problem error={failure} />}
        </Stack>
        {changed.length > 0 && (
          <div className={classes.bar} role="region" aria-label="Unsaved changes">
            <div>
              <Text size="sm"><b>Not saved:</b> {changed.map((d) => fieldName(d.path)).join(', ')}</Text>
              {open.length > 0 && <Text size="sm" c="var(--mantine-color-error)" role="status">Others have changed {open.map((d) => fieldName(d.path)).join(', ')} meanwhile.</Text>}
            </div>
            <Group gap="xs">
              <Button size="xs" variant="default" onClick={() => { setEdit({ base: data, mine: data }); setFailure(undefined); }}>Discard</Button>
              <Button size="xs" loading={busy} onClick={() => (open.length > 0 ? setAsking(true) : void store(edit.mine, data))}>Save</Button>
            </Group>
          </div>
        )}
        {asking && <ConflictDialog kind="preferences" id={open.map((d) => fieldName(d.path)).join(', ')} edit={edit} theirs={data} onCancel={() => setAsking(false)} onMerged={(m) => { setAsking(false); void store(m as Prefs, data); }} />}
      </Page>
    </OfKind>
  );
}

function PrefControl({ name, pref, value, set }: { name: string; pref: Pref; value: string; set: (v: string) => void }) {
  if (pref.choices) return <Select label={name} description={pref.help} data={[...new Set([...pref.choices, value])]} value={value} onChange={(v) => v !== null && set(v)} allowDeselect={false} />;
  if (pref.secret) return <PasswordInput label={name} description={pref.help} value={value} onChange={(e) => set(e.currentTarget.value)} autoComplete="off" />;
  return <Control field={{ name, shape: 'string', help: pref.help, readOnly: false, required: false, schema: {} }} value={value} onChange={(v) => set(String(v))} path={`/${name}`} />;
}
