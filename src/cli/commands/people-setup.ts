import { command } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { showLink } from '../people-view.ts'
import { asPerson } from '../presence.ts'

type Deps = Pick<CliDeps, 'presence' | 'identity' | 'site'>

export const peopleSetup = command({
  name: 'people setup',
  summary: 'Print the link on which the first account is made.',
  about: ['Whoever opens it first owns the server. The link of before no longer counts.'],
  gated: true,
  arguments: [],
  options: {},
  async run(_, io, deps: Deps) {
    const caller = await asPerson(deps, io, { action: 'make the first account', detail: null })
    const { people } = await (await deps.identity()).people()
    await showLink(await people.setupLink(caller), deps.site(), io)
  },
})
