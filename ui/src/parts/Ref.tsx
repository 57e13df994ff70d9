import { Anchor } from '@mantine/core';
import { link } from '../app/router.ts';

/** A link to an object, by its key or what people call it. Nothing for an empty key. */
export function Ref({ kind, id, children }: { kind: string; id: string; children?: React.ReactNode }) {
  if (!id) return null;
  return (
    <Anchor href={link(kind, id)} size="sm">
      {children ?? id}
    </Anchor>
  );
}
