import { isObject, type Json, type JsonObject } from './json.ts';

export interface Iso {
  file: string;
  sum: string;
  url: string;
  arches: string[];
}

const text = (v: Json | undefined) => (typeof v === 'string' ? v : '');

/** isosOf are the ISO images that a boot environment names: that of its OS, which is for amd64, and those of its architectures. */
export function isosOf(bootenv: JsonObject): Iso[] {
  const os = isObject(bootenv.OS) ? bootenv.OS : {};
  const more = isObject(os.SupportedArchitectures) ? os.SupportedArchitectures : {};
  const named = [
    { file: text(os.IsoFile), sum: text(os.IsoSha256), url: text(os.IsoUrl), arch: 'amd64' },
    ...Object.entries(more).sort(([a], [b]) => (a < b ? -1 : 1)).flatMap(([arch, a]) => (isObject(a) ? [{ file: text(a.IsoFile), sum: text(a.Sha256), url: text(a.IsoUrl), arch }] : [])),
  ].filter((i) => i.file !== '');
  return [...new Set(named.map((i) => i.file))].map((file) => {
    const all = named.filter((i) => i.file === file);
    return { file, sum: all.find((i) => i.sum)?.sum ?? '', url: all.find((i) => i.url)?.url ?? '', arches: [...new Set(all.map((i) => i.arch))] };
  });
}
