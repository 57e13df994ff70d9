import { Alert, Anchor, Button, Group, Loader, Text } from '@mantine/core';
import { useState } from 'react';
import type { JsonObject } from '../lib/json.ts';
import { bodyOf, withBody } from '../lib/kind.ts';
import { DocumentEditor } from '../kinds/DocumentEditor.tsx';
import { useDraft } from '../kinds/useDraft.ts';
import { useKind } from '../kinds/useKind.ts';
import { ConflictDialog, fieldName, who } from '../parts/ConflictDialog.tsx';
import { notifyDone, Problem } from '../parts/Problem.tsx';
import { useSave } from '../parts/useSave.tsx';
import type { TabProps } from './MachinePage.tsx';
import classes from './machine.module.css';

/** All but what the tokens of the machine hang on: nobody reads that over a shoulder. */
const open = ({ Secret: _, ...body }: JsonObject): JsonObject => body;

/** The whole machine as text. What others change meanwhile is taken in, and asked about where both have. */
export function EditTab({ machine }: TabProps) {
  const { kind, error: unknown } = useKind('machines');
  const draft = useDraft('machines', machine.Uuid);
  const saver = useSave('machines', machine.Uuid);
  const [broken, setBroken] = useState(false);
  const [reviewing, setReviewing] = useState(false);
  const [error, setError] = useState<unknown>();
  if (unknown) return <Problem error={unknown} />;
  if (!kind || !draft.object || !draft.edit) return <Loader size="sm" aria-label="Loading the editor" />;
  const { edit, object } = draft;
  const writable = !draft.missing && !machine.ReadOnly;
  const save = async () => {
    setError(undefined);
    try {
      const saved = await saver.save(edit.base, edit.mine);
      if (saved) {
        draft.reset(saved);
        notifyDone(`${machine.Name} is saved`);
      }
    } catch (err) {
      setError(err);
    }
  };
  return (
    <div className={classes.sections}>
      <Group gap="xs" className={classes.editBar}>
        <Button size="xs" loading={saver.saving} disabled={broken || !writable || draft.changed.length === 0} onClick={() => void save()}>
          Save
        </Button>
        <Button size="xs" variant="default" disabled={draft.changed.length === 0} onClick={() => draft.reset()}>
          Discard
        </Button>
        <Text size="sm" role="status">
          {draft.changed.length ? `Not saved: ${draft.changed.map((d) => fieldName(d.path)).join(', ')}` : 'As it is stored'}
        </Text>
        <Anchor size="sm" href={`#/objects/machines/${machine.Uuid}`}>
          Edit it as a form
        </Anchor>
      </Group>
      {draft.news && (
        <Alert color={draft.open.length ? 'red' : 'gray'} variant="light" p="xs" role="status">
          <Group gap="xs">
            <Text size="sm">
              Changed by {who(draft.news.by) || 'others'} meanwhile: {draft.news.paths.map(fieldName).join(', ')}.{' '}
              {draft.open.length ? 'You have changed the same.' : 'It is taken in below.'}
            </Text>
            {draft.open.length > 0 && (
              <Button size="compact-xs" variant="default" onClick={() => setReviewing(true)}>
                Choose
              </Button>
            )}
          </Group>
        </Alert>
      )}
      {error !== undefined && <Problem error={error} />}
      <DocumentEditor
        label={machine.Name}
        value={open(bodyOf(kind, edit.mine))}
        stored={open(bodyOf(kind, object))}
        schema={kind.schema}
        onChange={writable ? (body) => draft.set(withBody(kind, edit.mine, edit.mine.Secret === undefined ? body : { ...body, Secret: edit.mine.Secret })) : undefined}
        onBroken={setBroken}
        onSave={() => void save()}
      />
      {reviewing && draft.open.length > 0 && (
        <ConflictDialog
          kind="machines"
          id={machine.Name}
          edit={edit}
          theirs={object}
          action="Take this"
          onCancel={() => setReviewing(false)}
          onMerged={(merged) => {
            draft.resolve(merged);
            setReviewing(false);
          }}
        />
      )}
      {saver.dialog}
    </div>
  );
}
