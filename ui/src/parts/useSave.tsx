import { useCallback, useRef, useState, type ReactNode } from 'react';
import { api, ApiError, part, patch } from '../api/client.ts';
import type { JsonObject } from '../lib/json.ts';
import type { Edit } from '../lib/merge.ts';
import { save } from '../lib/save.ts';
import { ConflictDialog } from './ConflictDialog.tsx';

interface Asked {
  edit: Edit<JsonObject>;
  theirs: JsonObject;
  answer: (merged: JsonObject | undefined) => void;
}

export interface Saver {
  // The object as it was stored, or undefined when the user went back to his edit. Throws ApiError.
  save: (base: JsonObject, mine: JsonObject, options?: { force?: boolean }) => Promise<JsonObject | undefined>;
  saving: boolean;
  dialog: ReactNode; // to be put somewhere on the page
}

// useSave stores edits of one object as patches with tests, and asks when others have changed the
// same fields.
export function useSave(kind: string, id: string): Saver {
  const [asked, setAsked] = useState<Asked>();
  const [saving, setSaving] = useState(false);
  const run = useCallback(async (base: JsonObject, mine: JsonObject, { force }: { force?: boolean } = {}) => {
    const ask = (edit: Edit<JsonObject>, theirs: JsonObject) => new Promise<JsonObject | undefined>((resolve) => setAsked({ edit, theirs, answer: resolve }));
    setSaving(true);
    try {
      for (let edit = { base, mine }; ; ) {
        const outcome = await save(edit, {
          read: () => api<JsonObject>('GET', `/${kind}/${part(id)}`),
          send: (ops) => patch<JsonObject>(kind, id, ops, { force }),
          refused: (err) => err instanceof ApiError && err.status === 409,
        });
        if ('saved' in outcome) return outcome.saved;
        const merged = await ask(outcome.edit, outcome.theirs);
        if (!merged) return undefined;
        edit = { base: outcome.theirs, mine: merged };
      }
    } finally {
      setSaving(false);
      setAsked(undefined);
    }
  }, [kind, id]);
  const latest = useRef(asked);
  latest.current = asked;
  const answer = (merged: JsonObject | undefined) => {
    latest.current?.answer(merged);
    setAsked(undefined);
  };
  const dialog = asked && <ConflictDialog kind={kind} id={id} edit={asked.edit} theirs={asked.theirs} onMerged={answer} onCancel={() => answer(undefined)} />;
  return { save: run, saving, dialog };
}
