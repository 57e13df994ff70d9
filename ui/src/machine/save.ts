import { useState } from 'react';
import type { Operation } from 'rfc6902';
import { patch } from '../api/client.ts';
import type { Machine } from '../api/types.ts';
import { notifyDone, notifyError } from '../parts/Problem.tsx';

/** Operations that set a field if it still is what it was. */
export const changed = (path: string, was: unknown, is: unknown): Operation[] => [
  { op: 'test', path, value: was },
  { op: 'replace', path, value: is },
];

export const saveMachine = (m: Pick<Machine, 'Uuid'>, ops: Operation[], force = false) => patch<Machine>('machines', m.Uuid, ops, { force });

/** Does things one at a time, and tells what came of them; run is true when it was done. */
export function useDoing() {
  const [busy, setBusy] = useState(false);
  const run = async (what: () => Promise<unknown>, done?: string): Promise<boolean> => {
    setBusy(true);
    try {
      await what();
      if (done) notifyDone(done);
      return true;
    } catch (err) {
      notifyError(err);
      return false;
    } finally {
      setBusy(false);
    }
  };
  return { busy, run };
}
