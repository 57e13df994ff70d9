import type { ComponentType } from 'react';
import type { JsonObject } from '../lib/json.ts';
import { PoolMachines } from './PoolMachines.tsx';
import { UserActions } from './UserActions.tsx';

interface OfObject {
  id: string;
  object: JsonObject;
}

interface Extra {
  Actions?: ComponentType<OfObject>;
  tab?: { value: string; label: string; Panel: ComponentType<OfObject> };
  first?: boolean; // the tab is what one comes for
}

// What the pages of some kinds have beside what all have.
export const extras: Readonly<Record<string, Extra>> = {
  users: { Actions: UserActions },
  pools: { tab: { value: 'machines', label: 'Machines', Panel: PoolMachines }, first: true },
};
