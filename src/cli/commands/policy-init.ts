import { processEnvironment } from '../../core/config.ts'
import { Fault } from '../../core/faults.ts'
import { command } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { headerOf } from '../server-view.ts'
import { visible } from '../text.ts'
import { keepText } from '../text-files.ts'

type Deps = Pick<CliDeps, 'policyTools'>

export const policyInit = command({
  name: 'policy init',
  summary: 'Write a first policy for an MCP server.',
  about: [
    'Starts the server, or asks it over HTTP, which tools it has, and writes a policy in YAML that allows none of them by ' +
      'itself: those that say they only read stand there as a comment, those that say they destroy are denied, and the rest ' +
      'waits for a person. No tool is called.',
  ],
  arguments: [
    { name: 'command', summary: 'the server and its arguments', repeats: true, optional: true },
  ],
  options: {
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
  ],
  async run(args, io, deps: Deps) {
    if ((args.command.length === 0) === (args.url === undefined))
      throw new Fault('BAD_USAGE', 'A server is asked by its command after --, or by --url URL.', {
        details: { field: 'COMMAND' },
      })
    if (args.out !== undefined && /\.json$/i.test(args.out))
      throw new Fault(
        'BAD_USAGE',
        `A first policy has comments and is written in YAML: '${visible(args.out)}' would be read as JSON.`,
        { details: { field: '--out', remedy: 'give it the ending .yaml' } },
      )
    const text = await (await deps.policyTools()).suggested(
      {
        command: args.command,
        url: args.url ?? null,
        headers: args.header.map(headerOf),
        variables: args.env,
        environment: processEnvironment(),
        name: args.name ?? null,
      },
      io.signal,
    )
    await keepText(args.out, text, io)
    return 0
  },
})
