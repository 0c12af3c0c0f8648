import { processEnvironment } from '../../core/config.ts'
import { command } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { headerOf } from '../server-view.ts'
import { visible } from '../text.ts'

type Deps = Pick<CliDeps, 'wrap'>

export const wrap = command({
  name: 'wrap',
  summary: 'Put a policy in front of an MCP server.',
  about: [
    'Speaks to the client on standard input and output and starts the server as its child, or speaks to it over ' +
      'HTTP. Every call of a tool is judged before it reaches the server; what is denied is answered with the ' +
      'reason and never sent. Arguments and answers are inspected, known values are taken out of answers, and each ' +
      'decision is in the audit.',
    'A client and a server of different revisions of the protocol are translated to each other.',
    'The server is given PATH, HOME and the like of the environment, and the variables that --env names. With ' +
      '--server it is one that was added, judged by the policies that are attached to it, and every call is denied ' +
      'while there is none. With neither --server nor --policy no call is denied by a policy.',
    'What is counted and recorded is kept by the name of the server. Without --server and --name that is its package, ' +
      'its image without registry and tag, its program, or its host with the port and the path where they are not ' +
      'the usual ones. A program called index, main, server, app, cli or __main__ has the name of the folder above ' +
      'it, beyond dist, build, out, lib, src, bin and the like. Of a path of an address what is no plain word is a hash of it.',
  ],
  arguments: [
    { name: 'command', summary: 'the server and its arguments', repeats: true, optional: true },
  ],
  options: {
    server: {
      summary: 'a server that was added; its command is that of COMMAND or its own',
      value: 'NAME',
    },
    url: {
      summary: 'address of a server that speaks HTTP, in place of a command',
      value: 'URL',
    },
    header: {
      summary: 'a header of requests to the address; secret://PATH in it is taken from the vault',
      value: 'NAME=VALUE',
      repeats: true,
    },
    policy: { summary: 'the policy; read anew when it changes', value: 'FILE' },
    requirePolicy: { summary: 'without a policy, deny every call of a tool' },
    name: {
      summary:
        'what rules and limits know the server by; else after its package, program or address',
      value: 'NAME',
    },
    env: {
      summary: 'a variable of this environment that the server may have',
      short: 'e',
      value: 'NAME',
      repeats: true,
    },
  },
  json: false,
  passThrough: true,
  examples: [
    [
      'sallyport wrap --policy files.json -- npx -y @modelcontextprotocol/server-filesystem .',
      'what a client is configured to start',
    ],
    ['sallyport wrap --server files', 'a server that was added, with its own policies'],
    [
      "sallyport wrap --url https://mcp.example.org/mcp --policy hub.json --header 'Authorization=Bearer secret://hub/token'",
      'a server that speaks HTTP, with a secret that only it is shown',
    ],
    ['sallyport wrap -e GITHUB_TOKEN -- ./server', 'without a policy, with one variable'],
  ],
  async run(args, io, deps: Deps) {
    return deps.wrap(
      {
        command: args.command,
        url: args.url ?? null,
        headers: args.header.map(headerOf),
        server: args.server ?? null,
        policy: args.policy ?? null,
        requiresPolicy: args.requirePolicy,
        name: args.name ?? null,
        variables: args.env,
        environment: processEnvironment(),
        say: (line) => io.say(`sallyport: ${visible(line)}`),
      },
      io.signal,
    )
  },
})
