import { QueryClient } from '@tanstack/react-query';
import { api } from '../api/client.ts';
import { session } from '../api/session.ts';
import { Cache } from './cache.ts';
import { Feed } from './feed.ts';

export const feed = new Feed();
export const cache = new Cache(feed);

/** Answers that no event tells of, and lists that the server has filtered. Nothing in it is asked for again by time. */
export const queries = new QueryClient({
  defaultOptions: { queries: { refetchOnWindowFocus: false, refetchOnReconnect: false, retry: (n, err) => n < 3 && (err as { status?: number }).status === 0 } },
});

feed.onLost = () => {
  cache.reload();
  void queries.invalidateQueries();
};

// A browser does not tell why a websocket was refused; a request does, and ends the session if that is why.
feed.onRefused = () => void api('GET', '/info').catch(() => {});

let stop: (() => void) | undefined;

/** What else holds something of the one who was signed in; called when that one is no more. */
export const leavings: (() => void)[] = [];

/** The page is live while somebody is signed in; what was read is forgotten with the session. */
function follow(state: string) {
  if (state === 'in' && !stop) stop = feed.start();
  if (state === 'out' && stop) {
    stop();
    stop = undefined;
    cache.clear();
    queries.clear();
    for (const forget of leavings) forget();
  }
}
follow(session.getState().state);
session.subscribe((now) => follow(now.state));
