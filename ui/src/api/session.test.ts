import { expect, test } from 'vitest';
import { session } from './session.ts';

const token = (user: string) => `x.${btoa(JSON.stringify({ sub: 'user:' + user, exp: 4e9 }))}.x`;

test('another user begins anew; the same one goes on', () => {
  const states: string[] = [];
  const leave = session.subscribe((s) => states.push(`${s.state} ${s.user}`));
  const { start, expire, end } = session.getState();
  start(token('ann'));
  expire();
  start(token('ann'));
  expire();
  start(token('bob'));
  end();
  leave();
  expect(states).toEqual(['in ann', 'expired ann', 'in ann', 'expired ann', 'out ', 'in bob', 'out ']);
});
