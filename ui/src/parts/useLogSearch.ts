import { useEffect, useRef, useState } from 'react';
import { find, matchFrom, nextMatch, type Log, type Match } from '../lib/log.ts';

const slice = 20_000; // lines that are searched before the page gets its turn
const most = 100_000; // matches

export interface LogSearch {
  matches: readonly Match[];
  current: number; // index of the match that is shown; -1: none
  searching: boolean;
  more: boolean; // than are counted
  step(direction: 1 | -1): void;
}

/** Searches a log piece by piece, and what is added to it too. From: the line where the reader is. */
export function useLogSearch(log: Log, version: number, query: string, from: () => number): LogSearch {
  const [found, setFound] = useState<{ matches: readonly Match[]; searching: boolean }>({ matches: [], searching: false });
  const [current, setCurrent] = useState(-1);
  const state = useRef<{ log?: Log; query: string; upTo: number; matches: Match[] }>({ query: '', upTo: 0, matches: [] });

  useEffect(() => {
    const s = state.current;
    const anew = s.query !== query || s.log !== log;
    if (anew) Object.assign(s, { log, query, upTo: 0, matches: [] });
    if (anew) setCurrent(-1);
    if (query === '') {
      setFound((f) => (f.matches.length === 0 && !f.searching ? f : { matches: [], searching: false }));
      return;
    }
    let timer: ReturnType<typeof setTimeout> | undefined;
    const work = () => {
      const last = log.last();
      const to = Math.min(last, s.upTo + slice);
      const matches = find(log, query, s.upTo + 1, to);
      // The last line may not be whole yet: it is searched again with what comes next.
      s.upTo = to === last ? Math.max(s.upTo, last - 1) : to;
      const whole = matches.filter((m) => m.line <= s.upTo);
      s.matches = s.matches.concat(whole);
      const shown = s.matches.concat(matches.slice(whole.length));
      const over = to === last || shown.length >= most;
      setFound({ matches: shown, searching: !over });
      setCurrent((c) => (c >= 0 || shown.length === 0 ? c : matchFrom(shown, from())));
      if (!over) timer = setTimeout(work);
    };
    timer = setTimeout(work, anew ? 120 : 0);
    return () => clearTimeout(timer);
  }, [log, version, query]);

  return {
    matches: found.matches,
    current,
    searching: found.searching,
    more: found.matches.length >= most,
    step: (direction) => setCurrent((c) => nextMatch(found.matches, c, direction)),
  };
}
