import { crc32 } from 'node:zlib';
import { expect, it } from 'vitest';
import { zip } from './zip.ts';

// unzip reads an archive as others do: the directory at its end leads to the files, and repeats what stands before each.
function unzip(archive: Uint8Array): [string, string][] {
  const b = Buffer.from(archive);
  const end = b.length - 22;
  expect(b.readUInt32LE(end)).toBe(0x06054b50);
  const files: [string, string][] = [];
  let at = b.readUInt32LE(end + 16);
  for (let i = b.readUInt16LE(end + 10); i > 0; i--) {
    expect(b.readUInt32LE(at)).toBe(0x02014b50);
    const [sum, size, nameLength] = [b.readUInt32LE(at + 16), b.readUInt32LE(at + 24), b.readUInt16LE(at + 28)];
    const head = b.readUInt32LE(at + 42);
    const name = b.subarray(at + 46, at + 46 + nameLength);
    expect(b.readUInt32LE(head)).toBe(0x04034b50);
    expect(b.subarray(head + 4, head + 30)).toEqual(b.subarray(at + 6, at + 32));
    expect(b.subarray(head + 30, head + 30 + nameLength)).toEqual(name);
    const body = b.subarray(head + 30 + nameLength, head + 30 + nameLength + size);
    expect(crc32(body)).toBe(sum);
    files.push([name.toString(), body.toString()]);
    at += 46 + nameLength;
  }
  expect(at).toBe(end);
  return files;
}

it.each([[[]], [[['a.json', '{}']]], [[['empty', ''], ['x/ü.txt', 'grün\n'.repeat(5000)], ['b', '\u0000\uffff']]]] as [string, string][][][])('others unpack what was packed: %#', (files) => {
  expect(unzip(zip(files))).toEqual(files);
});
