import type { ComponentType } from 'react';
import { create } from 'zustand';

/** What shows dialogs, from when a part of the page that has some is loaded. */
export const useHosts = create<{ Modals?: ComponentType }>(() => ({}));
