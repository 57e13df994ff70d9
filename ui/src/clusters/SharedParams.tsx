import { Anchor, Collapse, Table, Text, UnstyledButton } from '@mantine/core';
import { Fragment, useState } from 'react';
import type { Params } from '../api/types.ts';
import { roleOf, type Write } from '../lib/cluster.ts';
import { Ago } from '../parts/Ago.tsx';
import { Icon } from '../parts/Icon.tsx';
import { Ref } from '../parts/Ref.tsx';
import { Panel } from './Panels.tsx';
import { byWhom, type Past } from './past.ts';
import classes from './clusters.module.css';

interface Props {
  params: Params;
  log: ReadonlyMap<string, Write[]>;
  names: Pick<Past, 'names' | 'jobs'>;
  goTo: (rev: number) => void;
  /** This is the past: how long ago something was does not matter, but when. */
  past: boolean;
}

/** What the machines share, who wrote it last, and how it came to be what it is. */
export function SharedParams({ params, log, names, goTo, past }: Props) {
  const [open, setOpen] = useState<string>();
  const keys = [...new Set([...Object.keys(params), ...log.keys()])].sort();
  const say = (value: unknown) => inNames(value, names.names);
  return (
    <Panel title="Shared params">
      {keys.length === 0 && <Text size="sm" c="dimmed">The profile holds no params.</Text>}
      <div className={classes.wide}>
        <Table fz="sm" verticalSpacing={4} miw="40rem">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Param</Table.Th>
              <Table.Th>Value</Table.Th>
              <Table.Th>Last writer</Table.Th>
              <Table.Th>When</Table.Th>
              <Table.Th>Changes</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {keys.map((key) => {
              const list = log.get(key) ?? [];
              const last = list.at(-1);
              return (
                <Fragment key={key}>
                  <Table.Tr data-param={key} data-value={JSON.stringify(params[key])}>
                    <Table.Td>
                      {roleOf(key) && <Icon name="anchor" />} <Ref kind="params" id={key} />
                    </Table.Td>
                    <Table.Td className={classes.value} maw={420}>
                      {Object.hasOwn(params, key) ? say(params[key]) : <span className={classes.quiet}>removed</span>}
                    </Table.Td>
                    <Table.Td>{last?.job ? <Ref kind="jobs" id={last.job}>{byWhom(names, last.who, last.job)}</Ref> : last ? byWhom(names, last.who, undefined) : <span className={classes.quiet}>not known</span>}</Table.Td>
                    <Table.Td>{last && (past ? new Date(last.time).toLocaleTimeString() : <Ago time={new Date(last.time).toISOString()} />)}</Table.Td>
                    <Table.Td>
                      {list.length > 0 && (
                        <UnstyledButton aria-expanded={open === key} aria-label={`${list.length} changes of ${key}`} onClick={() => setOpen(open === key ? undefined : key)} fz="sm">
                          {list.length} <Icon name={open === key ? 'caret up' : 'caret down'} />
                        </UnstyledButton>
                      )}
                    </Table.Td>
                  </Table.Tr>
                  {open === key && (
                    <Table.Tr>
                      <Table.Td colSpan={5}>
                        <Collapse expanded>
                          <ul className={classes.list}>
                            {[...list].reverse().slice(0, 50).map((w) => (
                              <li key={w.rev}>
                                <Anchor component="button" size="sm" onClick={() => goTo(w.rev)} title="Show this moment">
                                  {new Date(w.time).toLocaleTimeString()}
                                </Anchor>{' '}
                                {byWhom(names, w.who, w.job)}: <span className={classes.value}>{w.value === undefined ? 'removed' : say(w.value)}</span>
                              </li>
                            ))}
                            {list.length > 50 && <li className={classes.quiet}>{list.length - 50} older ones</li>}
                          </ul>
                        </Collapse>
                      </Table.Td>
                    </Table.Tr>
                  )}
                </Fragment>
              );
            })}
          </Table.Tbody>
        </Table>
      </div>
    </Panel>
  );
}

const longest = 400; // characters

/** A value on one line, with machines by their names. */
export function inNames(value: unknown, names: ReadonlyMap<string, string>): string {
  const swap = (v: unknown): unknown =>
    typeof v === 'string' ? (names.get(v) ?? v) : Array.isArray(v) ? v.map(swap) : v && typeof v === 'object' ? Object.fromEntries(Object.entries(v).map(([k, x]) => [k, swap(x)])) : v;
  const named = swap(value);
  const text = Array.isArray(named) && named.every((x) => typeof x === 'string') ? named.join(', ') || '(empty list)' : typeof named === 'string' ? named : JSON.stringify(named);
  return text.length > longest ? text.slice(0, longest) + '…' : text;
}
