import { applyPatch } from 'rfc6902';
import { expect, it } from 'vitest';
import { equal, type JsonObject } from './json.ts';
import { choose, conflicts, differences, merge } from './merge.ts';
import { chance, changed, object } from './random.testing.ts';
import { save, type Road } from './save.ts';

class Refused extends Error {}

// A server on which others write before each patch that is sent, for some rounds.
function server(start: JsonObject, others: ((doc: JsonObject) => JsonObject)[]): Road & { doc: JsonObject } {
  const s = {
    doc: start,
    read: async () => s.doc,
    refused: (err: unknown) => err instanceof Refused,
    send: async (patch: Parameters<Road['send']>[0]) => {
      s.doc = others.shift()?.(s.doc) ?? s.doc;
      const next = structuredClone(s.doc);
      if (!patch.every((op) => applyPatch(next, [op])[0] === null)) throw new Refused('Test op failed.');
      return (s.doc = next);
    },
  };
  return s;
}

it('what is saved holds my edit and all that others have written meanwhile, or I am asked about every field that both have changed', async () => {
  let asked = 0;
  for (let seed = 0; seed < 1000; seed++) {
    const r = chance(seed);
    const base: JsonObject = { doc: object(r), other: 0 };
    const mine: JsonObject = { ...base, doc: changed(r, base.doc as JsonObject) };
    const theirs: JsonObject = { ...base, doc: changed(r, base.doc as JsonObject), other: 1 };
    const s = server(base, [() => theirs]);
    const outcome = await save({ base, mine }, s);
    if ('saved' in outcome) {
      expect(s.doc, `seed ${seed}`).toEqual(equal(base, mine) ? base : merge(base, mine, theirs));
      continue;
    }
    asked++;
    expect(s.doc, `seed ${seed}`).toEqual(theirs); // nothing was written before I have chosen
    const open = differences(outcome.edit.base, outcome.edit.mine, outcome.theirs);
    expect(conflicts(open).map((d) => d.path), `seed ${seed}`).toEqual(conflicts(differences(base, mine, theirs)).map((d) => d.path));
    const chosen = merge(outcome.edit.base, outcome.edit.mine, outcome.theirs, choose(open, 'mine'));
    const again = await save({ base: outcome.theirs, mine: chosen }, s);
    expect('saved' in again && again.saved, `seed ${seed}`).toEqual(chosen);
  }
  expect(asked).toBeGreaterThan(100);
});

it('a refusal for another reason is passed on, and so is a race that is lost again and again', async () => {
  const refuse: Road = { read: async () => ({ a: 1 }), send: () => Promise.reject(new Refused('in use')), refused: () => true };
  await expect(save({ base: { a: 1 }, mine: { a: 2 } }, refuse)).rejects.toThrow('in use');
  let n = 0;
  const busy = server({ m: {} }, Array.from({ length: 100 }, () => () => ({ m: { n: ++n } })));
  await expect(save({ base: { m: {} }, mine: { m: { x: 1 } } }, busy)).rejects.toThrow(Refused);
});
