import { command } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { loginJson, SERVER_ARGUMENT, serverJson, serverText, targetLine } from '../server-view.ts'
import { table } from '../text.ts'

type Deps = Pick<CliDeps, 'caller' | 'registry'>

const MAX_TARGET = 60

export const serverLs = command({
  name: 'server ls',
  summary: 'List the servers behind the gateway.',
  arguments: [],
  options: {},
  async run(_, io, deps: Deps) {
    const list = await (await deps.registry()).servers.list(await deps.caller())
    await io.answer({ servers: list.map(serverJson) }, () =>
      list.length === 0
        ? ''
        : table(
            ['NAME', 'KIND', 'POLICIES', 'TARGET'],
            list.map(({ name, target, policies }) => [
              name,
              target.kind,
              policies.join(' ') || '-',
              shortened(targetLine(target)),
            ]),
            io.stdout,
          ),
    )
  },
})

export const serverShow = command({
  name: 'server show',
  summary: 'Say how a server is reached.',
  arguments: [SERVER_ARGUMENT],
  options: {},
  async run(args, io, deps: Deps) {
    const { servers, logins } = await deps.registry()
    const caller = await deps.caller()
    const server = await servers.get(caller, args.name)
    const login =
      server.target.kind === 'http' ? await (await logins()).get(caller, server.name) : null
    const shown = login === null ? null : loginJson(login)
    await io.answer(
      server.target.kind === 'http' ? { ...serverJson(server), login: shown } : serverJson(server),
      () => serverText(server, login),
    )
  },
})

function shortened(line: string): string {
  return line.length <= MAX_TARGET ? line : `${line.slice(0, MAX_TARGET - 1)}…`
}
