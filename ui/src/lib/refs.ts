// Which fields name other objects, and of what kind. The API's description does not say.
import { tokens } from './json.ts';

export interface Reference {
  kind: string;
  key: string;
}

const kinds: Record<string, string> = {
  Profiles: 'profiles', AddProfiles: 'profiles', RemoveProfiles: 'profiles', Stage: 'stages', Stages: 'stages', BootEnv: 'bootenvs', Workflow: 'workflows',
  Machine: 'machines', CurrentJob: 'jobs', Previous: 'jobs', Task: 'tasks', Tasks: 'tasks', TaskList: 'tasks', Prerequisites: 'tasks', RequiredParams: 'params',
  OptionalParams: 'params', Roles: 'roles', ExtraRoles: 'roles', Users: 'users', Provider: 'plugin_providers', Pool: 'pools', ParentPool: 'pools', AcquirePool: 'pools',
  ReturnPool: 'pools', Context: 'contexts', VersionSet: 'version_sets', VersionSets: 'version_sets', Bundle: 'contents',
};

const fixed: Record<string, Record<string, string>> = {
  preferences: { defaultStage: 'stages', defaultBootEnv: 'bootenvs', unknownBootEnv: 'bootenvs', defaultWorkflow: 'workflows' },
  reservations: { Subnet: 'subnets' },
};

// refKind is the kind of objects that the value at a path of an object names, or undefined.
export function refKind(kind: string, path: string): string | undefined {
  const [field, ...rest] = tokens(path);
  if (field === undefined) return undefined;
  if (field === 'Members' && kind === 'tenants') return rest[0];
  if (field === 'Templates') return rest[1] === 'ID' ? 'templates' : undefined;
  if (['Params', 'Meta', 'Options'].includes(field)) return undefined;
  const last = [...rest].reverse().find((t) => !/^\d+$/.test(t)) ?? field;
  return fixed[kind]?.[last] ?? kinds[last];
}

const entries: Record<string, string> = { stage: 'stages', bootenv: 'bootenvs', context: 'contexts' };
const none = /^(0{8}-0{4}-0{4}-0{4}-0{12})?$/;

// reference is the object that a value names, if it names one. Lists of tasks also hold entries
// such as stage:S.
export function reference(kind: string, path: string, value: unknown): Reference | undefined {
  const of = refKind(kind, path);
  if (of === undefined || typeof value !== 'string' || none.test(value)) return undefined;
  const entry = /^(stage|bootenv|context|chroot|action):(.*)$/.exec(value);
  if (of !== 'tasks' || !entry) return { kind: of, key: value };
  return entries[entry[1]] && entry[2] !== '' ? { kind: entries[entry[1]], key: entry[2] } : undefined;
}
