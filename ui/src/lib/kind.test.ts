import { expect, it } from 'vitest';
import type { JsonObject } from './json.ts';
import { bodyOf, cloneOf, describe as describeKind, withBody, type Description } from './kind.ts';
import { chance, json } from './random.testing.ts';
import { validate } from './schema.ts';

const list = (name: string) => ({ get: { responses: { 200: { content: { 'application/json': { schema: { type: 'array', items: { $ref: `#/components/schemas/${name}` } } } } } } }, post: {} });
const common = { Available: { type: 'boolean', readOnly: true }, Meta: { type: 'object', additionalProperties: { type: 'string' } } };

const d: Description = {
  paths: {
    '/api/v3/roles': list('Role'), '/api/v3/roles/{id}': { patch: {}, delete: {} }, '/api/v3/logs': list('Role'), '/api/v3/{kind}': list('Custom'), '/api/v3/{kind}/{id}': { patch: {}, delete: {} },
  },
  tags: [{ name: 'roles', description: 'Role is a named list of claims.' }],
  components: {
    schemas: {
      Role: { type: 'object', additionalProperties: false, required: ['Name'], properties: { ...common, Description: { type: 'string' }, Documentation: { type: 'string' }, Name: { type: 'string' } } },
      Custom: { type: 'object', properties: { ...common, Id: { type: 'string' }, Type: { type: 'string' }, Params: { type: 'object', additionalProperties: {} } } },
    },
  },
};
const roles = describeKind('roles', d, 'Name')!;
const spots = describeKind('spots', d, 'Id', [{ Name: 'spotter', StoreObjects: { spots: { Size: { type: 'integer', minimum: 1, isrequired: true } } } }])!;

it('a kind is known by its routes and its component', () => {
  expect(roles).toMatchObject({ about: 'A named list of claims.', can: { create: true, change: true, remove: true }, params: false });
  expect(roles.fields.map((f) => [f.name, f.readOnly, f.required])).toEqual(
    [['Name', false, false], ['Description', false, false], ['Documentation', false, false], ['Meta', false, false], ['Available', true, false]]);
  expect(describeKind('logs', d, 'Name')).toBeUndefined(); // not a kind: its members have no routes
  expect(describeKind('spots', d, 'Id')).toBeUndefined();
});

it('a kind that a plugin provider defines has its members, and what is common to all', () => {
  expect(spots).toMatchObject({ provider: 'spotter', params: true });
  expect(spots.fields.find((f) => f.name === 'Size')).toMatchObject({ shape: 'integer', required: true, readOnly: false });
  expect(spots.fields.find((f) => f.name === 'Type')?.readOnly).toBe(true);
  expect(validate(spots.schema, { Id: 'x', Size: 0 }).map((f) => f.path)).toEqual(['/Size']);
});

it('an object is its body and what the server sets, whatever is in it; a copy has neither its key nor that', () => {
  for (let seed = 0; seed < 300; seed++) {
    const r = chance(seed);
    const object: JsonObject = { Available: true, Name: 'x', Description: json(r, 1), Meta: { a: json(r, 1) }, Unknown: json(r, 2) };
    const body = bodyOf(roles, object);
    expect(body).not.toHaveProperty('Available');
    expect(withBody(roles, object, body), `seed ${seed}`).toEqual(object);
    expect(withBody(roles, object, { ...body, Available: false }), `seed ${seed}`).toEqual(object);
    expect(cloneOf(roles, object, 'Name'), `seed ${seed}`).toEqual({ ...body, Name: 'x-copy' });
  }
  const sealed = { Key: 'a', Nonce: 'b', Payload: 'c' };
  expect(cloneOf(spots, { Id: 'x', Params: { secret: sealed, open: 1 } }, 'Id')).toEqual({ Id: 'x-copy', Params: { open: 1 } });
});
