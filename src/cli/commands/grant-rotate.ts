import { checkGrant } from '../checked-first.ts'
import { command } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { GRANT_ARGUMENT, grantJson } from '../grant-view.ts'
import { asPerson } from '../presence.ts'
import { printOnce } from '../print-secret.ts'

type Deps = Pick<CliDeps, 'presence' | 'identity'>

export const grantRotate = command({
  name: 'grant rotate',
  summary: 'Give a grant a new bearer; the old one is dead at once.',
  gated: true,
  arguments: [GRANT_ARGUMENT],
  options: {},
  async run(args, io, deps: Deps) {
    await checkGrant(deps, args.grant)
    const caller = await asPerson(deps, io, {
      action: `give the grant ${args.grant} a new bearer`,
      detail: null,
    })
    const { grant, bearer } = await (await deps.identity()).grants.rotate(caller, args.grant)
    await printOnce(
      bearer,
      io,
      (text) => ({ token: text, grant: grantJson(grant) }),
      (text) => text,
    )
    if (!io.json) await io.say(`Grant ${grant.id}: this is its bearer, shown once.`)
  },
})
