import { useEvents } from '../live/hooks.ts';
import { escaped } from '../live/feed.ts';
import { HistoryList, useHistory } from '../parts/HistoryList.tsx';

// History is who changed an object, live, with the way back.
export function History({ kind, id }: { kind: string; id: string }) {
  const history = useHistory({ kind, key: id });
  useEvents(`${kind}.*.${escaped(id)}`, history.refetch);
  return <HistoryList history={history} without={['object']} />;
}
