import { useCallback, useEffect, useRef, useState } from 'react';

const calm = 200; // milliseconds between two drawings, however much comes

export interface Ticker<T> {
  items: readonly T[]; // the newest first
  held: number; // that came while nothing was to move
  add(item: T): void;
  clear(): void;
}

/** Keeps the newest of what comes, at most so many. While it is held, what comes waits and nothing moves. */
export function useTicker<T>(most: number, hold: boolean): Ticker<T> {
  const waiting = useRef<T[]>([]); // the newest last
  const [items, setItems] = useState<readonly T[]>([]);
  const [held, setHeld] = useState(0);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const holding = useRef(hold);
  holding.current = hold;

  const flush = useCallback(() => {
    clearTimeout(timer.current);
    timer.current = undefined;
    if (holding.current) return setHeld(waiting.current.length);
    const news = waiting.current.splice(0).reverse();
    setHeld(0);
    if (news.length > 0) setItems((old) => [...news, ...old].slice(0, most));
  }, [most]);
  useEffect(flush, [hold, flush]);
  useEffect(() => () => clearTimeout(timer.current), []);

  const add = useCallback(
    (item: T) => {
      waiting.current.push(item);
      if (waiting.current.length > most) waiting.current.shift();
      timer.current ??= setTimeout(flush, calm);
    },
    [most, flush],
  );
  const clear = useCallback(() => {
    waiting.current = [];
    setHeld(0);
    setItems([]);
  }, []);
  return { items, held, add, clear };
}
