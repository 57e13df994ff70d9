import { Combobox, Text, TextInput, useCombobox } from '@mantine/core';
import { memo, useRef, useState } from 'react';
import { complete, type Filter, type Language } from '../lib/filter.ts';
import { Icon } from './Icon.tsx';

interface Props {
  label: string;
  value: string;
  onChange: (text: string) => void;
  filter: Filter; // what parseFilter has read of the value
  language: Language;
  present?: (name: string) => readonly string[]; // the values there are of a field or param
}

/** FilterBox is where a filter is typed: it completes names, operators and values, and says what it cannot read. */
export const FilterBox = memo(function FilterBox({ label, value, onChange, filter, language, present = nothing }: Props) {
  const box = useCombobox({ onDropdownClose: () => box.resetSelectedOption() });
  const input = useRef<HTMLInputElement>(null);
  const [cursor, setCursor] = useState(0);
  const { from, to, suggestions } = complete(value, Math.min(cursor, value.length), language, present);
  const offered = box.dropdownOpened ? suggestions : [];

  const moved = (): void => setCursor(input.current?.selectionStart ?? 0);
  const change = (text: string, at: number): void => {
    onChange(text);
    setCursor(at);
    box.resetSelectedOption();
    box.openDropdown();
  };
  const take = (text: string): void => {
    const at = from + text.length;
    change(value.slice(0, from) + text + value.slice(to), at);
    requestAnimationFrame(() => input.current?.setSelectionRange(at, at));
  };

  return (
    <Combobox store={box} onOptionSubmit={take} withinPortal position="bottom-start" width="max-content">
      <Combobox.Target withExpandedAttribute>
        <TextInput
          ref={input} flex="1 1 14rem" size="xs" type="search" aria-label={label} placeholder="web  Stage=prep  rack/unit>4" value={value} spellCheck={false}
          autoComplete="off" leftSection={<Icon name="filter" />} error={Boolean(filter.error)}
          rightSection={<Remark filter={filter} value={value} />} rightSectionWidth={filter.error || filter.unknown.length > 0 ? 'min(55%, 30rem)' : 0}
          onChange={(e) => change(e.currentTarget.value, e.currentTarget.selectionStart ?? 0)} onKeyUp={moved} onClick={moved}
          onBlur={() => box.closeDropdown()}
          onKeyDown={(e) => {
            if (e.key === 'Escape' && box.dropdownOpened && offered.length > 0) {
              e.preventDefault();
              e.stopPropagation();
              box.closeDropdown();
            }
            if (e.key === 'Tab' && !e.shiftKey && offered.length > 0 && box.getSelectedOptionIndex() >= 0) {
              e.preventDefault();
              box.clickSelectedOption();
            }
          }}
        />
      </Combobox.Target>
      <Combobox.Dropdown hidden={offered.length === 0} miw={220} maw="90vw">
        <Combobox.Options aria-label="Suggestions">
          {offered.map((s) => (
            <Combobox.Option key={s.text} value={s.text} py={4}>
              <Text span size="xs" ff="monospace">{s.text}</Text>
              {s.note && <Text span size="xs" c="dimmed" ml="sm">{s.note}</Text>}
            </Combobox.Option>
          ))}
        </Combobox.Options>
      </Combobox.Dropdown>
    </Combobox>
  );
});

const nothing = (): readonly string[] => [];

/** Remark says what is wrong and where, or which names nobody knows. It stands in the box, so nothing moves while one types. */
function Remark({ filter, value }: { filter: Filter; value: string }) {
  const { error, unknown } = filter;
  const where = error && value.slice(error.from, error.to);
  const text = error
    ? error.message + (where && where !== value.trim() ? `: ${where}` : '')
    : unknown.length > 0 ? `no field or param is named ${unknown.join(', ')}` : '';
  return (
    <Text role="status" size="xs" truncate w="100%" ta="right" px="xs" c={error ? 'var(--mantine-color-error)' : 'dimmed'} title={text} bg="var(--mantine-color-body)">
      {text}
    </Text>
  );
}
