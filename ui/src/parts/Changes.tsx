import { Anchor } from '@mantine/core';
import { useState } from 'react';
import { brief, fieldName, isLarge, listChange, type Change } from '../lib/describe-patch.ts';
import type { Json } from '../lib/json.ts';
import classes from './Changes.module.css';

/** What was changed, field by field, with what was and what is. See lib/describe-patch. */
export function Changes({ changes, most = 4 }: { changes: readonly Change[]; most?: number }) {
  const [all, setAll] = useState(false);
  if (changes.length === 0) return <span className={classes.change}>stored again as it was</span>;
  const shown = all ? changes : changes.slice(0, most);
  return (
    <ul className={classes.list}>
      {shown.map((c, i) => (
        <li key={i} className={classes.change}>
          <One change={c} />
        </li>
      ))}
      {shown.length < changes.length && (
        <li>
          <Anchor component="button" type="button" size="sm" onClick={() => setAll(true)}>
            {changes.length - shown.length} more
          </Anchor>
        </li>
      )}
    </ul>
  );
}

function One({ change: { verb, path, before, after } }: { change: Change }) {
  if (path.length === 0) {
    const word = verb === 'replaced' ? 'replaced as a whole' : verb;
    const object = after ?? before;
    return object === undefined ? <>{word}</> : <Large word={word} value={object} as={verb === 'deleted' ? 'before' : 'after'} />;
  }
  const list = listChange(before, after);
  return (
    <>
      <span className={classes.field}>{fieldName(path)}</span>
      {list ? (
        <>
          {list.removed.map((v, i) => (
            <Value key={`-${i}`} value={v} as="before" />
          ))}
          {list.added.map((v, i) => (
            <Value key={`+${i}`} value={v} as="after" />
          ))}
        </>
      ) : (
        <>
          {before !== undefined && <Value value={before} as="before" />}
          {before !== undefined && after !== undefined && ' → '}
          {after !== undefined && <Value value={after} as="after" />}
          {after === undefined && before === undefined && 'removed'}
        </>
      )}
    </>
  );
}

type Side = 'before' | 'after';
const tags = { before: 'del', after: 'ins' } as const;
const signs = { before: '− ', after: '+ ' } as const;

function Value({ value, as }: { value: Json; as: Side }) {
  if (isLarge(value)) return <Large word={signs[as] + brief(value)} value={value} as={as} />;
  const Tag = tags[as];
  return <Tag className={classes[as]}>{JSON.stringify(value)}</Tag>;
}

function Large({ word, value, as }: { word: string; value: Json; as: Side }) {
  const [open, setOpen] = useState(false);
  const Tag = tags[as];
  return (
    <details className={classes.large} onToggle={(e) => setOpen(e.currentTarget.open)}>
      <summary>{word}</summary>
      {open && (
        <pre tabIndex={0} className={classes[as]}>
          <Tag style={{ textDecoration: 'none' }}>{typeof value === 'string' ? value : JSON.stringify(value, null, 2)}</Tag>
        </pre>
      )}
    </details>
  );
}
