import { Anchor, List, Paper, Text, Title } from '@mantine/core';
import { server } from '../api/client.ts';
import { Copy } from '../parts/Copy.tsx';
import classes from './Overview.module.css';

/** What to do while there is no machine. */
export function FirstStart() {
  const endpoint = server.href.replace(/\/$/, '');
  return (
    <Paper component="section" withBorder p="lg" className={classes.wide} aria-label="How machines join">
      <Title order={2} size="h4" mb="xs">
        No machines yet
      </Title>
      <Text size="sm" mb="md">
        A machine is an object here, and a runner on the machine itself that does its work. Nothing is needed on the machine but the
        program <code>drp</code>.
      </Text>
      <List type="ordered" className={classes.steps} spacing="md">
        <Step words="Have a machine known to this server:">{`drp machines create '{"Name": "m1.example.com"}'`}</Step>
        <Step words="Make a token that may act for this machine and no other:">{`drp machines token Name:m1.example.com --ttl 3y | drpjq -r .Token`}</Step>
        <Step words="On the machine, start its runner with that token; it works until it is told to end:">
          {`RS_ENDPOINT=${endpoint} RS_TOKEN=TOKEN drp machines processjobs Name:m1.example.com`}
        </Step>
        <Step words="Make something to do, and set it as the workflow of the machine:">
          {`drp tasks create '{"Name":"hello","Templates":[{"Name":"hello.sh","Contents":"#!/bin/bash\\necho I am {{.Machine.Name}}\\n"}]}'
drp stages create '{"Name":"greet","Tasks":["hello"]}'
drp workflows create '{"Name":"greeting","Stages":["greet"]}'
drp machines workflow Name:m1.example.com greeting`}
        </Step>
      </List>
      <Text size="sm" mt="md">
        Machines can also be made <Anchor href="#/machines">in the list of machines</Anchor>, and packs uploaded among the{' '}
        <Anchor href="#/contents">content packs</Anchor>. Hosts that boot from the network register themselves with a boot environment for
        discovery: see <Anchor href="#/prefs">unknownBootEnv among the preferences</Anchor>.
      </Text>
    </Paper>
  );
}

function Step({ words, children }: { words: string; children: string }) {
  return (
    <List.Item>
      <Text size="sm">{words}</Text>
      <div className={classes.command}>
        <pre tabIndex={0}>{children}</pre>
        <Copy text={children} />
      </div>
    </List.Item>
  );
}
