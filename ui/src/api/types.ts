/** The objects of the API that pages have behaviour for. Every other kind is shown from the API's own description. */

export type Params = Record<string, unknown>;
export type Meta = Record<string, string>;

export interface Common {
  Validated: boolean;
  Available: boolean;
  Errors: string[];
  ReadOnly: boolean;
  Meta: Meta;
  Endpoint: string;
  Bundle: string;
}

/** Any object of any kind. */
export type Thing = Partial<Common> & Record<string, unknown>;

export interface Machine extends Common {
  Partial: boolean;
  Name: string;
  Description: string;
  Uuid: string;
  CurrentJob: string;
  Address: string;
  Stage: string;
  BootEnv: string;
  Profiles: string[];
  Params: Params;
  Tasks: string[];
  CurrentTask: number;
  RetryTaskAttempt: number;
  TaskErrorStacks: { CurrentTask: number; TaskList: string[] }[];
  Runnable: boolean;
  OS: string;
  HardwareAddrs: string[];
  Workflow: string;
  Arch: string;
  Locked: boolean;
  Context: string;
  Fingerprint: { SSNHash: string; CSNHash: string; CloudInstanceID: string; SystemUUID: string; MemoryIds: string[] };
  Pool: string;
  PoolAllocated: boolean;
  PoolStatus: string;
  WorkflowComplete: boolean;
}

export type JobState = 'created' | 'running' | 'incomplete' | 'finished' | 'failed';

export interface Job extends Common {
  Uuid: string;
  Previous: string;
  Machine: string;
  Task: string;
  Stage: string;
  Workflow: string;
  BootEnv: string;
  Context: string;
  State: JobState;
  ExitState: string;
  StartTime: string;
  EndTime: string;
  Archived: boolean;
  Current: boolean;
  CurrentIndex: number;
  NextIndex: number;
}

export interface Profile extends Common {
  Partial: boolean;
  Name: string;
  Description: string;
  Documentation: string;
  Profiles: string[];
  Params: Params;
}

export interface Param extends Common {
  Name: string;
  Description: string;
  Documentation: string;
  Secure: boolean;
  Schema: Record<string, unknown> | null;
}

export interface Template {
  Name: string;
  Path: string;
  ID: string;
  Contents: string;
  Meta: Meta;
}

export interface Task extends Common {
  Name: string;
  Description: string;
  Documentation: string;
  Templates: Template[];
  RequiredParams: string[];
  OptionalParams: string[];
}

export interface Stage extends Common {
  Name: string;
  Description: string;
  Documentation: string;
  BootEnv: string;
  Tasks: string[];
  Profiles: string[];
  Params: Params;
  Templates: Template[];
}

export interface Workflow extends Common {
  Name: string;
  Description: string;
  Documentation: string;
  Stages: string[];
}

/** Something that happened: a change (with its revision), a line of the server's log, or what somebody posted. */
export interface Event {
  Time: string;
  Type: string;
  Action: string;
  Key: string;
  Principal: string;
  Object: unknown;
  Original: unknown;
  Rev?: number;
  More?: boolean;
}

/** What one change did to one object. */
export interface HistoryEntry {
  Rev: number;
  Time: string;
  Who: string;
  Job?: string;
  Undoes?: string;
  Action: 'create' | 'update' | 'save' | 'delete';
  Kind: string;
  Key: string;
  Patch: { op: string; path: string; value?: unknown; from?: string }[];
}

const keyFields: Record<string, string> = { machines: 'Uuid', jobs: 'Uuid', templates: 'ID', leases: 'Addr', reservations: 'Addr' };
const named = new Set(
  ('bootenvs contexts interfaces params plugins plugin_providers profiles roles stages subnets tasks tenants users workflows').split(' '),
);

/** The field of a kind that holds the key of its objects. Kinds that plugin providers define have an Id, as some others. */
export const keyField = (kind: string): string => keyFields[kind] ?? (named.has(kind) ? 'Name' : 'Id');

/** The key of an object. */
export const keyOf = (kind: string, object: object): string => String((object as Record<string, unknown>)[keyField(kind)] ?? '');

const dotted = /^\d+(\.\d+){3}$/;

/** The key that the server has for what people call it: that of leases and reservations is the address in hexadecimal. */
export const storedKey = (kind: string, key: string): string =>
  keyField(kind) === 'Addr' && dotted.test(key) ? key.split('.').map((n) => Number(n).toString(16).toUpperCase().padStart(2, '0')).join('') : key;
