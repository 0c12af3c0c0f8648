import { processEnvironment } from '../../core/config.ts'
import { Fault } from '../../core/faults.ts'
import { command } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { refuseJsonName } from '../policy-view.ts'
import { headerOf } from '../server-view.ts'
import { keepText } from '../text-files.ts'

type Deps = Pick<CliDeps, 'policyTools'>

export const policyInit = command({
  name: 'policy init',
  summary: 'Write a first policy for an MCP server.',
  about: [
    'Starts the server, or asks it over HTTP, which tools it has, and writes a policy in YAML that allows none of them by ' +
      'itself: those that say they only read stand there as a comment, those that say they destroy are denied, and the rest ' +
      'waits for a person. No tool is called.',
    'With --server it is asked as calls reach it later: with its headers from the vault, and the login at it.',
  ],
  arguments: [
    { name: 'command', summary: 'the server and its arguments', repeats: true, optional: true },
  ],
  options: {
    server: {
      summary: 'a server that was added, in place of a command or an address',
      value: 'NAME',
    },
    url: { summary: 'address of a server that speaks HTTP, in place of a command', value: 'URL' },
    header: {
      summary: 'a header of requests to the address; secret://PATH in it is taken from the vault',
      value: 'NAME=VALUE',
      repeats: true,
    },
    env: {
      summary: 'a variable of this environment that the server may have',
      short: 'e',
      value: 'NAME',
      repeats: true,
    },
    name: {
      summary: 'what the server is called; else as wrap calls it without a name',
      value: 'NAME',
    },
    out: {
      summary: 'a file that is not there yet; else standard output',
      short: 'o',
      value: 'FILE',
    },
  },
  json: false,
  passThrough: true,
  examples: [
    [
      'sallyport policy init -o files.yaml -- npx -y @modelcontextprotocol/server-filesystem .',
      'then read it, and allow what is wanted',
    ],
    [
      'sallyport policy init --url https://mcp.example.org/mcp -o hub.yaml',
      'of a server that speaks HTTP',
    ],
    ['sallyport policy init --server hub -o hub.yaml', 'of one that was added, and logged in at'],
  ],
  async run(args, io, deps: Deps) {
    const ways = [args.command.length > 0, args.url !== undefined, args.server !== undefined]
    if (ways.filter((isGiven) => isGiven).length !== 1)
      throw new Fault(
        'BAD_USAGE',
        'A server is asked by its command after --, by --url URL, or by --server NAME.',
        { details: { field: 'COMMAND' } },
      )
    const { server = null, name, env, header } = args
    if (server !== null && (name !== undefined || env.length > 0 || header.length > 0))
      throw new Fault(
        'BAD_USAGE',
        'A server that was added has its name, its variables and its headers from there: --name, --env and --header go without --server.',
        { details: { field: '--server' } },
      )
    refuseJsonName(args.out, 'A first policy has comments and is written in YAML')
    const text = await (await deps.policyTools()).suggested(
      {
        server,
        command: args.command,
        url: args.url ?? null,
        headers: header.map(headerOf),
        variables: env,
        environment: processEnvironment(),
        name: name ?? null,
      },
      io.signal,
    )
    await keepText(args.out, text, io)
    return 0
  },
})
