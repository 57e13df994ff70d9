import { Loader } from '@mantine/core';
import { lazy, Suspense } from 'react';
import type { Mark } from '../lib/text.ts';

export type Language = 'json' | 'yaml' | 'shell' | 'text';

export interface EditorProps {
  label: string; // for those who do not see it
  value: string;
  onChange?: (value: string) => void; // read-only without
  language: Language;
  marks?: readonly Mark[]; // what is wrong, at its line
  original?: string; // what is stored: shows the difference to it, with a way back for each part
  height?: string; // CSS; grows with the text without
  onSave?: () => void; // Ctrl+S
}

const CodeMirror = lazy(() => import('./CodeMirror.tsx'));

// Editor is a field for text in a language, with Go templates made visible in all of them. Tab
// leaves it, as it leaves any field.
export function Editor(props: EditorProps) {
  return (
    <Suspense fallback={<Loader size="sm" m="md" aria-label={`Loading ${props.label}`} />}>
      <CodeMirror {...props} />
    </Suspense>
  );
}
