/** Values by the name of the metric; those that have labels are summed. From the text format of Prometheus. */
export type Metrics = ReadonlyMap<string, number>;

export function parseMetrics(text: string): Metrics {
  const found = new Map<string, number>();
  for (const line of text.split('\n')) {
    const m = /^([A-Za-z_:][\w:]*)(?:\{.*\})? (\S+)/.exec(line);
    if (!m) continue;
    const value = Number(m[2].replace('Inf', 'Infinity'));
    if (!Number.isNaN(value)) found.set(m[1], (found.get(m[1]) ?? 0) + value);
  }
  return found;
}

export const metric = (metrics: Metrics, name: string): number | undefined => metrics.get(name);
