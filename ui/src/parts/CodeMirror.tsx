import { json } from '@codemirror/lang-json';
import { yaml } from '@codemirror/lang-yaml';
import { HighlightStyle, StreamLanguage, syntaxHighlighting } from '@codemirror/language';
import { shell } from '@codemirror/legacy-modes/mode/shell';
import { lintGutter, setDiagnostics, type Diagnostic } from '@codemirror/lint';
import { unifiedMergeView } from '@codemirror/merge';
import { Compartment, EditorState, type Extension } from '@codemirror/state';
import { Decoration, EditorView, keymap, MatchDecorator, ViewPlugin, type DecorationSet, type ViewUpdate } from '@codemirror/view';
import { tags } from '@lezer/highlight';
import { basicSetup } from 'codemirror';
import { useEffect, useRef } from 'react';
import { useShortcuts } from '../app/shortcuts.ts';
import type { Mark } from '../lib/text.ts';
import { nonce } from '../lib/nonce.ts';
import type { EditorProps, Language } from './Editor.tsx';

export default function CodeMirror({ label, value, onChange, language, marks, original, height, onSave }: EditorProps) {
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView>(undefined);
  const calls = useRef({ onChange, onSave });
  calls.current = { onChange, onSave };
  useShortcuts(onSave ? [{ keys: 'ctrl+s', label: 'Save', group: 'Editor' }] : []);
  const parts = useRef({ language: new Compartment(), diff: new Compartment(), access: new Compartment() });

  useEffect(() => {
    const { language: lang, diff, access } = parts.current;
    const v = new EditorView({
      parent: host.current!,
      state: EditorState.create({
        doc: value,
        extensions: [
          keymap.of([{ key: 'Mod-s', preventDefault: true, run: () => { calls.current.onSave?.(); return true; } }]),
          basicSetup, lintGutter(), templates, look, syntaxHighlighting(colours), EditorView.lineWrapping,
          lang.of([]), diff.of([]), access.of([]), nonce ? EditorView.cspNonce.of(nonce) : [],
          EditorView.updateListener.of((u) => { if (u.docChanged && !u.transactions.some((t) => t.isUserEvent('set'))) calls.current.onChange?.(u.state.doc.toString()); }),
        ],
      }),
    });
    view.current = v;
    return () => v.destroy();
    // The view lives as long as this part; the effects below bring later values into it.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, []);

  useEffect(() => {
    const v = view.current!;
    if (v.state.doc.toString() !== value) v.dispatch({ changes: { from: 0, to: v.state.doc.length, insert: value }, userEvent: 'set' });
  }, [value]);

  useEffect(() => set(view.current!, parts.current.language, languages[language]), [language]);
  useEffect(() => set(view.current!, parts.current.diff, original === undefined ? [] : unifiedMergeView({
    original, mergeControls: onChange === undefined ? false : wayBack, allowInlineDiffs: true, collapseUnchanged: { margin: 3, minSize: 8 },
  })), [original, onChange === undefined]);
  useEffect(() => set(view.current!, parts.current.access, [
    EditorState.readOnly.of(onChange === undefined), EditorView.contentAttributes.of({ 'aria-label': label, tabindex: '0' }),
  ]), [label, onChange === undefined]);
  useEffect(() => {
    const v = view.current!;
    const found = (marks ?? []).map((m) => diagnostic(v.state, m));
    v.dispatch(setDiagnostics(v.state, found));
    // Who only looks is shown the place; who types is left where he is.
    if (found.length > 0 && calls.current.onChange === undefined) {
      v.requestMeasure({ read: () => v.lineBlockAt(found[0].from).top, write: (top) => (v.scrollDOM.scrollTop = top - v.scrollDOM.clientHeight / 2) });
    }
  }, [marks, value]);

  return <div ref={host} style={{ height, overflow: 'hidden', border: '1px solid var(--mantine-color-default-border)', borderRadius: 'var(--mantine-radius-sm)' }} />;
}

// wayBack takes one part of the difference back. To accept one would do nothing: saving does that.
function wayBack(type: 'reject' | 'accept', act: (e: MouseEvent) => void): HTMLElement {
  if (type === 'accept') return document.createElement('span');
  const button = document.createElement('button');
  button.type = 'button';
  button.textContent = 'Undo';
  button.title = 'As it is stored';
  button.onclick = act;
  return button;
}

function set(view: EditorView, part: Compartment, extension: Extension): void {
  view.dispatch({ effects: part.reconfigure(extension) });
}

const languages: Record<Language, Extension> = { json: json(), yaml: yaml(), shell: StreamLanguage.define(shell), text: [] };

function diagnostic(state: EditorState, mark: Mark): Diagnostic {
  const line = state.doc.line(Math.min(Math.max(mark.line, 1), state.doc.lines));
  const indent = line.text.length - line.text.trimStart().length;
  return { from: line.from + indent, to: line.to, severity: 'error', message: mark.message };
}

// Go templates stand in every language; a script is one before it is shell.
const template = new MatchDecorator({ regexp: /\{\{.*?\}\}/g, decoration: Decoration.mark({ class: 'cm-template' }) });

const templates = ViewPlugin.fromClass(
  class {
    decorations: DecorationSet;
    constructor(view: EditorView) { this.decorations = template.createDeco(view); }
    update(u: ViewUpdate) { this.decorations = template.updateDeco(u, this.decorations); }
  },
  { decorations: (p) => p.decorations },
);

// Colours are Mantine's, which follow the theme. The pictures that CodeMirror draws as data:
// addresses, which the Content-Security-Policy does not allow, are replaced by lines and signs.
const wavy = (colour: string) => ({ backgroundImage: 'none', textDecoration: `underline wavy var(--mantine-color-${colour}-6)` });
const sign = { content: 'normal', width: 'auto', height: 'auto', fontSize: '0.75em' };
const dot = { content: '"●"' };

const look = EditorView.theme({
  '&': { height: '100%', color: 'var(--mantine-color-text)', backgroundColor: 'var(--mantine-color-body)', fontSize: 'var(--mantine-font-size-sm)' },
  '&.cm-focused': { outline: '2px solid var(--mantine-primary-color-filled)', outlineOffset: '-2px' },
  '.cm-scroller': { fontFamily: 'var(--mantine-font-family-monospace)', lineHeight: '1.5' },
  '.cm-content': { caretColor: 'var(--mantine-color-text)', minHeight: '5em' },
  '.cm-cursor, .cm-dropCursor': { borderLeftColor: 'var(--mantine-color-text)' },
  '&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground': { backgroundColor: 'light-dark(#b8d4f5, #2c4a6e)' },
  '.cm-gutters': { backgroundColor: 'var(--mantine-color-default-hover)', color: 'light-dark(var(--mantine-color-gray-7), var(--mantine-color-dark-1))', border: 'none' },
  '.cm-activeLine, .cm-activeLineGutter': { backgroundColor: 'color-mix(in srgb, var(--mantine-color-default-hover) 60%, transparent)' },
  '.cm-template': { color: 'light-dark(#862e9c, #e599f7)', fontWeight: '600' },
  '.cm-template *': { color: 'inherit' },
  '.cm-lintRange-error': wavy('red'),
  '.cm-lintRange-warning': wavy('yellow'),
  '.cm-lint-marker-error': { ...sign, color: 'var(--mantine-color-error)' },
  '.cm-lint-marker-warning': { ...sign, color: 'var(--mantine-color-yellow-text)' },
  '.cm-lint-marker-error::before, .cm-lint-marker-warning::before': dot,
  '.cm-tooltip, .cm-panels': { backgroundColor: 'var(--mantine-color-body)', color: 'var(--mantine-color-text)', border: '1px solid var(--mantine-color-default-border)' },
  '.cm-panels button, .cm-button': { backgroundImage: 'none', backgroundColor: 'var(--mantine-color-default)', color: 'var(--mantine-color-text)' },
  '.cm-textfield': { backgroundColor: 'var(--mantine-color-default)', color: 'var(--mantine-color-text)' },
  '.cm-deletedChunk, .cm-deletedLine': { backgroundColor: 'light-dark(#fff0f0, #3a1f22)' },
  '.cm-changedLine, .cm-insertedLine': { backgroundColor: 'light-dark(#edfaef, #18301e) !important' },
  '.cm-deletedText': { background: 'light-dark(#ffc9c9, #6b2b30) !important' },
  '.cm-changedText': { background: 'light-dark(#b2f2bb, #2b5c36) !important' },
  '.cm-chunkButtons button': { color: 'var(--mantine-color-text)', backgroundColor: 'var(--mantine-color-default)', border: '1px solid var(--mantine-color-default-border)', borderRadius: '4px', padding: '0 8px', cursor: 'pointer', font: 'inherit' },
  '.cm-collapsedLines': { backgroundImage: 'none', backgroundColor: 'var(--mantine-color-default-hover)', color: 'light-dark(var(--mantine-color-gray-7), var(--mantine-color-dark-1))' },
});

const colour = (light: string, dark: string) => ({ color: `light-dark(${light}, ${dark})` });

const colours = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName), tags.attributeName], ...colour('#0b5394', '#74c0fc') },
  { tag: [tags.string, tags.special(tags.string)], ...colour('#1b6b2f', '#8ce99a') },
  { tag: [tags.number, tags.bool, tags.null, tags.atom], ...colour('#a03a00', '#ffc078') },
  { tag: [tags.keyword, tags.operatorKeyword, tags.controlKeyword], ...colour('#7a1fa2', '#d0a9f5') },
  { tag: [tags.comment, tags.lineComment, tags.meta], ...colour('#5c636a', '#9aa2aa'), fontStyle: 'italic' },
  { tag: [tags.variableName, tags.definition(tags.variableName)], ...colour('#0a5c66', '#66d9e8') },
  { tag: [tags.standard(tags.variableName), tags.function(tags.variableName)], ...colour('#1d4ed8', '#91a7ff') },
  { tag: tags.invalid, ...colour('#c92a2a', '#ff8787') },
]);
