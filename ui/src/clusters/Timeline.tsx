import { ActionIcon, Button, Group, SegmentedControl, Select, Slider, Text, Tooltip } from '@mantine/core';
import { useEffect, useRef, useState } from 'react';
import type { Moment } from '../lib/replay.ts';
import { Ago } from '../parts/Ago.tsx';
import { Icon } from '../parts/Icon.tsx';
import { byWhom, inWords, type Mark, type Past, type Reach } from './past.ts';
import classes from './clusters.module.css';

interface Props {
  past: Past;
  index: number; // of the moment that is shown
  go: (index: number) => void;
  leave: () => void;
  reach: Reach;
  setReach: (reach: Reach) => void;
}

const icons: Record<Mark['kind'], string> = { begin: 'flag', elected: 'anchor', step: 'circle check', failed: 'circle xmark', done: 'flag checkered' };
const longestGap = 1000; // milliseconds that playing waits where nothing happened

/** Goes through history: a slider, steps, places to jump to, and what changed, in words. */
export function Timeline({ past, index, go, leave, reach, setReach }: Props) {
  const { moments } = past.replay;
  const [playing, setPlaying] = useState(false);
  const [speed, setSpeed] = useState('4');
  const moment = moments[index]!;
  const last = moments.length - 1;
  const step = useRef(go);
  step.current = go;

  useEffect(() => {
    if (!playing) return;
    if (index >= last) {
      setPlaying(false);
      return;
    }
    const gap = Math.min(longestGap, (moments[index + 1]!.time - moment.time) / Number(speed));
    const timer = setTimeout(() => step.current(index + 1), Math.max(gap, 30));
    return () => clearTimeout(timer);
  }, [playing, index, last, speed, moments, moment.time]);

  return (
    <section className={classes.past} aria-label="History" data-rev={moment.rev}>
      <Group justify="space-between" gap="xs">
        <Text size="sm" fw={600}>
          The past, {new Date(moment.time).toLocaleString()} <Text span size="sm" fw={400}>(revision {moment.rev}, <Ago time={new Date(moment.time).toISOString()} />)</Text>
        </Text>
        <Button size="compact-sm" onClick={leave} leftSection={<Icon name="circle play" />}>
          Back to live
        </Button>
      </Group>
      <Group gap="sm" mt={6} wrap="nowrap">
        <Group gap={4} wrap="nowrap">
          <Tool icon="step backward" label="Previous change" off={index === 0} act={() => go(index - 1)} />
          <Tool icon={playing ? 'pause' : 'play'} label={playing ? 'Pause' : 'Play'} off={!playing && index >= last} act={() => setPlaying(!playing)} />
          <Tool icon="step forward" label="Next change" off={index >= last} act={() => go(index + 1)} />
        </Group>
        <Slider
          style={{ flex: 1 }}
          min={0}
          max={Math.max(last, 1)}
          value={index}
          onChange={(i) => go(Math.min(i, last))}
          label={(i) => clock(moments[Math.min(i, last)]!)}
          thumbLabel="Moment in history"
          thumbProps={{ 'aria-valuetext': `${clock(moment)}, change ${index + 1} of ${moments.length}` }}
        />
      </Group>
      <Changes past={past} moment={moment} />
      <Group gap="xs" mt={6}>
        <div className={classes.events} role="group" aria-label="Jump to">
          {past.events.slice(0, 40).map((e, i) => (
            <Button
              key={i}
              size="compact-xs"
              variant={e.index === index ? 'filled' : 'default'}
              leftSection={<Icon name={icons[e.kind]} />}
              onClick={() => go(e.index)}
            >
              {e.label}
            </Button>
          ))}
        </div>
        <Group gap="xs" ml="auto">
          <SegmentedControl
            size="xs"
            aria-label="How much of history"
            value={reach}
            onChange={(v) => setReach(v as Reach)}
            data={[
              { value: 'run', label: 'This run' },
              { value: 'all', label: 'All that is kept' },
            ]}
          />
          <Select size="xs" w={90} aria-label="Speed" value={speed} allowDeselect={false} onChange={(v) => setSpeed(v ?? '4')} data={['1', '4', '16', '64'].map((v) => ({ value: v, label: v + ' ×' }))} />
        </Group>
      </Group>
    </section>
  );
}

const clock = (m: Moment) => new Date(m.time).toLocaleTimeString(undefined, { hour12: false, hour: '2-digit', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 1 });

function Tool({ icon, label, off, act }: { icon: string; label: string; off: boolean; act: () => void }) {
  return (
    <Tooltip label={label}>
      <ActionIcon variant="default" aria-label={label} disabled={off} onClick={act}>
        <Icon name={icon} />
      </ActionIcon>
    </Tooltip>
  );
}

function Changes({ past, moment }: { past: Past; moment: Moment }) {
  const shown = moment.entries.slice(0, 3);
  return (
    <ul className={classes.list} style={{ marginTop: 6, minHeight: '2.9rem' }} aria-label="What changed" aria-live="polite">
      {shown.map((e, i) => (
        <li key={i} className={classes.cut} title={inWords(past, e)}>
          {inWords(past, e)}
          <span className={classes.quiet}> · by {byWhom(past, e.Who, e.Job)}</span>
        </li>
      ))}
      {moment.entries.length > 3 && <li className={classes.quiet}>{moment.entries.length - 3} more</li>}
    </ul>
  );
}
