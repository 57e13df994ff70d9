import { modals, ModalsProvider } from '@mantine/modals';
import { leavings } from '../live/index.ts';
import { useHosts } from './hosts.ts';

// Dialogs come with the pages that open some: what the first page does not need is not in it.
useHosts.setState({ Modals: ModalsProvider });
leavings.push(modals.closeAll); // questions are not for who signs in next

export { modals };
