import { ActionIcon, Button, Group, Loader, Text, TextInput, Tooltip, VisuallyHidden } from '@mantine/core';
import { useLocalStorage } from '@mantine/hooks';
import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useLayoutEffect, useRef, useState, type CSSProperties, type KeyboardEvent, type UIEvent } from 'react';
import { send } from '../api/client.ts';
import { link } from '../app/router.ts';
import { highlight, matchesOf, stampLength, type Log, type LogLine, type Match, type Run } from '../lib/log.ts';
import { Icon } from './Icon.tsx';
import classes from './LogView.module.css';
import { notifyDone, notifyError, Problem } from './Problem.tsx';
import { useJobLog, type JobLog } from './useJobLog.ts';
import { useLogSearch } from './useLogSearch.ts';

const rowHeight = 18; // pixels
const windowSize = 50_000; // lines in the scroller at once: browsers cannot draw pages of any length

/** The log of a job, live. It fills what it stands in. */
export function LogView({ job, line }: { job: string; line?: number }) {
  return <LogPane job={job} source={useJobLog(job)} line={line} />;
}

interface Props {
  job: string;
  source: JobLog;
  line?: number; // to be shown and marked
}

export function LogPane({ job, source, line }: Props) {
  const { log, version, loading, live, trouble, error } = source;
  const [wrap, setWrap] = useLocalStorage({ key: 'drp-log-wrap', defaultValue: true });
  const [query, setQuery] = useState('');
  const field = useRef<HTMLInputElement>(null);
  const lines = useLines(log, version, line);
  const search = useLogSearch(log, version, query, lines.top);
  const match = search.matches[search.current];
  useEffect(() => {
    if (match) lines.show(match.line);
  }, [match?.line, match?.start]);

  function onKeyDown(e: KeyboardEvent) {
    const asks = (e.ctrlKey || e.metaKey) && e.key.toLowerCase() === 'f';
    if (!asks || document.activeElement === field.current) return; // twice: the browser's own search
    e.preventDefault();
    field.current?.select();
  }

  if (error) return <Problem error={error} title="The log cannot be shown" />;
  return (
    <section className={classes.pane} aria-label="Log" onKeyDown={onKeyDown}>
      <Group className={classes.bar} gap="xs" justify="space-between">
        <SearchField ref={field} query={query} setQuery={setQuery} search={search} toLine={lines.show} />
        <Group gap={4} wrap="nowrap">
          <Text size="xs" c="dimmed" className={classes.about} role="status">
            {about(source)}
          </Text>
          <Tool icon="paragraph" label={wrap ? 'Do not wrap long lines' : 'Wrap long lines'} on={wrap} run={() => setWrap(!wrap)} />
          <Tool icon="copy outline" label="Copy the log" run={() => void copy(log)} />
          <Tool icon="download" label="Download the log" run={() => void download(job)} />
        </Group>
      </Group>
      {trouble !== undefined && (
        <Text size="xs" px="xs" py={2} role="status">
          The log does not come now; it is tried again.
        </Text>
      )}
      <div className={classes.around}>
        <div
          ref={lines.scroller}
          className={`${classes.scroller} ${wrap ? classes.wrap : ''}`}
          role="log"
          aria-live="off"
          aria-label="Lines of the log"
          tabIndex={0}
          onScroll={lines.onScroll}
        >
          {lines.base > log.first() && (
            <Button className={classes.more} variant="subtle" size="compact-xs" onClick={() => lines.show(lines.base - 1)}>
              {(lines.base - log.first()).toLocaleString()} earlier lines
            </Button>
          )}
          {log.first() > 1 && lines.base === log.first() && (
            <Text className={classes.more} size="xs" c="dimmed">
              The first {(log.first() - 1).toLocaleString()} lines are too many to show; download the log for them.
            </Text>
          )}
          {log.last() === 0 && !loading && (
            <Text size="sm" c="dimmed" p="sm">
              {live ? 'Nothing has been written yet.' : 'The log is empty.'}
            </Text>
          )}
          {loading && log.last() === 0 && <Loader size="sm" m="sm" aria-label="Loading the log" />}
          <Lines key={wrap ? 'wrap' : 'long'} job={job} log={log} version={version} lines={lines} marked={line} matches={search.matches} match={match} />
          {lines.base + lines.count <= log.last() && (
            <Button className={classes.more} variant="subtle" size="compact-xs" onClick={() => lines.show(lines.base + lines.count)}>
              {(log.last() - lines.base - lines.count + 1).toLocaleString()} later lines
            </Button>
          )}
        </div>
        {!lines.follow && (
          <Button className={classes.jump} size="compact-sm" onClick={lines.toEnd} leftSection={<Icon name="arrow down" />}>
            {live ? 'Follow the end' : 'Jump to the end'}
          </Button>
        )}
      </div>
    </section>
  );
}

function about({ log, loading, live }: JobLog): string {
  const lines = log.last();
  const count = `${lines.toLocaleString()} ${lines === 1 ? 'line' : 'lines'}`;
  if (loading) return 'loading';
  return live ? `${count}, live` : count;
}

type Lines = ReturnType<typeof useLines>;

/** Which lines are in the scroller, and where it stands. */
function useLines(log: Log, version: number, line: number | undefined) {
  const scroller = useRef<HTMLDivElement>(null);
  const [follow, setFollow] = useState(line === undefined);
  const [from, setFrom] = useState(1);
  const [wanted, setWanted] = useState<{ line: number } | undefined>(line === undefined ? undefined : { line });
  const before = useRef(0);
  useEffect(() => {
    if (line === undefined) return;
    setFollow(false);
    setWanted({ line });
  }, [line]);

  const last = log.last();
  const base = Math.max(log.first(), follow ? startOfWindow(last) : from);
  const count = Math.max(0, Math.min(windowSize, last - base + 1));

  function show(to: number) {
    const at = Math.min(Math.max(to, log.first()), last);
    if (at < base || at >= base + count) setFrom(Math.max(1, at - windowSize / 2));
    else setFrom(base);
    setFollow(false);
    setWanted({ line: at });
  }

  function onScroll(e: UIEvent<HTMLElement>) {
    const { scrollTop, scrollHeight, clientHeight } = e.currentTarget;
    const atEnd = scrollHeight - scrollTop - clientHeight < 4;
    const up = scrollTop < before.current - 1;
    before.current = scrollTop;
    if (atEnd && base + count > last) setFollow(true);
    else if (up && follow) {
      setFrom(base);
      setFollow(false);
    }
  }

  const top = useRef((): number => 1);
  return {
    scroller,
    base,
    count,
    follow,
    wanted,
    version,
    show,
    toEnd: () => setFollow(true),
    onScroll,
    arrived: () => setWanted(undefined),
    top: () => top.current(),
    setTop: (read: () => number) => (top.current = read),
  };
}

/** The end of a long log is shown in a window that moves on rarely, so that the reader's place seldom does. */
function startOfWindow(last: number): number {
  const half = windowSize / 2;
  return Math.max(0, Math.floor(last / half) - 1) * half + 1;
}

interface LinesProps {
  job: string;
  log: Log;
  version: number;
  lines: Lines;
  marked?: number;
  matches: readonly Match[];
  match?: Match;
}

function Lines({ job, log, version, lines, marked, matches, match }: LinesProps) {
  const { base, count, follow, wanted } = lines;
  const rows = useVirtualizer({
    count,
    getScrollElement: () => lines.scroller.current,
    estimateSize: () => rowHeight,
    getItemKey: (i) => base + i,
    overscan: 30,
  });
  lines.setTop(() => base + (rows.range?.startIndex ?? 0));

  useLayoutEffect(() => {
    if (follow && count > 0) rows.scrollToIndex(count - 1, { align: 'end' });
  }, [follow, count, version]);
  useEffect(() => {
    if (!wanted || count === 0 || wanted.line > log.last()) return;
    const i = wanted.line - base;
    if (i < 0 || i >= count) return lines.show(wanted.line);
    rows.scrollToIndex(i, { align: 'center' });
    lines.arrived();
  }, [wanted, base, count]);

  const width = `${String(log.last()).length + 2}ch`;
  return (
    <div className={classes.lines} style={{ height: rows.getTotalSize() }}>
      {rows.getVirtualItems().map((row) => (
        <Row
          key={row.key}
          ref={rows.measureElement}
          index={row.index}
          offset={row.start}
          line={log.line(base + row.index)}
          width={width}
          href={`${link('jobs', job)}?line=${base + row.index}`}
          marked={base + row.index === marked}
          matches={matchesOf(matches, base + row.index)}
          match={match}
        />
      ))}
    </div>
  );
}

interface RowProps {
  ref: (el: HTMLElement | null) => void;
  index: number;
  offset: number;
  line: LogLine;
  width: string;
  href: string;
  marked: boolean;
  matches: readonly Match[];
  match?: Match;
}

function Row({ ref, index, offset, line, width, href, marked, matches, match }: RowProps) {
  return (
    <div ref={ref} data-index={index} className={`${classes.row} ${marked ? classes.marked : ''}`} style={{ transform: `translateY(${offset}px)` }}>
      <a className={classes.number} style={{ minWidth: width }} href={href} tabIndex={-1} aria-hidden title={`Link to line ${line.number}`}>
        {line.number}
      </a>
      <span className={classes.text}>
        <Stamped line={line} matches={matches} match={match} />
        {line.left > 0 && <span className={classes.left}> … {line.left.toLocaleString()} more bytes; download the log for them</span>}
      </span>
    </div>
  );
}

/** The text of a line, with the time at its start set back. */
function Stamped({ line, matches, match }: Pick<RowProps, 'line' | 'matches' | 'match'>) {
  const stamp = stampLength(line.text);
  let at = 0;
  return highlight(line.runs, matches, stamp).map((piece, i) => {
    const early = at < stamp && !piece.style.fg;
    at += piece.text.length;
    const here = piece.range !== undefined && matches[piece.range] === match;
    return <Piece key={i} piece={piece} stamp={early} found={piece.range !== undefined} here={here} />;
  });
}

function Piece({ piece: { text, style }, stamp, found, here }: { piece: Run; stamp: boolean; found: boolean; here: boolean }) {
  const names = [
    style.fg && classes.coloured,
    style.bg && classes.backed,
    style.bold && classes.bold,
    style.dim && classes.dim,
    style.italic && classes.italic,
    style.underline && classes.underline,
    style.strike && classes.strike,
    stamp && classes.stamp,
    here && classes.here,
    found && !here && classes.match,
  ].filter(Boolean);
  if (names.length === 0) return text;
  const colours = { ...(style.fg && { '--fg': `rgb(${style.fg})` }), ...(style.bg && { '--bg': `rgb(${style.bg})` }) } as CSSProperties;
  const Tag = found ? 'mark' : 'span';
  return (
    <Tag className={names.join(' ')} style={colours}>
      {text}
    </Tag>
  );
}

interface SearchProps {
  ref: React.Ref<HTMLInputElement>;
  query: string;
  setQuery: (query: string) => void;
  search: ReturnType<typeof useLogSearch>;
  toLine: (line: number) => void;
}

function SearchField({ ref, query, setQuery, search, toLine }: SearchProps) {
  function onKeyDown(e: KeyboardEvent) {
    const line = /^:(\d+)$/.exec(query);
    if (e.key === 'Escape') setQuery('');
    else if (e.key !== 'Enter') return;
    else if (line) toLine(Number(line[1]));
    else search.step(e.shiftKey ? -1 : 1);
    e.preventDefault();
  }
  const { matches, current, searching, more } = search;
  const total = matches.length.toLocaleString() + (more ? '+' : '');
  const count = query === '' ? '' : matches.length === 0 ? (searching ? 'searching' : 'none') : `${current + 1} of ${total}`;
  return (
    <Group gap={4} wrap="nowrap" flex={1}>
      <TextInput
        ref={ref}
        className={classes.search}
        size="xs"
        value={query}
        onChange={(e) => setQuery(e.currentTarget.value)}
        onKeyDown={onKeyDown}
        placeholder="Search, or :line"
        aria-label="Search the log"
        leftSection={<Icon name="search" />}
        spellCheck={false}
      />
      <Tool icon="chevron up" label="Previous match (Shift Enter)" run={() => search.step(-1)} disabled={matches.length === 0} />
      <Tool icon="chevron down" label="Next match (Enter)" run={() => search.step(1)} disabled={matches.length === 0} />
      <Text size="xs" c="dimmed" className={classes.about} aria-hidden>
        {count}
      </Text>
      <VisuallyHidden role="status">{searching ? '' : count && `Match ${count}`}</VisuallyHidden>
    </Group>
  );
}

function Tool({ icon, label, run, on, disabled }: { icon: string; label: string; run: () => void; on?: boolean; disabled?: boolean }) {
  return (
    <Tooltip label={label}>
      <ActionIcon variant={on ? 'light' : 'subtle'} color={on ? undefined : 'gray'} size="md" onClick={run} aria-label={label} disabled={disabled}>
        <Icon name={icon} />
      </ActionIcon>
    </Tooltip>
  );
}

async function copy(log: Log) {
  const texts: string[] = [];
  for (let n = log.first(); n <= log.last(); n++) texts.push(log.text(n));
  try {
    await navigator.clipboard.writeText(texts.join('\n') + '\n');
    notifyDone(`${texts.length.toLocaleString()} lines copied`);
  } catch (err) {
    notifyError(err, 'The log cannot be copied');
  }
}

/** Downloads through a request of the page, since an address must not hold the token. */
async function download(job: string) {
  try {
    const answer = await send('GET', `/jobs/${job}/log`, { headers: { Accept: '*/*' } });
    const file = URL.createObjectURL(await answer.blob());
    const anchor = document.createElement('a');
    anchor.href = file;
    anchor.download = `job-${job}.log`;
    anchor.click();
    setTimeout(() => URL.revokeObjectURL(file), 60_000);
  } catch (err) {
    notifyError(err, 'The log cannot be downloaded');
  }
}
