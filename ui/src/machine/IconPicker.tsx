import { Group, SimpleGrid, Text, TextInput, UnstyledButton } from '@mantine/core';
import { useEffect, useMemo, useState } from 'react';
import { cssColour } from '../lib/colour.ts';
import { Icon } from '../parts/Icon.tsx';
import classes from './machine.module.css';

const colours = 'red orange yellow olive green teal blue violet purple pink brown grey black'.split(' ');
const shown = 60;

interface Props {
  icon: string;
  color: string;
  onChange: (meta: { icon: string; color: string }) => void;
}

/** Chooses an icon among all names there are, and a colour. */
export function IconPicker({ icon, color, onChange }: Props) {
  const names = useNames();
  const [words, setWords] = useState('');
  const [own, setOwn] = useState(color);
  useEffect(() => setOwn(color), [color]);
  const found = useMemo(() => search(names, words), [names, words]);
  return (
    <div className={classes.picker}>
      <TextInput
        label="Icon"
        placeholder={`Search ${names.length} icons`}
        size="xs"
        value={words}
        onChange={(e) => setWords(e.currentTarget.value)}
        data-autofocus
      />
      <SimpleGrid cols={10} spacing={2} className={classes.icons} role="group" aria-label="Icons">
        {found.slice(0, shown).map((n) => (
          <UnstyledButton
            key={n.join()}
            className={classes.pick}
            data-chosen={n[0] === icon.replaceAll(' ', '-') || undefined}
            onClick={() => onChange({ icon: n[0].replaceAll('-', ' '), color })}
            aria-label={n[0].replaceAll('-', ' ')}
            title={n[0].replaceAll('-', ' ')}
          >
            <Icon name={n[0]} color={color} size="1.1rem" />
          </UnstyledButton>
        ))}
      </SimpleGrid>
      <Text size="xs" c="dimmed" role="status">
        {found.length === 0 ? 'No icon has such a name' : found.length > shown ? `${found.length} icons: type more of the name` : `${found.length} icons`}
      </Text>
      <Text size="xs" fw={500} mt="xs" id="icon-colours">
        Colour
      </Text>
      <Group gap={2} role="group" aria-labelledby="icon-colours">
        {colours.map((c) => (
          <UnstyledButton key={c} className={classes.pick} data-chosen={c === color || undefined} onClick={() => onChange({ icon, color: c })} aria-label={c} title={c}>
            <span className={classes.swatch} style={{ background: cssColour(c) }} />
          </UnstyledButton>
        ))}
        <UnstyledButton className={classes.pick} data-chosen={!color || undefined} onClick={() => onChange({ icon, color: '' })} aria-label="no colour" title="no colour">
          <Icon name="ban" />
        </UnstyledButton>
      </Group>
      <form
        onSubmit={(e) => {
          e.preventDefault();
          if (!own || cssColour(own)) onChange({ icon, color: own });
        }}
      >
        <TextInput
          size="xs"
          mt={6}
          aria-label="Any colour of CSS"
          placeholder="any colour of CSS, then Enter"
          value={own}
          error={own && !cssColour(own) ? 'This is no colour' : undefined}
          onChange={(e) => setOwn(e.currentTarget.value)}
        />
      </form>
    </div>
  );
}

/** All drawings, each with its names. */
function useNames(): string[][] {
  const [names, setNames] = useState<string[][]>([]);
  useEffect(() => {
    let here = true;
    void import('virtual:icon-table').then(({ table }) => here && setNames(all(table)));
    return () => {
      here = false;
    };
  }, []);
  return names;
}

// A drawing that has the same name in an earlier style (solid before regular) is named for its style.
function all(table: string): string[][] {
  const seen = new Set<string>();
  return table.split('\n\n').flatMap((block, i) =>
    block.split('\n').filter(Boolean).map((line) => {
      const names = line.split(' ');
      const first = seen.has(names[0]) ? `${names[0]}-${i === 1 ? 'outline' : 'brand'}` : names[0];
      names.forEach((n) => seen.add(n));
      return [first, ...names];
    }),
  );
}

function search(names: string[][], words: string): string[][] {
  const wanted = words.toLowerCase().split(/[\s-]+/).filter(Boolean);
  if (!wanted.length) return names;
  const rank = (n: string[]) => (n.some((x) => x === wanted.join('-')) ? 0 : n.some((x) => x.startsWith(wanted[0])) ? 1 : 2);
  return names.filter((n) => n.some((x) => wanted.every((w) => x.includes(w)))).sort((a, b) => rank(a) - rank(b));
}
