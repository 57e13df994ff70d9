import { Anchor, Text } from '@mantine/core';
import { link } from '../app/router.ts';

/** Who did something: a user, a machine, a job or the server itself. */
export function Who({ who, machine }: { who: string; machine?: (uuid: string) => string | undefined }) {
  const [kind, ...rest] = who.split(':');
  const key = rest.join(':');
  if (kind === 'user' && key) return <To kind="users" id={key}>{key}</To>;
  if (kind === 'machine' && key) return <To kind="machines" id={key}>{machine?.(key) ?? `machine ${key.slice(0, 8)}`}</To>;
  if (kind === 'job' && key) return <To kind="jobs" id={key}>{`job ${key.slice(0, 8)}`}</To>;
  return <Text span inherit>{who || '–'}</Text>;
}

function To({ kind, id, children }: { kind: string; id: string; children: string }) {
  return (
    <Anchor inherit href={link(kind, id)} title={id}>
      {children}
    </Anchor>
  );
}
