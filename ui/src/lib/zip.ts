/** zip packs texts into a zip archive, each as it is: without compression nothing more is needed. */
export function zip(files: readonly (readonly [name: string, text: string])[]): Uint8Array<ArrayBuffer> {
  const local: Uint8Array[] = [];
  const central: Uint8Array[] = [];
  let at = 0;
  for (const [name, text] of files) {
    const [n, body] = [utf8.encode(name), utf8.encode(text)];
    const about = [20, 0x800, 0, 0, 0x21]; // version, names are UTF-8, stored, 1980-01-01
    const sizes = [crc32(body), body.length, body.length];
    const head = record([[0x04034b50, 4], ...about.map(short), ...sizes.map(long), short(n.length), short(0)]);
    local.push(head, n, body);
    central.push(record([[0x02014b50, 4], short(20), ...about.map(short), ...sizes.map(long), short(n.length), ...[0, 0, 0, 0].map(short), long(0), long(at)]), n);
    at += head.length + n.length + body.length;
  }
  const size = central.reduce((sum, c) => sum + c.length, 0);
  const end = record([long(0x06054b50), short(0), short(0), short(files.length), short(files.length), long(size), long(at), short(0)]);
  return joined([...local, ...central, end]);
}

const utf8 = new TextEncoder();
const short = (n: number): [number, number] => [n, 2];
const long = (n: number): [number, number] => [n, 4];

// record is little-endian numbers, each in so many bytes.
const record = (fields: readonly [n: number, bytes: number][]) => Uint8Array.from(fields.flatMap(([n, bytes]) => Array.from({ length: bytes }, (_, i) => (n >>> (8 * i)) & 0xff)));

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, p) => sum + p.length, 0));
  let at = 0;
  for (const p of parts) {
    all.set(p, at);
    at += p.length;
  }
  return all;
}

const table = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let i = 0; i < 8; i++) n = n & 1 ? (n >>> 1) ^ 0xedb88320 : n >>> 1;
  return n;
});

const crc32 = (bytes: Uint8Array) => (bytes.reduce((crc, b) => table[(crc ^ b) & 0xff] ^ (crc >>> 8), -1) ^ -1) >>> 0;
