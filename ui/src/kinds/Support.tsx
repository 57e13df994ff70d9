import { Anchor, Button, Fieldset, Group, NumberInput, Select, Stack, Text } from '@mantine/core';
import { useState } from 'react';
import { api, count, send } from '../api/client.ts';
import { keyOf } from '../api/types.ts';
import type { JsonObject } from '../lib/json.ts';
import { zip } from '../lib/zip.ts';
import { Problem } from '../parts/Problem.tsx';
import { save } from './download.ts';

const measurements = [
  { value: 'profile', label: 'processor time' }, { value: 'trace', label: 'trace' }, { value: 'heap', label: 'memory in use' }, { value: 'allocs', label: 'memory taken since the start' },
  { value: 'goroutine', label: 'what it does now' }, { value: 'block', label: 'waits' }, { value: 'mutex', label: 'waits for locks' }, { value: 'threadcreate', label: 'threads' }, { value: 'index', label: 'objects and indexes' },
];

// Support is what one saves for those who are to help.
export function Support() {
  const [of, setOf] = useState('profile');
  const [seconds, setSeconds] = useState<number | string>(30);
  const [busy, setBusy] = useState('');
  const [error, setError] = useState<unknown>();
  const timed = of === 'profile' || of === 'trace';
  const doing = async (what: string, run: () => Promise<void>) => {
    setBusy(what);
    setError(undefined);
    await run().catch(setError);
    setBusy('');
  };
  const measure = async () => {
    const path = of === 'index' ? '/drp_debug/index' : `/debug/${of}`;
    const answer = await send('GET', path, { query: timed ? { seconds: Number(seconds) } : {}, headers: { Accept: '*/*' } });
    save(of === 'index' ? 'index.json' : of === 'trace' ? 'trace.out' : `${of}.pprof`, await answer.blob());
  };
  return (
    <Fieldset legend="Support">
      <Stack gap="xs">
        <Text size="sm">A support bundle has what others need to understand what the server does: info, preferences but for secrets, packs, counts, what is wrong with which objects, and the log. Names of machines and addresses are in it; params are not. Nothing is sent to anybody.</Text>
        <Group><Button variant="default" loading={busy === 'bundle'} disabled={busy !== ''} onClick={() => void doing('bundle', bundle)}>Save a support bundle</Button></Group>
        <Group align="flex-end" gap="xs">
          <Select label="Measure" data={measurements} value={of} onChange={(v) => { setOf(v ?? 'profile'); setSeconds(v === 'trace' ? 1 : 30); }} allowDeselect={false} />
          {timed && <NumberInput label="Seconds" value={seconds} onChange={setSeconds} min={1} max={300} allowDecimal={false} w={100} />}
          <Button variant="default" loading={busy === 'measure'} disabled={busy !== '' || (timed && !Number(seconds))} onClick={() => void doing('measure', measure)}>Measure and save</Button>
        </Group>
        <Text size="xs" c="dimmed">go tool pprof and go tool trace read what is measured. <Anchor size="xs" underline="always" href="#/logs">The log as it comes</Anchor></Text>
        {error !== undefined && <Problem error={error} />}
      </Stack>
    </Fieldset>
  );
}

const isSecret = (name: string) => /secret|password|key$/i.test(name);

// bundle saves what "drp support bundle" saves. What cannot be had is told in its place: a bundle of a sick server is the one that is needed.
async function bundle() {
  const files: [string, string][] = [];
  const add = async (name: string, get: () => Promise<unknown>) => {
    try {
      files.push([`${name}.json`, JSON.stringify(await get(), null, 2) + '\n']);
    } catch (err) {
      files.push([`${name}.error.txt`, `${(err as Error).message}\n`]);
    }
  };
  const kinds = (await api<string[]>('GET', '/objects')).filter((k) => k !== 'preferences');
  await add('client', () => Promise.resolve({ Page: location.origin + location.pathname, Browser: navigator.userAgent }));
  await add('info', () => api('GET', '/info'));
  await add('contents', () => api('GET', '/contents'));
  await add('prefs', async () => Object.fromEntries(Object.entries(await api<Record<string, string>>('GET', '/prefs')).map(([k, v]) => [k, isSecret(k) ? '(left out)' : v])));
  await add('counts', async () => Object.fromEntries(await Promise.all(kinds.map(async (k) => [k, await count(k).catch((err: Error) => err.message)] as const))));
  await add('errors', async () => (await Promise.all(kinds.map(ailing))).flat());
  await add('log', () => api('GET', '/logs'));
  const at = new Date().toISOString().slice(0, 19).replaceAll(/[T:]/g, '-');
  save(`drp-support-bundle-${at}.zip`, new Blob([zip(files.map(([name, text]) => [`drp-support/${name}`, text]))], { type: 'application/zip' }));
}

async function ailing(kind: string) {
  const list = await api<JsonObject[]>('GET', '/' + kind, { query: { Available: false, slim: 'Params,Meta' } }).catch(() => []);
  return list.map((o) => ({ Kind: kind, Key: keyOf(kind, o), Errors: o.Errors }));
}
