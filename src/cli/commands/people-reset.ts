import { command } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { PERSON_ARGUMENT, personNamed, showLink } from '../people-view.ts'
import { asPerson } from '../presence.ts'

type Deps = Pick<CliDeps, 'presence' | 'identity' | 'site'>

export const peopleReset = command({
  name: 'people reset',
  summary: 'Print a link on which somebody chooses a new password.',
  gated: true,
  arguments: [PERSON_ARGUMENT],
  options: {},
  async run(args, io, deps: Deps) {
    const caller = await asPerson(deps, io, {
      action: `let ${args.person} choose a new password`,
      detail: null,
    })
    const { people } = await (await deps.identity()).people()
    const { id } = await personNamed(people, caller, args.person)
    await showLink(await people.resetLink(caller, id), deps.site(), io)
  },
})
