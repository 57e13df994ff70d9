import type { Json } from '../lib/json.ts';
import { write, type Notation } from '../lib/text.ts';

// download hands a document to the user as a file.
export function download(name: string, doc: Json, notation: Notation): void {
  save(name, new Blob([write(doc, notation)], { type: notation === 'json' ? 'application/json' : 'application/yaml' }));
}

export function save(name: string, blob: Blob): void {
  const url = URL.createObjectURL(blob);
  const a = document.createElement('a');
  a.href = url;
  a.download = name.replaceAll('/', '_');
  a.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
