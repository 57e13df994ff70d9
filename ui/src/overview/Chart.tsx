import { useElementSize } from '@mantine/hooks';
import { minute } from '../lib/rate.ts';
import type { Rates } from './Jobs.tsx';
import classes from './Overview.module.css';

const height = 150;
const left = 36; // room for figures
const top = 6;
const bottom = 20; // room for times
const between = 70; // px from one time to the next, at least

/** Bars of jobs by the minute they ended in: all in one colour, the failed ones before them. */
export function Chart({ rates: { finished, failed } }: { rates: Rates }) {
  const { ref, width } = useElementSize();
  const all = finished.counts.map((n, i) => n + failed.counts[i]);
  const step = stepOf(Math.max(4, ...all) / 4);
  const most = step * Math.ceil(Math.max(4, ...all) / step);
  const room = Math.max(0, width - left) / all.length;
  const every = room ? ([1, 2, 5, 10, 15, 30].find((n) => n * room >= between) ?? 30) : 30;
  const y = (n: number) => top + (height - top - bottom) * (1 - n / most);
  const x = (i: number) => left + i * room;
  const bar = Math.min(14, 0.8 * room);
  const bars = (counts: readonly number[], className: string) =>
    counts.map((n, i) => n > 0 && <rect key={i} className={className} x={x(i + 0.5) - bar / 2} width={bar} y={y(n)} height={y(0) - y(n)} rx={1} />);
  const lines = Array.from({ length: most / step + 1 }, (_, i) => i * step);
  const times = all.map((_, i) => finished.start + i * minute).flatMap((at, i) => (new Date(at).getMinutes() % every === 0 ? [{ at, i }] : []));
  return (
    <div ref={ref}>
      <svg width={width} height={height} className={classes.bars} aria-hidden="true">
        {lines.map((n) => (
          <g key={n}>
            <line x1={left} x2={width} y1={y(n)} y2={y(n)} />
            <text x={left - 6} y={y(n)} dy="0.35em" textAnchor="end">
              {n.toLocaleString('en')}
            </text>
          </g>
        ))}
        {bars(all, classes.done)}
        {bars(failed.counts, classes.failed)}
        {times.map(({ at, i }) => (
          <text key={at} x={x(i + 0.5)} y={height - 5} textAnchor="middle">
            {new Date(at).toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' })}
          </text>
        ))}
      </svg>
    </div>
  );
}

/** The least of 1, 2, 5, 10, 20 … that is not below n. */
function stepOf(n: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, n)));
  return power * ([1, 2, 5].find((f) => f * power >= n) ?? 10);
}
