import { create } from 'zustand';

/**
 * Who is logged in. The token is kept in memory only: closing or reloading the page forgets it.
 * out: nobody; in: somebody; expired: the session has ended and the page waits for the same user.
 */
interface Session {
  state: 'out' | 'in' | 'expired';
  token: string;
  user: string;
  expires: number; // milliseconds since 1970; 0: never
  /** Whoever is not the one whose session has ended begins anew: what that one did is not for others. */
  start(token: string): void;
  expire(): void;
  end(): void;
}

const nobody = { state: 'out' as const, token: '', user: '', expires: 0 };

export const session = create<Session>((set, get) => ({
  ...nobody,
  start: (token) => {
    const { user, expires } = readToken(token);
    const before = get();
    if (before.state !== 'out' && before.user !== user) before.end();
    set({ state: 'in', token, user, expires });
  },
  expire: () => get().state === 'in' && set({ state: 'expired', token: '' }),
  end: () => set(nobody),
}));

export const useSession = session;

/** What a token says of itself. It is not verified here: the server does that. */
export function readToken(token: string): { user: string; expires: number } {
  try {
    const middle = token.split('.')[1].replace(/-/g, '+').replace(/_/g, '/');
    const text = new TextDecoder().decode(Uint8Array.from(atob(middle), (c) => c.charCodeAt(0)));
    const claims = JSON.parse(text) as { exp?: number; sub?: string };
    return { user: (claims.sub ?? '').replace(/^user:/, ''), expires: (claims.exp ?? 0) * 1000 };
  } catch {
    return { user: '', expires: 0 };
  }
}
