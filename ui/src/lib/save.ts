// Saving an edit while others write too: one patch with tests; what others have changed in between
// is taken in, and only where both have changed the same field somebody has to choose.
import { equal, type JsonObject } from './json.ts';
import { patchOf, type Operation } from './jsonpatch.ts';
import { conflicts, differences, rebase, type Edit } from './merge.ts';

export interface Road {
  read: () => Promise<JsonObject>; // the object as the server has it now
  send: (patch: Operation[]) => Promise<JsonObject>;
  refused: (err: unknown) => boolean; // whether the patch failed since something was not as expected
}

export type Outcome = { saved: JsonObject } | { edit: Edit<JsonObject>; theirs: JsonObject };

const rounds = 8; // how often others may be faster

// save ends with the object as it was stored, or with the version of others that stands against it.
// It throws what the server refuses for other reasons.
export async function save(edit: Edit<JsonObject>, road: Road): Promise<Outcome> {
  for (let round = 1; ; round++) {
    const patch = patchOf(edit.base, edit.mine);
    try {
      return { saved: patch.length > 0 ? await road.send(patch) : edit.mine };
    } catch (err) {
      if (!road.refused(err) || round === rounds) throw err;
      const theirs = await road.read();
      if (equal(theirs, edit.base)) throw err; // nothing has changed: it was refused for another reason
      if (conflicts(differences(edit.base, edit.mine, theirs)).length > 0) return { edit, theirs };
      edit = rebase(edit, theirs);
    }
  }
}
