import { Fault } from '../../core/faults.ts'
import type { ServerTarget } from '../../core/gateway-port.ts'
import {
  LIMITS,
  limitBounds,
  limitValue,
  type OwnLimits,
  type ServerLimits,
} from '../../core/server-limits.ts'
import { command } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { asPerson } from '../presence.ts'
import { headerOf, serverJson, targetLine } from '../server-view.ts'

type Deps = Pick<CliDeps, 'presence' | 'registry' | 'checkServer'>

export const serverAdd = command({
  name: 'server add',
  summary: 'Put an MCP server behind the gateway.',
  about: [
    'Either the command that starts it, behind --, or the address where it is. sallyport wrap --server NAME stands ' +
      'before it for a client of this machine, and sallyport up serves it at /s/NAME/mcp. Until a policy is attached ' +
      'every call is denied.',
    'Commands and addresses can be read by whoever may list servers; keys go into variables (--env, taken from the ' +
      'environment of the gateway) or into headers that take their value from the vault.',
  ],
  gated: true,
  arguments: [
    { name: 'name', summary: 'letters, digits, dots, dashes and underscores' },
    { name: 'command', summary: 'the program and its arguments', repeats: true, optional: true },
  ],
  options: {
    url: { summary: 'address of a server that speaks HTTP', value: 'URL' },
    env: {
      summary: 'a variable that the program may have',
      short: 'e',
      value: 'NAME',
      repeats: true,
    },
    header: {
      summary: 'a header of requests to the address',
      value: 'NAME=secret://PATH',
      repeats: true,
    },
    startTimeout: { summary: LIMITS.start.summary, value: 'TIME' },
    callTimeout: { summary: LIMITS.call.summary, value: 'TIME' },
    idleStop: { summary: LIMITS.idle.summary, value: 'TIME' },
    maxOpen: { summary: LIMITS.open.summary, value: 'COUNT' },
    breakAfter: { summary: LIMITS.late.summary, value: 'COUNT' },
    breakFor: { summary: LIMITS.rest.summary, value: 'TIME' },
  },
  examples: [
    ['sallyport server add files -- npx -y @modelcontextprotocol/server-filesystem .', 'a program'],
    [
      "sallyport server add hub --url https://mcp.example.org/mcp --header 'Authorization=Bearer secret://hub/token'",
      'an address',
    ],
    [
      'sallyport server add slow --call-timeout 10m --max-open 2 -- slow-server',
      'limits of its own',
    ],
  ],
  async run(args, io, deps: Deps) {
    const target = { ...targetOf(args), limits: limitsOf(args) }
    await deps.checkServer(args.name, target)
    const caller = await asPerson(deps, io, {
      action: `put the server ${args.name} behind the gateway`,
      detail: targetLine(target),
    })
    const server = await (await deps.registry()).servers.add(caller, args.name, target)
    await io.answer(serverJson(server), () => `The server ${server.name} is there.`)
    if (!io.json)
      await io.say(
        `Every call is denied until it has a policy: sallyport policy attach POLICY --server ${server.name}`,
      )
  },
})

/** @throws {Fault} `BAD_USAGE` naming the option */
function targetOf(args: {
  readonly command: readonly string[]
  readonly url: string | undefined
  readonly env: readonly string[]
  readonly header: readonly string[]
}): ServerTarget {
  const { command: words, url, env, header } = args
  if (url === undefined) {
    if (words.length === 0)
      throw usage('COMMAND', 'Write the command of the server behind --, or its address with --url')
    if (header.length > 0) throw usage('--header', '--header goes with --url')
    return { kind: 'stdio', command: words, variables: env }
  }
  if (words.length > 0) throw usage('--url', 'A server has a command or --url, not both')
  if (env.length > 0) throw usage('--env', '--env goes with a command')
  return { kind: 'http', url, headers: header.map(headerOf) }
}

const LIMIT_OPTIONS = [
  ['startTimeout', '--start-timeout', 'start'],
  ['callTimeout', '--call-timeout', 'call'],
  ['idleStop', '--idle-stop', 'idle'],
  ['maxOpen', '--max-open', 'open'],
  ['breakAfter', '--break-after', 'late'],
  ['breakFor', '--break-for', 'rest'],
] as const

/** @throws {Fault} `BAD_USAGE` naming the option */
function limitsOf(
  args: Readonly<Record<(typeof LIMIT_OPTIONS)[number][0], string | undefined>>,
): OwnLimits {
  const limits: { -readonly [K in keyof ServerLimits]?: number } = {}
  for (const [name, option, limit] of LIMIT_OPTIONS) {
    const text = args[name]
    if (text === undefined) continue
    const value = limitValue(limit, text)
    if (value === null) throw usage(option, `${option} ${limitBounds(limit)}`)
    limits[LIMITS[limit].key] = value
  }
  return limits
}

function usage(field: string, message: string): Fault {
  return new Fault('BAD_USAGE', `${message}.`, { details: { field } })
}
