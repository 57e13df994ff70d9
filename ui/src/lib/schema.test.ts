import { describe, expect, it } from 'vitest';
import type { Json } from './json.ts';
import { blank, documentSchema, fieldOf, fieldsOf, validate, type Components, type Schema } from './schema.ts';

const components: Components = {
  Claim: { type: 'object', properties: { scope: { type: 'string' } }, additionalProperties: false, required: ['scope'] },
  Role: {
    type: 'object', required: ['Name'], additionalProperties: false,
    properties: {
      Name: { type: 'string' }, Available: { type: 'boolean', readOnly: true, description: 'usable now' }, Claims: { type: 'array', items: { $ref: '#/components/schemas/Claim' } },
      Meta: { type: 'object', additionalProperties: { type: 'string' } }, Extra: { nullable: true },
    },
  },
  Tree: { type: 'object', properties: { Left: { $ref: '#/components/schemas/Tree' } } },
};

describe('a form model', () => {
  it('has the shape of each schema', () => {
    const shapes: [Schema, string][] = [
      [{ type: 'boolean' }, 'boolean'], [{ type: 'integer', minimum: 1 }, 'integer'], [{ type: 'number' }, 'number'], [{ type: 'string' }, 'string'],
      [{ type: ['string', 'null'] }, 'string'], [{ type: ['string', 'integer'] }, 'json'], [{ type: 'string', enum: ['a'] }, 'choice'], [{ enum: [1, 'b'] }, 'choice'],
      [{ type: 'string', format: 'date-time' }, 'time'], [{ type: 'array', items: { type: 'string' } }, 'list'], [{ type: 'array' }, 'json'],
      [{ type: 'array', items: [{ type: 'string' }] }, 'json'], [{ type: 'object' }, 'map'], [{ type: 'object', additionalProperties: { type: 'integer' } }, 'map'],
      [{ type: 'object', properties: { a: {} } }, 'object'], [{ type: 'object', patternProperties: { '^a': {} } }, 'json'], [{}, 'json'], [{ oneOf: [{ type: 'string' }] }, 'json'],
      [{ $ref: '#' }, 'json'],
    ];
    for (const [schema, shape] of shapes) expect(fieldOf('x', schema).shape, JSON.stringify(schema)).toBe(shape);
  });

  it('follows the references of a description, and ends where it holds itself', () => {
    const role = fieldsOf(components.Role, components);
    expect(role.map((f) => [f.name, f.shape, f.readOnly])).toEqual(
      [['Name', 'string', false], ['Available', 'boolean', true], ['Claims', 'list', false], ['Extra', 'json', false], ['Meta', 'map', false]]);
    expect(role[2].items?.fields?.[0]).toMatchObject({ name: 'scope', required: true });
    expect(role[1].help).toBe('usable now');
    expect(JSON.stringify(fieldsOf(components.Tree, components))).toContain('"json"');
  });

  it('starts a new value with one that its schema allows', () => {
    const schemas: Schema[] = [
      { type: 'boolean' }, { type: 'integer', minimum: 3 }, { type: 'number' }, { type: 'string' }, { type: 'string', enum: ['x', 'y'] }, { type: 'array', items: { type: 'string' } },
      { type: 'object', additionalProperties: { type: 'string' } }, { type: 'object', properties: { a: { type: 'integer' }, b: { type: 'string' } }, required: ['a'] },
      { type: 'string', default: 'there' },
    ];
    for (const s of schemas) expect(validate(s, blank(fieldOf('x', s))), JSON.stringify(s)).toEqual([]);
  });
});

describe('validation', () => {
  const flaws = (schema: Schema, value: Json) => validate(schema, value).map((f) => f.path);
  it('points at the part that is wrong, not at the whole', () => {
    expect(flaws({ type: 'object', properties: { 'a/b': { type: 'array', items: { type: 'integer' } } } }, { 'a/b': [1, 'x', 2] })).toEqual(['/a~1b/1']);
    expect(validate({ type: 'string' }, 3)).toEqual([{ path: '', message: 'is number, and should be string' }]);
    expect(flaws({ type: 'string', pattern: '^a+$' }, 'b')).toEqual(['']);
    expect(flaws({ type: 'object', required: ['a'] }, {})).toEqual(['']);
    expect(flaws({ type: 'object', properties: { a: {} }, additionalProperties: false }, { b: 1 })).toEqual(['/b']);
  });
  it('reads schemas of draft 4 as well, and lets the server judge what it cannot read', () => {
    expect(flaws({ type: 'integer', minimum: 1, exclusiveMinimum: true }, 1)).toEqual(['']);
    expect(flaws({ type: 'integer', exclusiveMinimum: 1 }, 1)).toEqual(['']);
    expect(flaws({ type: 'string', pattern: '(?=x)' }, 'y')).toEqual([]);
    expect(validate(null, 3)).toEqual([]);
  });
  it('reads patterns as the server does', () => {
    expect(flaws({ type: 'string', pattern: '(?i)^x\\z' }, 'X')).toEqual([]);
    expect(validate({ type: 'string', pattern: '(?i)^x\\z', allOf: [{ minLength: 2 }] }, 'y').map((f) => f.message)).toEqual(['String is too short (1 < 2).', 'String does not match (?i)^x\\z']);
    expect(flaws({ properties: { pattern: { const: { pattern: 'a' } } } }, { pattern: { pattern: 'a' } })).toEqual([]);
    expect(flaws({ patternProperties: { '^x-': { type: 'string' } }, additionalProperties: false }, { 'x-a': 1, y: 2 })).toEqual(['/x-a', '/y']);
  });
  it('ends, whatever a schema says', () => {
    const doubled = Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`d${i}`, { allOf: [{ $ref: `#/definitions/d${i + 1}` }, { $ref: `#/definitions/d${i + 1}` }] }]));
    const endless: [Schema, Json][] = [
      [{ type: 'string', pattern: '^(a+)+$' }, 'a'.repeat(5000) + '!'], [{ type: 'string', format: 'url' }, 'http://' + 'a'.repeat(5000) + '!'],
      [{ patternProperties: { '^(a+)+$': {} } }, { ['a'.repeat(5000) + '!']: 1 }], [{ $ref: '#' }, 1], [{ allOf: [{ $ref: '#' }, { $ref: '#' }] }, 1],
      [{ $ref: '#/definitions/d0', definitions: { ...doubled, d60: {} } }, 1], [{ type: 'array', uniqueItems: true }, Array.from({ length: 100_000 }, (_, i) => i)],
    ];
    for (const [schema, value] of endless) expect(Array.isArray(validate(schema, value))).toBe(true);
  });
  it('of a whole object knows its fields, and does not miss those that are left out', () => {
    const schema = documentSchema('Role', components);
    expect(validate(schema, { Claims: [{ scope: 'x' }], Extra: 3 })).toEqual([]);
    expect(validate(schema, { Claims: [{ scope: 4 }], Nme: 'x' }).map((f) => f.path).sort()).toEqual(['/Claims/0/scope', '/Nme']);
  });
});
