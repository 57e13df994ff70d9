const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

/** A size as people read it: 512 B, 1.5 MiB. */
export function bytes(n: number): string {
  const i = n < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(n) / 10));
  const v = n / 2 ** (10 * i);
  return `${i && v < 100 ? v.toFixed(1).replace(/\.0$/, '') : Math.round(v)} ${units[i]}`;
}
