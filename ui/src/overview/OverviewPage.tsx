import { useObjects } from '../live/hooks.ts';
import type { Machine } from '../api/types.ts';
import { Page } from '../parts/Page.tsx';

export default function OverviewPage() {
  const { items, loading } = useObjects<Machine>('machines');
  return <Page title="Overview">{loading ? 'Loading' : items.length + ' machines'}</Page>;
}
