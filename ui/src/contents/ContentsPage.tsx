import { Anchor, Group, Loader, Menu, Stack, Table, Text, Tooltip, VisuallyHidden } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { api, part } from '../api/client.ts';
import { dependents } from '../lib/pack.ts';
import { save } from '../kinds/download.ts';
import { confirm } from '../parts/confirm.tsx';
import { Icon } from '../parts/Icon.tsx';
import { MoreMenu } from '../parts/MoreMenu.tsx';
import { Page } from '../parts/Page.tsx';
import { notifyDone, notifyError, Problem } from '../parts/Problem.tsx';
import classes from './contents.module.css';
import { Uploads } from './Uploads.tsx';
import { size, uploaded, usePacks, type Summary } from './usePacks.ts';

/** The content packs of the server. */
export default function ContentsPage() {
  const { packs, error, refetch } = usePacks();
  const list = (packs ?? []).toSorted((a, b) => a.meta.Name.localeCompare(b.meta.Name));
  return (
    <Page title="Content packs">
      <Stack gap="md">
        {error && <Problem error={error} retry={() => void refetch()} />}
        {!packs && !error && <Loader size="sm" aria-label="Loading" />}
        {packs && <Uploads packs={packs} />}
        {packs && (
          <div className={classes.scroll} role="region" aria-label="Packs" tabIndex={0}>
            <Table highlightOnHover>
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>Pack</Table.Th>
                  <Table.Th>Version</Table.Th>
                  <Table.Th visibleFrom="sm">Type</Table.Th>
                  <Table.Th ta="right">Objects</Table.Th>
                  <Table.Th visibleFrom="sm">Description</Table.Th>
                  <Table.Th>
                    <VisuallyHidden>Actions</VisuallyHidden>
                  </Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {list.map((p) => (
                  <Row key={p.meta.Name} pack={p} all={list} />
                ))}
              </Table.Tbody>
            </Table>
          </div>
        )}
      </Stack>
    </Page>
  );
}

function Row({ pack, all }: { pack: Summary; all: readonly Summary[] }) {
  const { meta } = pack;
  const counts = Object.entries(pack.Counts).map(([kind, n]) => `${n} ${kind}`);
  return (
    <Table.Tr>
      <Table.Td>
        <Group gap="xs" wrap="nowrap">
          <Icon name={meta.Icon || 'box'} color={meta.Color} />
          <Anchor size="sm" href={'#/contents/' + encodeURIComponent(meta.Name)}>
            {meta.Name}
          </Anchor>
          {pack.Warnings.length > 0 && (
            <Tooltip label={pack.Warnings.join('\n')}>
              <Text size="xs" c="yellow.9" tabIndex={0} component="span">
                <Icon name="warning sign" /> {pack.Warnings.length === 1 ? '1 warning' : `${pack.Warnings.length} warnings`}
              </Text>
            </Tooltip>
          )}
        </Group>
      </Table.Td>
      <Table.Td>{meta.Version}</Table.Td>
      <Table.Td visibleFrom="sm">{meta.Type}</Table.Td>
      <Table.Td ta="right">
        <Tooltip label={counts.join(', ') || 'none'}>
          <span>{size(pack).toLocaleString('en')}</span>
        </Tooltip>
      </Table.Td>
      <Table.Td visibleFrom="sm">
        <Text size="sm" c="dimmed" lineClamp={2}>
          {meta.Description}
        </Text>
      </Table.Td>
      <Table.Td ta="right">
        <PackMenu pack={pack} all={all} />
      </Table.Td>
    </Table.Tr>
  );
}

/** What can be done with a pack. */
export function PackMenu({ pack, all, onRemoved }: { pack: Summary; all: readonly Summary[]; onRemoved?: () => void }) {
  const client = useQueryClient();
  const { meta } = pack;
  const download = async (notation: 'json' | 'yaml') => {
    try {
      const doc = await api<never>('GET', '/contents/' + part(meta.Name));
      const { write } = await import('../lib/text.ts');
      save(`${meta.Name}.${notation}`, new Blob([write(doc, notation)], { type: 'application/' + notation }));
    } catch (err) {
      notifyError(err);
    }
  };
  const remove = async () => {
    const metas = all.map((p) => p.meta);
    const needing = dependents(metas, meta.Name).map((m) => m.Name);
    const yes = await confirm({
      title: `Remove ${meta.Name}?`,
      children: (
        <>
          {`Its ${size(pack).toLocaleString('en')} objects go with it. `}
          {needing.length > 0 && `Packs that require it: ${needing.join(', ')}. `}
          The server refuses as long as anything that stays is in need of it.
        </>
      ),
      action: 'Remove',
      danger: true,
    });
    if (!yes) return;
    try {
      await api('DELETE', '/contents/' + part(meta.Name));
      notifyDone(`${meta.Name} is removed`);
      onRemoved?.();
    } catch (err) {
      notifyError(err, `${meta.Name} was not removed`);
    }
    void client.invalidateQueries({ queryKey: ['contents'] });
  };
  return (
    <MoreMenu label={`Actions of ${meta.Name}`}>
      <Menu.Item onClick={() => void download('yaml')}>Download as YAML</Menu.Item>
      <Menu.Item onClick={() => void download('json')}>Download as JSON</Menu.Item>
      {uploaded(meta) && (
        <Menu.Item color="red" onClick={() => void remove()}>
          Remove…
        </Menu.Item>
      )}
    </MoreMenu>
  );
}
