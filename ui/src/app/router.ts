import { useCallback, useSyncExternalStore } from 'react';
import { useLocation, useSearch } from 'wouter';

/**
 * The place stands behind the # of the address, as #/machines?filter=x: so the page works below
 * whatever path a proxy puts the server at, and the server sees nothing of it.
 */
const read = () => location.hash.replace(/^#?\/?/, '/');
const subscribe = (changed: () => void) => {
  addEventListener('hashchange', changed);
  addEventListener('popstate', changed);
  return () => {
    removeEventListener('hashchange', changed);
    removeEventListener('popstate', changed);
  };
};

export function navigate(to: string, { replace = false }: { replace?: boolean } = {}) {
  history[replace ? 'replaceState' : 'pushState'](null, '', '#' + to.replace(/^#/, ''));
  dispatchEvent(new PopStateEvent('popstate'));
}

/** For wouter's Router: where the page is, and how to go elsewhere. */
export const useHash = (): [string, typeof navigate] => [useSyncExternalStore(subscribe, () => read().split('?')[0]), navigate];
useHash.hrefs = (href: string) => '#' + href;
export const useHashSearch = () => useSyncExternalStore(subscribe, () => read().split('?').slice(1).join('?'));

/**
 * A piece of state that stands in the address, for deep links and the back button. Setting it to
 * the fallback takes it out. Small steps (typing) replace the entry of the history.
 */
export function useQueryState(name: string, fallback = ''): [string, (value: string, how?: { push?: boolean }) => void] {
  const search = useSearch();
  const [path] = useLocation();
  const value = new URLSearchParams(search).get(name) ?? fallback;
  const set = useCallback(
    (next: string, { push = false } = {}) => {
      const now = new URLSearchParams(read().split('?').slice(1).join('?'));
      if (next === fallback) now.delete(name);
      else now.set(name, next);
      const text = now.toString();
      navigate(path + (text && '?' + text), { replace: !push });
    },
    [name, fallback, path],
  );
  return [value, set];
}

/** The address of the page of an object. */
export function link(kind: string, key: string): string {
  const k = key.split('/').map(encodeURIComponent).join('/');
  if (kind === 'machines' || kind === 'jobs') return `#/${kind}/${k}`;
  return `#/objects/${kind}/${k}`;
}

/** The part of the address that a route with * leaves, in clear. */
export const useRest = (rest: string | undefined) => (rest ?? '').split('/').map(safeDecode).join('/');

function safeDecode(s: string): string {
  try {
    return decodeURIComponent(s);
  } catch {
    return s;
  }
}
