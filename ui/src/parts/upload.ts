import { address, ApiError, type Query } from '../api/client.ts';
import { session } from '../api/session.ts';

interface Options {
  method?: 'POST' | 'PUT';
  query?: Query;
  onProgress?: (part: number) => void; // of the bytes, from 0 to 1
  signal?: AbortSignal;
}

// upload sends a file as it is. It tells how far it is, which fetch cannot.
export function upload<T>(path: string, file: Blob, { method = 'POST', query, onProgress, signal }: Options = {}): Promise<T> {
  return new Promise((resolve, reject) => {
    const r = new XMLHttpRequest();
    r.open(method, address(path, query));
    r.setRequestHeader('Authorization', 'Bearer ' + session.getState().token);
    r.setRequestHeader('Content-Type', 'application/octet-stream');
    r.upload.onprogress = (e) => e.lengthComputable && onProgress?.(e.loaded / e.total);
    r.onload = () => (r.status < 300 ? resolve(parse(r.responseText) as T) : reject(refusal(r)));
    r.onerror = () => reject(new ApiError(0, ['the connection broke; nothing was stored']));
    r.onabort = () => reject(new ApiError(0, ['the upload was stopped; nothing was stored']));
    signal?.addEventListener('abort', () => r.abort());
    r.send(file);
  });
}

function refusal(r: XMLHttpRequest): ApiError {
  const e = parse(r.responseText) as { Type?: string; Model?: string; Key?: string; Messages?: string[] } | undefined;
  return new ApiError(r.status, e?.Messages ?? [r.statusText], { type: e?.Type, model: e?.Model, key: e?.Key });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
