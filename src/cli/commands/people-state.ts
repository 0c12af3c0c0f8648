import { Fault } from '../../core/faults.ts'
import { ROLES, type Role } from '../../core/identity-port.ts'
import type { PeoplePort } from '../../core/people-port.ts'
import { command, type Io } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { PERSON_ARGUMENT, personJson, personNamed } from '../people-view.ts'
import { asPerson } from '../presence.ts'
import { visible } from '../text.ts'

type Deps = Pick<CliDeps, 'presence' | 'identity'>

export const peopleDisable = command({
  name: 'people disable',
  summary: 'Shut an account: its sessions and keys are dead at once.',
  gated: true,
  arguments: [PERSON_ARGUMENT],
  options: {},
  run: (args, io, deps: Deps) => change(args.person, 'disable', { isActive: false }, io, deps),
})

export const peopleEnable = command({
  name: 'people enable',
  summary: 'Open an account again; its sessions stay ended.',
  gated: true,
  arguments: [PERSON_ARGUMENT],
  options: {},
  run: (args, io, deps: Deps) => change(args.person, 'enable', { isActive: true }, io, deps),
})

export const peopleRole = command({
  name: 'people role',
  summary: 'Give an account another role.',
  gated: true,
  arguments: [PERSON_ARGUMENT, { name: 'role', summary: ROLES.join(', ') }],
  options: {},
  run: (args, io, deps: Deps) =>
    change(args.person, `give the role ${args.role} to`, { role: roleOf(args.role) }, io, deps),
})

function roleOf(text: string): Role {
  const role = ROLES.find((one) => one === text)
  if (role !== undefined) return role
  throw new Fault('BAD_INPUT', `The role must be one of ${ROLES.join(', ')}.`, {
    details: { field: 'role' },
  })
}

async function change(
  name: string,
  act: string,
  to: Parameters<PeoplePort['update']>[2],
  io: Io,
  deps: Deps,
): Promise<void> {
  const caller = await asPerson(deps, io, { action: `${act} ${name}`, detail: null })
  const { people } = await (await deps.identity()).people()
  const { id } = await personNamed(people, caller, name)
  const changed = await people.update(caller, id, to)
  const state = changed.isActive ? 'active' : 'disabled'
  await io.answer(
    personJson(changed),
    () => `${visible(changed.email)} is ${changed.role}, ${state}.`,
  )
}
