import { Text } from '@mantine/core';
import { useEffect, useState } from 'react';
import { count } from '../api/client.ts';
import type { Event, Job } from '../api/types.ts';
import { add, forward, minute, spread, type Spans } from '../lib/rate.ts';
import { useConnection, useEvents } from '../live/hooks.ts';
import { useNow } from '../parts/Ago.tsx';
import { Card } from './Card.tsx';
import { Chart } from './Chart.tsx';
import classes from './Overview.module.css';

const spans = 45; // minutes

export interface Rates {
  finished: Spans;
  failed: Spans;
}

/** Jobs that ended in each of the last minutes: counted by the server once, then by the events. */
function useRates(): Rates | undefined {
  const [rates, setRates] = useState<Rates>();
  const live = useConnection() === 'live';
  const now = Math.floor(useNow() / minute) * minute;
  useEffect(() => {
    if (!live) return;
    let left = false;
    const start = Math.floor(Date.now() / minute) * minute - (spans - 1) * minute;
    const counted = Date.now();
    const of = (state: string) =>
      spread(start, minute, spans, (from, to) =>
        count('jobs', { State: state, EndTime: `Between(${new Date(from).toISOString()},${new Date(Math.min(to, counted) - 1).toISOString()})` }),
      );
    void Promise.all([of('finished'), of('failed')]).then(
      ([finished, failed]) => !left && setRates({ finished: { start, counts: finished }, failed: { start, counts: failed } }),
      () => {}, // without the right to list jobs there is no chart
    );
    return () => {
      left = true;
    };
  }, [live]);
  useEvents('jobs.*.*', (e: Event) => {
    const [job, before] = [e.Object as Job | null, e.Original as Job | null];
    if (!job || (job.State !== 'finished' && job.State !== 'failed') || job.State === before?.State) return;
    const kind = job.State;
    setRates((r) => r && { ...r, [kind]: add(forward(r[kind], minute, Date.now()), minute, Date.parse(job.EndTime)) });
  });
  useEffect(() => setRates((r) => r && { finished: forward(r.finished, minute, now), failed: forward(r.failed, minute, now) }), [now]);
  return rates;
}

const sum = (list: readonly number[]) => list.reduce((a, b) => a + b, 0);

/** Jobs per minute. */
export function JobsPerMinute() {
  const rates = useRates();
  const finished = sum(rates?.finished.counts ?? []);
  const failed = sum(rates?.failed.counts ?? []);
  const words = `${finished.toLocaleString('en')} finished, ${failed.toLocaleString('en')} failed in ${spans} minutes`;
  return (
    <Card title="Jobs per minute" more={{ href: '#/jobs', label: 'Jobs' }}>
      <div className={classes.chart} role="img" aria-label={`Jobs per minute: ${words}`}>
        {rates && <Chart rates={rates} />}
      </div>
      <Text size="sm" c="dimmed">
        {rates ? words : 'Counting …'}
      </Text>
    </Card>
  );
}
