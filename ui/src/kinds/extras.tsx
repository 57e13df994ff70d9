import type { ComponentType } from 'react';
import type { JsonObject } from '../lib/json.ts';
import { BootEnvIsos } from './BootEnvIsos.tsx';
import { PoolMachines } from './PoolMachines.tsx';
import { PoolsUnmade, PoolUnmade } from './PoolsUnmade.tsx';
import { UserActions } from './UserActions.tsx';

interface OfObject {
  id: string;
  object: JsonObject;
}

interface Extra {
  Above?: ComponentType; // above the list of the kind
  Unmade?: ComponentType<{ id: string }>; // instead of saying that there is no such object
  Actions?: ComponentType<OfObject>;
  tab?: { value: string; label: string; Panel: ComponentType<OfObject> };
  first?: boolean; // the tab is what one comes for
}

// What the pages of some kinds have beside what all have.
export const extras: Readonly<Record<string, Extra>> = {
  bootenvs: { tab: { value: 'isos', label: 'ISO images', Panel: BootEnvIsos } },
  users: { Actions: UserActions },
  pools: { Above: PoolsUnmade, Unmade: PoolUnmade, tab: { value: 'machines', label: 'Machines', Panel: PoolMachines }, first: true },
};
