import { lazy, type ComponentType } from 'react';

/** Every page of the UI. A page is a chunk of its own, in the file ../PAGE.tsx. */
interface Place {
  path: string;
  page: string;
  label?: string; // in the navigation
  icon?: string;
  keys?: string; // the shortcut that goes there
  group?: 'Work' | 'Objects' | 'Server';
}

export const places: Place[] = [
  { path: '/', page: 'overview/OverviewPage', label: 'Overview', icon: 'gauge high', keys: 'g o', group: 'Work' },
  { path: '/machines', page: 'machines/MachinesPage', label: 'Machines', icon: 'server', keys: 'g m', group: 'Work' },
  { path: '/machines/:uuid', page: 'machine/MachinePage' },
  { path: '/wall', page: 'wall/WallPage', label: 'Wall', icon: 'table cells', keys: 'g w', group: 'Work' },
  { path: '/clusters', page: 'clusters/ClustersPage', label: 'Clusters', icon: 'anchor', keys: 'g c', group: 'Work' },
  { path: '/clusters/:profile', page: 'clusters/ClusterPage' },
  { path: '/jobs', page: 'jobs/JobsPage', label: 'Jobs', icon: 'list check', keys: 'g j', group: 'Work' },
  { path: '/jobs/:uuid', page: 'jobs/JobPage' },
  { path: '/objects', page: 'kinds/KindsPage', label: 'All kinds', icon: 'cubes', keys: 'g k', group: 'Objects' },
  { path: '/objects/:kind', page: 'kinds/KindPage' },
  { path: '/objects/:kind/*', page: 'kinds/ObjectPage' },
  { path: '/contents', page: 'contents/ContentsPage', label: 'Content packs', icon: 'box', keys: 'g p', group: 'Objects' },
  { path: '/contents/:name', page: 'contents/ContentPage' },
  { path: '/preview', page: 'contents/PreviewPage', label: 'Template preview', icon: 'file code', group: 'Objects' },
  { path: '/plugins', page: 'contents/PluginsPage', label: 'Plugins', icon: 'plug', group: 'Objects' },
  { path: '/files', page: 'kinds/FilesPage', label: 'Files', icon: 'folder', group: 'Objects' },
  { path: '/isos', page: 'kinds/IsosPage', label: 'ISO images', icon: 'compact disc', group: 'Objects' },
  { path: '/events', page: 'desk/EventsPage', label: 'Events', icon: 'bolt', keys: 'g e', group: 'Server' },
  { path: '/history', page: 'desk/HistoryPage', label: 'History', icon: 'clock rotate left', keys: 'g h', group: 'Server' },
  { path: '/logs', page: 'desk/LogsPage', label: 'Server log', icon: 'file lines', keys: 'g l', group: 'Server' },
  { path: '/prefs', page: 'kinds/PrefsPage', label: 'Preferences', icon: 'sliders', group: 'Server' },
  { path: '/system', page: 'kinds/SystemPage', label: 'System', icon: 'heart pulse', keys: 'g s', group: 'Server' },
];

const files = import.meta.glob<{ default: ComponentType }>(['../*/*Page.tsx', '!../parts/*']);

/** The places whose page there is, with it. */
export const routes = places.flatMap((p) => {
  const load = files[`../${p.page}.tsx`];
  return load ? [{ ...p, load, Page: lazy(load) }] : [];
});

/** Loads the page of a place before it is gone to. */
export function preload(place: string): void {
  const at = routes.find((r) => new RegExp(`^${r.path.replace(/:\w+/g, '[^/]+').replace('*', '.+')}$`).test(place));
  at?.load().catch(() => {}); // told when somebody goes there
}

type Entry = Pick<Place, 'path' | 'label' | 'icon' | 'keys' | 'group'>;

/** The kinds that people work with all day, beside the page of all kinds. */
const often: Entry[] = [
  { path: '/objects/profiles', label: 'Profiles', icon: 'id card', keys: 'g f', group: 'Objects' },
  { path: '/objects/params', label: 'Params', icon: 'tag', keys: 'g a', group: 'Objects' },
  { path: '/objects/tasks', label: 'Tasks', icon: 'terminal', keys: 'g t', group: 'Objects' },
  { path: '/objects/stages', label: 'Stages', icon: 'stairs', group: 'Objects' },
  { path: '/objects/workflows', label: 'Workflows', icon: 'sitemap', group: 'Objects' },
];

/** What stands in the navigation. */
export const nav: Entry[] = routes.flatMap((r) => (r.path === '/objects' ? [...often, r] : r.label ? [r] : []));

/** The entry of the navigation that a place belongs to: the one whose path says most of it. */
export function entryOf(place: string): Entry | undefined {
  const fits = nav.filter((e) => place === e.path || (e.path !== '/' && place.startsWith(e.path + '/')));
  return fits.sort((a, b) => b.path.length - a.path.length)[0];
}
