import { api, ApiError, part } from './client.ts';
import { readToken, session } from './session.ts';

/** How long a token is good, in seconds. A third of that before its end a new one takes its place. */
const lifetime = 30 * 60;

interface Grant {
  Token: string;
}

/** Trades a password for a token. */
export async function logIn(user: string, password: string): Promise<void> {
  const basic = 'Basic ' + btoa(String.fromCharCode(...new TextEncoder().encode(user + ':' + password)));
  const grant = await api<Grant>('GET', `/users/${part(user)}/token`, { query: { ttl: lifetime }, headers: { Authorization: basic } });
  session.getState().start(grant.Token);
}

/** Takes a token that somebody has made; the server says whether it is good. Only is the one whose it must be. */
export async function useToken(token: string, only?: string): Promise<void> {
  const bare = token.trim().replace(/^Bearer\s+/i, '');
  if (!readToken(bare).user) throw new ApiError(0, ['this is no token of a drp server; make one with drp users token NAME']);
  if (only !== undefined && readToken(bare).user !== only) throw new ApiError(0, [`this token is of ${readToken(bare).user}; sign out to go on as somebody else`]);
  await api('GET', '/info', { headers: { Authorization: 'Bearer ' + bare } });
  session.getState().start(bare);
}

/** Ends the session here and on the server, whatever the server says. */
export async function signOut(): Promise<void> {
  const { token, user } = session.getState();
  session.getState().end();
  if (token) {
    await api('DELETE', `/users/${part(user)}/token`, { headers: { Authorization: 'Bearer ' + token } }).catch(() => {});
  }
}

/** Renews the token in time, as long as the page is open. Tokens that may not be renewed just end. */
export function keepSession(): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const plan = () => {
    clearTimeout(timer);
    const { state, expires } = session.getState();
    if (state !== 'in' || !expires) return;
    const left = expires - Date.now();
    if (left <= 0) session.getState().expire();
    else timer = setTimeout(left > lifetime * 1000 ? plan : renew, Math.min(Math.max(left - (lifetime * 1000) / 3, 1000), 2 ** 31 - 1));
  };
  const renew = async () => {
    const { token, user, expires } = session.getState();
    try {
      const grant = await api<Grant>('GET', `/users/${part(user)}/token`, { query: { ttl: lifetime } });
      if (session.getState().token === token) session.getState().start(grant.Token);
    } catch {
      const left = expires - Date.now();
      if (session.getState().state === 'in') timer = setTimeout(left > 60_000 ? renew : plan, Math.max(Math.min(left, 30_000), 1000));
    }
  };
  const leave = session.subscribe((now, before) => now.token !== before.token && plan());
  plan();
  return () => {
    clearTimeout(timer);
    leave();
  };
}
