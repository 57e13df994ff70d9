import { expect, it } from 'vitest';
import { isosOf } from './isos.ts';

it('names each image once, with all that need it', () => {
  const OS = {
    IsoFile: 'a.iso', IsoSha256: '', IsoUrl: 'https://example.com/a.iso',
    SupportedArchitectures: { i386: { IsoFile: 'a.iso', Sha256: '12', IsoUrl: '' }, arm64: { IsoFile: 'b.iso', Sha256: '34', IsoUrl: '' }, amd64: { IsoFile: '', Sha256: '', IsoUrl: '' } },
  };
  expect(isosOf({ OS })).toEqual([
    { file: 'a.iso', sum: '12', url: 'https://example.com/a.iso', arches: ['amd64', 'i386'] },
    { file: 'b.iso', sum: '34', url: '', arches: ['arm64'] },
  ]);
  expect(isosOf({})).toEqual([]);
});
