import { Loader } from '@mantine/core';
import { useFleet } from '../live/fleet.ts';
import { Page } from '../parts/Page.tsx';
import { Problem } from '../parts/Problem.tsx';
import { Failures } from './Failures.tsx';
import { FirstStart } from './FirstStart.tsx';
import { ServerHealth } from './Health.tsx';
import { JobsPerMinute } from './Jobs.tsx';
import { Clusters, ComingUp, States, useClusters } from './Machines.tsx';
import { Ticker } from './Ticker.tsx';
import classes from './Overview.module.css';

/** What the fleet is doing now; what failed comes first. */
export default function OverviewPage() {
  const fleet = useFleet();
  const clusters = useClusters(fleet);
  const none = fleet.complete && fleet.items.length === 0;
  return (
    <Page title="Overview">
      {fleet.error && <Problem error={fleet.error} />}
      <div className={classes.overview}>
        {fleet.loading && !fleet.error && <Loader className={classes.wide} size="sm" aria-label="Loading" />}
        {none ? <FirstStart /> : <Failures fleet={fleet} />}
        {!none && (
          <>
            <States fleet={fleet} />
            <ComingUp fleet={fleet} />
            <Clusters clusters={clusters} state={fleet.state} />
            <JobsPerMinute />
          </>
        )}
        <ServerHealth />
        <Ticker broad={clusters.length === 0 && !none} nameOf={(uuid) => fleet.byKey.get(uuid)?.Name} />
      </div>
    </Page>
  );
}
