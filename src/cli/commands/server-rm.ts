import { checkServer } from '../checked-first.ts'
import { command } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { asPerson } from '../presence.ts'
import { SERVER_ARGUMENT, serverJson } from '../server-view.ts'

type Deps = Pick<CliDeps, 'presence' | 'registry'>

export const serverRm = command({
  name: 'server rm',
  summary: 'Remove a server, and revoke its grants.',
  gated: true,
  arguments: [SERVER_ARGUMENT],
  options: {},
  async run(args, io, deps: Deps) {
    await checkServer(deps, args.name)
    const caller = await asPerson(deps, io, {
      action: `take the server ${args.name} from behind the gateway`,
      detail: 'its grants are revoked',
    })
    const server = await (await deps.registry()).servers.remove(caller, args.name)
    await io.answer(serverJson(server), () => `The server ${server.name} is gone.`)
  },
})
