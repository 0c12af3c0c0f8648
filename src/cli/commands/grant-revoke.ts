import { checkGrant } from '../checked-first.ts'
import { command } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { GRANT_ARGUMENT, grantJson } from '../grant-view.ts'
import { asPerson } from '../presence.ts'
import { visible } from '../text.ts'

type Deps = Pick<CliDeps, 'presence' | 'identity'>

export const grantRevoke = command({
  name: 'grant revoke',
  summary: 'End one grant for good; others of its agent stay.',
  gated: true,
  arguments: [GRANT_ARGUMENT],
  options: {},
  async run(args, io, deps: Deps) {
    await checkGrant(deps, args.grant)
    const caller = await asPerson(deps, io, {
      action: `end the grant ${args.grant}`,
      detail: null,
    })
    const grant = await (await deps.identity()).grants.revoke(caller, args.grant)
    await io.answer(grantJson(grant), () => `The grant ${visible(grant.label)} is dead.`)
  },
})
