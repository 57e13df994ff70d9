import { expect, it } from 'vitest';
import { reference } from './refs.ts';

it('a field names objects of a kind, in lists and below as well', () => {
  const cases: [string, string, string, string | undefined][] = [
    ['machines', '/Profiles/0', 'web', 'profiles/web'], ['machines', '/Stage', 'prep', 'stages/prep'], ['machines', '/Stage', '', undefined],
    ['machines', '/Tasks/2', 'stage:prep', 'stages/prep'], ['machines', '/Tasks/2', 'install', 'tasks/install'], ['machines', '/Tasks/2', 'chroot:/mnt', undefined],
    ['machines', '/Tasks/2', 'context:', undefined], ['jobs', '/Previous', '00000000-0000-0000-0000-000000000000', undefined],
    ['pools', '/EnterActions/AddProfiles/0', 'web', 'profiles/web'], ['pools', '/EnterActions/Workflow', 'w', 'workflows/w'],
    ['tasks', '/Templates/0/ID', 'setup.tmpl', 'templates/setup.tmpl'], ['templates', '/ID', 'setup.tmpl', undefined], ['tasks', '/Templates/0/Name', 'x', undefined],
    ['tenants', '/Members/profiles/3', 'web', 'profiles/web'], ['profiles', '/Params/Stage', 'prep', undefined], ['subnets', '/Subnet', '10.0.0.0/8', undefined],
    ['reservations', '/Subnet', 'lan', 'subnets/lan'], ['stages', '/Name', 'prep', undefined],
  ];
  for (const [kind, path, value, found] of cases) {
    const ref = reference(kind, path, value);
    expect(ref && `${ref.kind}/${ref.key}`, `${kind} ${path} ${value}`).toBe(found);
  }
});
