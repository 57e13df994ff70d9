// What a form has to know of a value, from the API's own description of a kind (OpenAPI 3.0) or
// from the JSON Schema of a param, and whether a value obeys it.
import { dereference, format, schemaArrayKeyword, schemaMapKeyword, ignoredKeyword, validate as check, type Schema as JsonSchema } from '@cfworker/json-schema';
import { isObject, type Json, type JsonObject, type Maybe } from './json.ts';
import { goRegExp } from './re2.ts';

export interface Schema {
  type?: string | string[];
  $ref?: string;
  title?: string;
  description?: string;
  readOnly?: boolean;
  format?: string;
  enum?: Json[];
  const?: Json;
  items?: Schema | boolean | Schema[];
  properties?: Record<string, Schema | boolean>;
  required?: string[];
  additionalProperties?: Schema | boolean;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number | boolean;
  exclusiveMaximum?: number | boolean;
  multipleOf?: number;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  default?: Json;
  [other: string]: unknown;
}

export type Components = Readonly<Record<string, Schema>>;

export type Shape = 'boolean' | 'integer' | 'number' | 'string' | 'text' | 'time' | 'choice' | 'list' | 'map' | 'object' | 'json';

// A Field is one control of a form.
export interface Field {
  name: string;
  shape: Shape;
  title?: string;
  help: string;
  readOnly: boolean;
  required: boolean;
  choices?: Json[]; // of a choice
  items?: Field; // of a list, and of the values of a map
  fields?: Field[]; // of an object
  schema: Schema; // bounds, pattern, format
}

const deepest = 8; // schemas may hold themselves; what lies deeper is edited as JSON

export function fieldOf(name: string, given: Schema | boolean | undefined, components: Components = {}, depth = 0): Field {
  const schema = resolve(given, components);
  const field: Field = {
    name, shape: shapeOf(schema, depth), title: schema.title, help: schema.description ?? '', readOnly: schema.readOnly === true, required: false, schema,
  };
  if (field.shape === 'choice') field.choices = schema.enum ?? [schema.const as Json];
  if (field.shape === 'list') field.items = fieldOf('', schema.items as Schema, components, depth + 1);
  if (field.shape === 'map') field.items = fieldOf('', schema.additionalProperties, components, depth + 1);
  if (field.shape === 'object') field.fields = fieldsOf(schema, components, depth + 1);
  return field;
}

export function fieldsOf(given: Schema, components: Components = {}, depth = 0): Field[] {
  const schema = resolve(given, components);
  return Object.entries(schema.properties ?? {})
    .map(([name, s]) => ({ ...fieldOf(name, s, components, depth), required: schema.required?.includes(name) ?? false }))
    .sort((a, b) => place(a.name) - place(b.name));
}

// What a thing is called comes first, long texts and Meta last; the rest stays in its order.
const place = (name: string) => (['Id', 'Uuid', 'Addr', 'Name', 'Path', 'Description'].includes(name) ? 0 : ['Contents', 'Documentation', 'Meta'].indexOf(name) + 2);

// resolve follows a reference to a component; a description beside it wins.
function resolve(schema: Schema | boolean | undefined, components: Components): Schema {
  if (!isObject(schema)) return {};
  const s = schema as Schema;
  const name = s.$ref?.startsWith('#/components/schemas/') ? s.$ref.slice('#/components/schemas/'.length) : undefined;
  if (name === undefined) return s;
  return { ...resolve(components[name], components), ...(s.description ? { description: s.description } : {}) };
}

const scalars: Record<string, Shape> = { boolean: 'boolean', integer: 'integer', number: 'number', string: 'string' };

function shapeOf(schema: Schema, depth: number): Shape {
  if (['oneOf', 'anyOf', 'allOf', 'not', 'if', '$ref'].some((k) => k in schema)) return 'json';
  if (Array.isArray(schema.enum) || 'const' in schema) return 'choice';
  const type = typeOf(schema);
  if (type === 'string' && schema.format === 'date-time') return 'time';
  if (type in scalars) return scalars[type];
  if (depth >= deepest) return 'json';
  if (type === 'array') return isObject(schema.items) && !('prefixItems' in schema) ? 'list' : 'json';
  if (type !== 'object' || 'patternProperties' in schema) return 'json';
  if (schema.properties && Object.keys(schema.properties).length > 0) return isObject(schema.additionalProperties) ? 'json' : 'object';
  return schema.additionalProperties === false ? 'json' : 'map';
}

// typeOf is the one type that a value may have, other than null, or "".
function typeOf(schema: Schema): string {
  const types = (Array.isArray(schema.type) ? schema.type : [schema.type]).filter((t) => t !== 'null' && t !== undefined);
  return types.length === 1 ? types[0]! : '';
}

// Whether a list or map can be edited as rows of one control each.
export const isScalar = (f: Field | undefined): boolean =>
  f !== undefined && ['boolean', 'integer', 'number', 'string', 'choice', 'time'].includes(f.shape);

// blank is what a new value of a field starts with.
export function blank(field: Field): Json {
  if (field.schema.default !== undefined) return field.schema.default;
  switch (field.shape) {
    case 'boolean': return false;
    case 'integer':
    case 'number': return Math.max(0, field.schema.minimum ?? 0);
    case 'choice': return field.choices?.[0] ?? null;
    case 'list': return [];
    case 'map': return {};
    case 'object': return Object.fromEntries((field.fields ?? []).filter((f) => f.required || f.shape !== 'json').map((f) => [f.name, blank(f)]));
    case 'json': return null;
    default: return '';
  }
}

// A Flaw is what is wrong with a value, and where: a JSON pointer.
export interface Flaw {
  path: string;
  message: string;
}

// validate tells what is wrong. A schema that says nothing, or is none, allows everything: the
// server has the last word anyhow.
export function validate(schema: unknown, value: Maybe): Flaw[] {
  if (!isObject(schema) || value === undefined) return [];
  try {
    const draft = isDraft4(schema) ? '4' : '7';
    const size = JSON.stringify(value).length;
    if (size > largest) return [];
    const own = tame(schema, size < few) as JsonSchema;
    const { errors } = check(value, own, draft, counted(dereference(own), Math.min(10_000, 1e7 / size)), false);
    return worst(errors.map((e) => ({ path: decodeURIComponent(e.instanceLocation.slice(1)), message: plain(e.error), keyword: e.keyword })));
  } catch {
    return []; // a pattern that nobody knows, a reference to elsewhere or without end
  }
}

// Who writes a schema, and a value, may be somebody who wants this page to stand still: so patterns
// are the server's, which end; references are followed so often only; and what costs the square of
// the value is asked of small values only. What is left out the server says.
const largest = 1 << 20; // characters of a value that is judged here
const few = 20_000;

delete (format as Partial<typeof format>).url; // its pattern does not end, and the server knows it no more than others

// tame is a schema whose patterns are formats, by which the validator calls what is given to it.
function tame(schema: Json, unique: boolean): Json {
  if (!isObject(schema)) return schema;
  const all = Object.entries(schema).flatMap(([k, v]): [string, Json][] => {
    if (k === 'pattern' || (k === 'uniqueItems' && !unique)) return [];
    if (k === 'patternProperties' && isObject(v) && !Object.keys(v).every(plainly)) throw new Error('patterns that the server has to judge');
    if ((Object.hasOwn(schemaMapKeyword, k) || k === 'dependencies') && isObject(v)) return [[k, Object.fromEntries(Object.entries(v).map(([n, s]) => [n, tame(s, unique)]))]];
    if (Object.hasOwn(schemaArrayKeyword, k) && Array.isArray(v)) return [[k, v.map((s) => tame(s, unique))]];
    return [[k, Object.hasOwn(ignoredKeyword, k) ? v : tame(v, unique)]];
  });
  const tamed = Object.fromEntries(all);
  if (typeof schema.pattern === 'string') tamed.allOf = [...(Array.isArray(tamed.allOf) ? tamed.allOf : []), { format: patternFormat(schema.pattern) }];
  return tamed;
}

function patternFormat(pattern: string): string {
  const name = 'pattern ' + pattern;
  if (!Object.hasOwn(format, name)) {
    const expression = goRegExp(pattern);
    (format as Record<string, (s: string) => boolean>)[name] = (s) => expression.test(s);
  }
  return name;
}

// plainly tells patterns that end soon in any browser: without groups, and with one repetition.
const plainly = (pattern: string): boolean => !pattern.includes('(') && (pattern.match(/[*+?{]/g) ?? []).length < 2;

// counted are the schemas that references lead to, so often and no more.
function counted(schemas: ReturnType<typeof dereference>, most: number): ReturnType<typeof dereference> {
  let left = most;
  return new Proxy(schemas, {
    get: (all, name) => {
      if (--left < 0) throw new Error('references without end');
      return all[name as string];
    },
  });
}

// As the server reads them: as draft 7, or as draft 4 when a schema is not sound as that.
function isDraft4(schema: JsonObject): boolean {
  return /draft-04/.test(String(schema.$schema ?? '')) || /"exclusive(Min|Max)imum":(true|false)/.test(JSON.stringify(schema));
}

const wrappers = new Set(['properties', 'items', 'additionalProperties', 'patternProperties', 'allOf', '$ref', 'prefixItems', 'additionalItems']);

// worst leaves out that a whole is wrong because a part of it is.
function worst(flaws: (Flaw & { keyword: string })[]): Flaw[] {
  const said = flaws.filter((f) => !wrappers.has(f.keyword) && f.keyword !== 'false');
  const shut = flaws.filter((f) => f.keyword === 'false').map((f) => ({ ...f, message: 'is not known here' }));
  const all = [...said, ...shut];
  const list = all.length > 0 ? all : flaws;
  return list.filter((f, i) => list.findIndex((g) => g.path === f.path && g.message === f.message) === i).map(({ path, message }) => ({ path, message }));
}

// plain makes a sentence about a value of the validator's words.
const plain = (error: string): string => error.replace(/^String does not match format "pattern (.*)"\.$/s, 'String does not match $1').replace(/^Instance type "(\w+)" is invalid\. Expected "(.*)"\.$/, 'is $1, and should be $2').replace(/^Instance /, '');

// flawsAt are those of one field of a form: at it or below it.
export const flawsAt = (flaws: readonly Flaw[], path: string): Flaw[] => flaws.filter((f) => f.path === path || f.path.startsWith(path + '/'));

// documentSchema is the JSON Schema of the objects of a kind, for an editor: what the server would
// drop without a word, such as a field spelt wrongly, is a flaw.
export function documentSchema(name: string, components: Components): JsonObject {
  return { $ref: `#/definitions/${name}`, definitions: Object.fromEntries(Object.entries(components).map(([k, s]) => [k, jsonSchema(s)])) };
}

function jsonSchema(given: Json | Schema): Json {
  if (Array.isArray(given)) return given.map(jsonSchema);
  if (!isObject(given)) return given as Json;
  const { required: _, nullable, readOnly: __, $ref, description: ___, format: ____, ...rest } = given;
  const out = Object.fromEntries(Object.entries(rest).map(([k, v]) => [k, jsonSchema(v)]));
  if (typeof $ref === 'string') out.$ref = $ref.replace('#/components/schemas/', '#/definitions/');
  if (nullable === true && typeof out.type === 'string') out.type = [out.type, 'null'];
  return out;
}
