import { useComputedColorScheme } from '@mantine/core';
import { useElementSize } from '@mantine/hooks';
import { useEffect, useRef } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { minute } from '../lib/rate.ts';
import type { Rates } from './Jobs.tsx';

const height = 150;

/** Bars of jobs by the minute they ended in: all in one colour, the failed ones before them. */
export default function Chart({ rates }: { rates: Rates }) {
  const { ref: sized, width } = useElementSize();
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const scheme = useComputedColorScheme();
  const data = dataOf(rates);
  const latest = useRef(data);
  latest.current = data;

  useEffect(() => {
    if (!width || !place.current) return;
    // what a canvas can be painted with: a variable may be light-dark()
    const probe = place.current;
    const colour = (name: string) => {
      probe.style.color = `var(${name})`;
      return getComputedStyle(probe).color;
    };
    const text = colour('--chart-text');
    const bars = uPlot.paths.bars!({ size: [0.8, 14], radius: 0.1 });
    const axis = { stroke: text, grid: { stroke: colour('--chart-grid'), width: 1 }, ticks: { show: false }, font: '11px system-ui, sans-serif' };
    const made = new uPlot(
      {
        width,
        height,
        legend: { show: false },
        cursor: { show: false },
        scales: { x: { time: true }, y: { range: (_, __, max) => [0, Math.max(4, max * 1.1)] } },
        axes: [{ ...axis, space: 70, values: '{HH}:{mm}' }, { ...axis, size: 36, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000] }],
        series: [{}, { label: 'ended', fill: colour('--chart-done'), width: 0, paths: bars, points: { show: false } }, { label: 'failed', fill: colour('--chart-failed'), width: 0, paths: bars, points: { show: false } }],
      },
      latest.current,
      place.current,
    );
    plot.current = made;
    return () => made.destroy();
  }, [width, scheme]);
  useEffect(() => plot.current?.setData(data), [data]);

  return (
    <div ref={sized}>
      <div ref={place} style={{ height }} />
    </div>
  );
}

function dataOf({ finished, failed }: Rates): uPlot.AlignedData {
  const at = finished.counts.map((_, i) => (finished.start + i * minute + minute / 2) / 1000);
  return [at, finished.counts.map((n, i) => n + failed.counts[i]), failed.counts];
}
