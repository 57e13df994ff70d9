import { Badge, Button, Group, Loader, Switch, Text, TextInput, UnstyledButton, VisuallyHidden } from '@mantine/core';
import { useMemo, useState } from 'react';
import { useQueryState } from '../app/router.ts';
import { brief } from '../lib/describe-patch.ts';
import type { Json } from '../lib/json.ts';
import { isSealed, originLabel, paramRows, viaLabel, type ParamRow } from '../lib/origins.ts';
import { Empty } from '../parts/Empty.tsx';
import { Icon } from '../parts/Icon.tsx';
import { Problem } from '../parts/Problem.tsx';
import type { TabProps } from './MachinePage.tsx';
import { NewParam, ParamEdit } from './ParamEdit.tsx';
import { useOrigins } from './useOrigins.ts';
import classes from './machine.module.css';

const page = 100;

/** The params that are in force, each with where it comes from and what it overrides. */
export function ParamsTab({ machine }: TabProps) {
  const { params, loading, error, refetch } = useOrigins(machine.Uuid);
  const [words, setWords] = useQueryState('q');
  const [defaults, setDefaults] = useQueryState('defaults');
  const [open, setOpen] = useQueryState('param');
  const [shown, setShown] = useState(page);
  const [adding, setAdding] = useState(false);
  const rows = useMemo(() => paramRows(params ?? {}, words, defaults !== '' || words !== ''), [params, words, defaults]);
  if (error) return <Problem error={error} retry={refetch} />;
  if (loading) return <Loader size="sm" aria-label="Loading params" />;
  return (
    <div className={classes.sections}>
      <Group gap="sm">
        <TextInput
          size="xs"
          aria-label="Search params"
          placeholder="Search names, values and origins"
          leftSection={<Icon name="search" />}
          value={words}
          onChange={(e) => setWords(e.currentTarget.value)}
          className={classes.search}
        />
        <Switch size="xs" label="Defaults too" checked={defaults !== ''} onChange={(e) => setDefaults(e.currentTarget.checked ? 'all' : '')} />
        <Button size="xs" variant="default" leftSection={<Icon name="plus" />} disabled={machine.Locked} onClick={() => setAdding(true)}>
          Set a param
        </Button>
        <Text size="xs" c="dimmed" role="status">
          {rows.length === 1 ? '1 param' : `${rows.length} params`}
        </Text>
      </Group>
      {rows.length === 0 ? (
        <Empty title={words ? 'No param matches' : 'No params'}>{words ? 'Search for a part of a name, a value, or where it comes from.' : 'Set one here, or give the machine a profile.'}</Empty>
      ) : (
        <ul className={classes.params}>
          {rows.slice(0, shown).map((row) => (
            <Row key={row.name} row={row} open={open === row.name} toggle={() => setOpen(open === row.name ? '' : row.name)}>
              <ParamEdit machine={machine} row={row} onDone={() => setOpen('')} />
            </Row>
          ))}
        </ul>
      )}
      {rows.length > shown && (
        <Button variant="default" size="xs" onClick={() => setShown(shown + page)} className={classes.more}>
          Show {Math.min(page, rows.length - shown)} more of {rows.length - shown}
        </Button>
      )}
      {adding && <NewParam machine={machine} params={params ?? {}} onClose={() => setAdding(false)} />}
    </div>
  );
}

function Row({ row, open, toggle, children }: { row: ParamRow; open: boolean; toggle: () => void; children: React.ReactNode }) {
  return (
    <li className={classes.param} data-open={open || undefined} data-param={row.name}>
      <UnstyledButton className={classes.paramLine} onClick={toggle} aria-expanded={open}>
        <Icon name={open ? 'angle down' : 'angle right'} />
        <span className={classes.paramName}>{row.name}</span>
        <span className={classes.paramValue}>{isSealed(row.Value) ? <Sealed /> : brief(row.Value as Json, 120)}</span>
        <span className={classes.origin}>
          <Origin row={row} />
        </span>
      </UnstyledButton>
      {open && <div className={classes.paramMore}>{children}</div>}
    </li>
  );
}

const icons: Record<string, string> = { machines: 'server', profiles: 'id card', stages: 'layer group', plugins: 'plug', params: 'book' };

function Origin({ row }: { row: ParamRow }) {
  return (
    <>
      <Badge variant="default" tt="none" fw={500} title={viaLabel(row) || undefined} className={classes.originName} leftSection={<Icon name={row.Key === 'global' ? 'globe' : icons[row.Kind]} />}>
        {originLabel(row)}
      </Badge>
      {row.Overrides.length > 0 && (
        <Text span size="xs" c="dimmed" className={classes.over} title={row.Overrides.map((o) => originLabel(o)).join(', ')}>
          over {row.Overrides.length === 1 ? originLabel(row.Overrides[0]) : `${row.Overrides.length} others`}
        </Text>
      )}
    </>
  );
}

const Sealed = () => (
  <>
    <span aria-hidden>••••••</span>
    <VisuallyHidden>sealed</VisuallyHidden>
  </>
);

