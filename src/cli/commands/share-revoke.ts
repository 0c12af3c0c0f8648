import { command } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { asPerson } from '../presence.ts'

type Deps = Pick<CliDeps, 'presence' | 'identity'>

export const shareRevoke = command({
  name: 'share revoke',
  summary: 'End a share, whoever made it.',
  gated: true,
  arguments: [{ name: 'share', summary: 'its id' }],
  options: {},
  async run(args, io, deps: Deps) {
    const caller = await asPerson(deps, io, {
      action: `revoke the share ${args.share}`,
      detail: null,
    })
    const { shares } = await deps.identity()
    await shares.revoke(caller, args.share)
    await io.answer({ id: args.share, state: 'revoked' }, () => `Revoked: ${args.share}.`)
  },
})
