import { useEffect, useRef } from 'react';
import { create } from 'zustand';

export interface Shortcut {
  keys: string; // as "/", "?", "g m", "ctrl+s", "x"
  label: string;
  run?: () => void; // without it, what is focused sees to the key, and the help tells of it
  group?: string;
}

/** What the keyboard does now: pages add theirs while they are shown. */
export const useShortcutList = create<{ list: Shortcut[] }>(() => ({ list: [] }));

/** Adds shortcuts while the component is shown. */
export function useShortcuts(list: Shortcut[]) {
  const latest = useRef(list);
  latest.current = list;
  const names = list.map((s) => s.keys + s.label).join('\n');
  useEffect(() => {
    const mine = latest.current.map((s, i) => ({ ...s, ...(s.run && { run: () => latest.current[i]?.run?.() }) }));
    useShortcutList.setState(({ list: all }) => ({ list: [...all, ...mine] }));
    return () => useShortcutList.setState(({ list: all }) => ({ list: all.filter((s) => !mine.includes(s)) }));
  }, [names]);
}

/** How long the second key of two may take, in milliseconds. */
const pause = 1200;

/** Listens to the keyboard, for as long as the answer is not called. Keys typed into a field are the field's. */
export function listen(): () => void {
  let before = '';
  let at = 0;
  const press = (e: KeyboardEvent) => {
    if (e.defaultPrevented || e.isComposing) return;
    const name = nameOf(e);
    if (typing(e.target) && !name.includes('+')) return;
    const list = useShortcutList.getState().list.filter((s) => s.run);
    const two = e.timeStamp - at < pause && before ? `${before} ${name}` : '';
    // The newest comes first: what a page or a dialog adds goes before what is always there.
    const found = list.findLast((s) => s.keys === two) ?? list.findLast((s) => s.keys === name);
    before = name;
    at = e.timeStamp;
    if (!found) return;
    before = '';
    e.preventDefault();
    found.run?.();
  };
  addEventListener('keydown', press);
  return () => removeEventListener('keydown', press);
}

function nameOf(e: KeyboardEvent): string {
  const key = e.key.length === 1 ? e.key : e.key.toLowerCase();
  return (e.ctrlKey || e.metaKey ? 'ctrl+' : '') + (e.altKey ? 'alt+' : '') + key;
}

function typing(target: EventTarget | null): boolean {
  const el = target as HTMLElement | null;
  return Boolean(el?.closest?.('input, textarea, select, [contenteditable="true"], [role="textbox"], [role="combobox"]'));
}
