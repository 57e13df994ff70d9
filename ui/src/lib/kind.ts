// What there is to know of a kind of objects, from the API's own description of itself.
import { isObject, put, type Json, type JsonObject } from './json.ts';
import { documentSchema, fieldsOf, type Components, type Field, type Schema } from './schema.ts';

export interface Index {
  Type: string;
  Unique: boolean;
  Unordered: boolean;
  Regex: boolean;
}

export interface Description {
  paths: Record<string, Record<string, unknown>>;
  components: { schemas: Components };
  tags?: { name: string; description?: string }[];
}

// The part of a plugin provider that defines kinds: JSON Schemas of members by prefix.
export interface Provider {
  Name: string;
  StoreObjects?: Record<string, unknown>;
}

export interface Kind {
  name: string;
  about: string;
  provider?: string; // the plugin provider that defines it
  fields: Field[]; // the key first, then as the API has them
  schema: JsonObject; // JSON Schema of a whole object
  can: { create: boolean; change: boolean; remove: boolean };
  params: boolean;
}

const ofServer = ['Validated', 'Available', 'Errors', 'ReadOnly', 'Bundle', 'Endpoint', 'Partial'];
const last = ['Documentation', 'Meta'];

// Fields that the server keeps, whatever is sent. Their description tells it in words only.
const kept: Record<string, string[]> = {
  machines: ['CurrentJob', 'PoolAllocated', 'WorkflowComplete', 'RetryTaskAttempt', 'TaskErrorStacks'], plugins: ['PluginErrors'], catalog_items: ['Type'],
  jobs: ['Previous', 'Machine', 'Task', 'Stage', 'Workflow', 'BootEnv', 'Context', 'StartTime', 'EndTime', 'Archived', 'Current', 'CurrentIndex', 'NextIndex', 'ExtraClaims', 'Token'],
};

// Fields that nobody fills in by hand.
const never = ['PasswordHash'];

// describe is a kind as its objects look; undefined if the API knows none of that name.
export function describe(name: string, d: Description, keyField: string, providers: readonly Provider[] = []): Kind | undefined {
  const provider = providers.find((p) => isObject(p.StoreObjects) && Object.hasOwn(p.StoreObjects, name));
  const component = provider ? 'Custom' : componentOf(name, d);
  const given = component === undefined ? undefined : d.components.schemas[component];
  if (component === undefined || given === undefined) return undefined;
  const schema = provider ? withMembers(given, provider.StoreObjects![name]) : given;
  const components = Object.fromEntries(Object.entries(d.components.schemas).map(([k, s]) => [k, { ...s, required: undefined }])); // that answers always have
  const paths = d.paths[`/api/v3/${provider ? '{kind}' : name}/{id}`] ?? {};
  const list = d.paths[`/api/v3/${provider ? '{kind}' : name}`] ?? {};
  const fields = fieldsOf(provider ? schema : components[component], components).filter((f) => !never.includes(f.name));
  return {
    name, provider: provider?.Name,
    about: provider ? `A kind of objects that the plugin provider ${provider.Name} defines.` : sentence(d.tags?.find((t) => t.name === name)?.description ?? schema.description ?? ''),
    fields: ordered(fields.map((f) => ({ ...f, readOnly: f.readOnly || ofServer.includes(f.name) || (kept[name] ?? []).includes(f.name) || (provider !== undefined && f.name === 'Type') })), keyField),
    schema: documentSchema(component, { ...d.components.schemas, [component]: schema }),
    can: { create: 'post' in list && name !== 'jobs', change: 'patch' in paths, remove: 'delete' in paths },
    params: fields.some((f) => f.name === 'Params'),
  };
}

function componentOf(name: string, d: Description): string | undefined {
  const path = d.paths[`/api/v3/${name}`];
  const get = path?.get as { responses?: Record<string, { content?: Record<string, { schema?: Schema }> }> } | undefined;
  const ref = (get?.responses?.['200']?.content?.['application/json']?.schema?.items as Schema | undefined)?.$ref;
  return `/api/v3/${name}/{id}` in d.paths ? ref?.replace('#/components/schemas/', '') : undefined;
}

// withMembers is what is common to all kinds of providers with the members of this one.
function withMembers(custom: Schema, members: unknown): Schema {
  const own = isObject(members) ? (members as Record<string, Schema>) : {};
  return {
    ...custom, properties: { ...own, ...custom.properties }, additionalProperties: undefined,
    required: Object.keys(own).filter((k) => isObject(own[k]) && (own[k] as Schema).isrequired === true),
  };
}

// sentence leaves out the name of the type that descriptions begin with: "Task is a list" is "A list".
function sentence(text: string): string {
  const bare = text.replace(/^[A-Z]\w* (is|are|has|holds) /, (_, verb: string) => (verb === 'is' || verb === 'are' ? '' : verb + ' '));
  return bare === '' ? '' : bare[0].toUpperCase() + bare.slice(1);
}

function ordered(fields: Field[], keyField: string): Field[] {
  const rank = (f: Field) => [f.name === keyField, f.name === 'Name', f.name === 'Description'].indexOf(true);
  const place = (f: Field) => (rank(f) >= 0 ? rank(f) : ofServer.includes(f.name) ? 9 : last.includes(f.name) ? 5 + last.indexOf(f.name) : 4);
  return [...fields].sort((a, b) => place(a) - place(b));
}

// namesOf are all kinds that the API lists: those of /objects, and those that are only read.
export const namesOf = (objects: readonly string[]): string[] => [...new Set([...objects, 'interfaces', 'plugin_providers'])].sort();

// bodyOf is what of an object can be edited: without what the server sets.
export function bodyOf(kind: Kind, object: JsonObject): JsonObject {
  const fixed = new Set(kind.fields.filter((f) => f.readOnly).map((f) => f.name));
  return Object.fromEntries(Object.entries(object).filter(([k]) => !fixed.has(k)));
}

// withBody is the object with another body. What the server sets stays.
export function withBody(kind: Kind, object: JsonObject, body: JsonObject): JsonObject {
  const fixed = new Set(kind.fields.filter((f) => f.readOnly).map((f) => f.name));
  const kept = Object.entries(object).filter(([k]) => fixed.has(k));
  const order = Object.keys(object);
  const all = { ...Object.fromEntries(kept), ...Object.fromEntries(Object.entries(body).filter(([k]) => !fixed.has(k))) };
  return Object.fromEntries(Object.entries(all).sort(([a], [b]) => place(order, a) - place(order, b)));
}

const place = (order: string[], k: string) => (order.includes(k) ? order.indexOf(k) : order.length);

// isSealed tells values of secure params as the API shows them.
export const isSealed = (v: Json | undefined): boolean => isObject(v) && 'Payload' in v && 'Nonce' in v && 'Key' in v;

export const sealedParams = (object: JsonObject): string[] => Object.entries(isObject(object.Params) ? object.Params : {}).filter(([, v]) => isSealed(v)).map(([k]) => k);

// cloneOf is what a copy of an object starts with: without its key, and what is its alone. Sealed
// values open with the key of the object that they were sealed for, so they are left out.
export function cloneOf(kind: Kind, object: JsonObject, keyField: string): JsonObject {
  const own = new Set([keyField, 'Uuid', 'Name', 'Secret', 'Address', 'HardwareAddrs', 'Fingerprint']);
  const sealed = new Set(sealedParams(object));
  const open = sealed.size > 0 ? { ...object, Params: Object.fromEntries(Object.entries(object.Params as JsonObject).filter(([k]) => !sealed.has(k))) } : object;
  const body = Object.fromEntries(Object.entries(bodyOf(kind, open)).filter(([k]) => !own.has(k)));
  const key = object[keyField];
  return keyField === 'Uuid' || keyField === 'Addr' || typeof key !== 'string' ? body : (put(body, `/${keyField}`, `${key}-copy`) as JsonObject);
}

// What stands in a list beside the key and the description: scalars and lists that are no index of all kinds.
export const columnsOf = (kind: Kind, keyField: string): Field[] =>
  kind.fields.filter((f) => ![...ofServer, ...last, keyField, 'Description', 'Params', 'Secret', 'Contents', 'Content'].includes(f.name) && !['map', 'object', 'json'].includes(f.shape) && !(f.shape === 'list' && f.items?.shape !== 'string'));

export function asText(value: Json | undefined): string {
  if (value === undefined || value === null) return '';
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (Array.isArray(value)) return value.map((v) => (typeof v === 'object' ? JSON.stringify(v) : String(v))).join(', ');
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
