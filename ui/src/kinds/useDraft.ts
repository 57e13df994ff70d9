import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { equal, type JsonObject } from '../lib/json.ts';
import { conflicts, differences, rebase, type Difference, type Edit } from '../lib/merge.ts';
import { escaped } from '../live/feed.ts';
import { useEvents, useObject } from '../live/hooks.ts';

export interface Draft {
  object?: JsonObject; // as the server has it now
  loading: boolean;
  missing: boolean;
  error?: Error;
  edit?: Edit<JsonObject>;
  changed: Difference[]; // by me, and not saved yet
  open: Difference[]; // by me and by others, and different
  news?: News; // what others have changed since the edit began
  set: (mine: JsonObject) => void;
  reset: (to?: JsonObject) => void; // goes on from what is stored, or from what was saved just now
  resolve: (mine: JsonObject) => void; // goes on from what is stored, with what was chosen
}

export interface News {
  by: string;
  paths: string[];
}

// useDraft is an edit of an object that goes on living while it is edited: what others change is
// seen at once where I have done nothing, and is never written over unseen where I have.
export function useDraft(kind: string, key: string): Draft {
  const { object, loading, missing, error } = useObject<JsonObject>(kind, key);
  const [edit, setEdit] = useState<Edit<JsonObject>>();
  const [news, setNews] = useState<News>();
  const by = useRef('');
  useEvents(`${kind}.*.${escaped(key)}`, (e) => (by.current = e.Principal));

  const latest = useRef(edit);
  latest.current = edit;
  useEffect(() => {
    if (!object || missing) return;
    const now = latest.current;
    if (!now || equal(now.base, now.mine)) {
      setEdit({ base: object, mine: object });
      return;
    }
    const theirs = differences(now.base, now.mine, object).filter((d) => (d.standing === 'theirs' || d.standing === 'conflict') && !ofServer.test(d.path));
    if (theirs.length > 0) setNews((old) => ({ by: by.current, paths: [...new Set([...(old?.paths ?? []), ...theirs.map((d) => d.path)])] }));
    setEdit(rebase(now, object));
  }, [object, missing]);

  const set = useCallback((mine: JsonObject) => setEdit((e) => e && { ...e, mine }), []);
  const start = useCallback((base: JsonObject | undefined, mine: JsonObject | undefined) => {
    setNews(undefined);
    if (base && mine) setEdit({ base, mine });
  }, []);
  const reset = useCallback((to?: JsonObject) => start(to ?? object, to ?? object), [start, object]);
  const resolve = useCallback((mine: JsonObject) => start(object, mine), [start, object]);
  const changed = useMemo(() => (edit ? differences(edit.base, edit.mine, edit.base) : []), [edit]);
  const open = useMemo(() => (edit && object && !missing ? conflicts(differences(edit.base, edit.mine, object)) : []), [edit, object, missing]);
  return { object, loading, missing, error, edit, changed, open, news: changed.length > 0 ? news : undefined, set, reset, resolve };
}

// What the server works out by itself is no news of others.
const ofServer = /^\/(Validated|Available|Errors|Partial)(\/|$)/;
