import { command } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { PERSON_ARGUMENT, personNamed } from '../people-view.ts'
import { asPerson } from '../presence.ts'
import { visible } from '../text.ts'

type Deps = Pick<CliDeps, 'presence' | 'identity'>

export const peopleRm = command({
  name: 'people rm',
  summary: 'Remove an account for good, with all that signs in to it.',
  gated: true,
  arguments: [PERSON_ARGUMENT],
  options: {},
  async run(args, io, deps: Deps) {
    const caller = await asPerson(deps, io, { action: `remove ${args.person}`, detail: null })
    const { people } = await (await deps.identity()).people()
    const { id, email } = await personNamed(people, caller, args.person)
    await people.remove(caller, id)
    await io.answer({ id, removed: true }, () => `${visible(email)} has no account any more.`)
  },
})
