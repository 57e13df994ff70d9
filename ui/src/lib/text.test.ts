import { describe, expect, it } from 'vitest';
import { chance, object } from './random.testing.ts';
import { lineOfPointer, read, write } from './text.ts';

describe('a document as text', () => {
  it('is read again as it was written, in both notations', () => {
    for (let seed = 0; seed < 500; seed++) {
      const doc = object(chance(seed));
      for (const notation of ['json', 'yaml'] as const) expect(read(write(doc, notation), notation), `seed ${seed} ${notation}`).toEqual({ value: doc, marks: [] });
    }
  });
  it('keeps strings that look like something else, and scripts as blocks', () => {
    const doc = { a: 'yes', b: '1', c: '#!/bin/bash\necho {{.Machine.Name}}\n', d: '2026-11-21', e: 'null' };
    expect(read(write(doc, 'yaml'), 'yaml').value).toEqual(doc);
    expect(write(doc, 'yaml')).toContain('c: |');
  });
});

describe('what is wrong', () => {
  it('is marked at its line', () => {
    expect(read('{\n  "a": 1,\n  "b": \n}', 'json').marks[0].line).toBeGreaterThanOrEqual(3);
    expect(read('{\n  "a": 1,\n  c: 2\n}', 'json')).toMatchObject({ marks: [{ line: 3 }] });
    expect(read('a: 1\nb: [\nc: 3\n', 'yaml').value).toBeUndefined();
    expect(read('a: 1\nb: 2\na: 3\n', 'yaml').marks[0].line).toBe(3);
    const schema = { type: 'object', properties: { a: { type: 'integer' }, l: { type: 'array', items: { type: 'string' } } }, additionalProperties: false };
    expect(read('a: x\nl:\n- u\n- 4\nz: 1\n', 'yaml', schema).marks.map((m) => m.line).sort()).toEqual([1, 4, 5]);
    expect(read('{\n "l": [\n  "u",\n  4\n ],\n "a": "x" }', 'json', schema).marks.map((m) => m.line).sort()).toEqual([4, 6]);
  });
  it('is found by its pointer', () => {
    expect(lineOfPointer('{\n "a/b": {\n  "c": 1 }\n}', '/a~1b/c')).toBe(3);
    expect(lineOfPointer('a: 1\n', '/none')).toBe(1);
  });
});
