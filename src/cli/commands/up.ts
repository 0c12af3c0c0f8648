import { homedir } from 'node:os'
import { Fault, isFault } from '../../core/faults.ts'
import { approve, describeGlobs, makeAndApprove } from '../approve-project.ts'
import { httpBlock, stdioBlock, TOKEN_PLACEHOLDER } from '../client-blocks.ts'
import { command, type Io, type Json } from '../command.ts'
import type { CliDeps, Served } from '../deps.ts'
import { PASSPHRASE_OPTION, takePassphrase, wholeNumber } from '../options.ts'
import { presenceJson, presenceSentence } from '../presence-view.ts'
import { printOnce } from '../print-secret.ts'
import { visible } from '../text.ts'

type Deps = Pick<
  CliDeps,
  'presence' | 'projectDirectory' | 'readFd' | 'trust' | 'up' | 'usePassphrase'
>

export const up = command({
  name: 'up',
  summary: 'Open the vault, serve MCP clients, print what to paste.',
  about: [
    'Stays in the foreground until Ctrl-C. Listens on 127.0.0.1, unless --host says otherwise. ' +
      'The bearer token of HTTP clients is shown in the run that makes it and never again.',
    'Beyond this machine it is spoken to over TLS alone: its own, or that of a proxy in front.',
  ],
  arguments: [],
  options: {
    port: { summary: 'port; SALLYPORT_PORT, else 4747', short: 'p', value: 'N' },
    host: { summary: 'address to listen at; 127.0.0.1', value: 'ADDRESS' },
    tlsCert: { summary: 'PEM file of the certificate, read anew when it changes', value: 'FILE' },
    tlsKey: { summary: 'PEM file of its key', value: 'FILE' },
    behindProxy: {
      summary: 'address or range of a proxy whose word on the client counts',
      value: 'CIDR',
      repeats: true,
    },
    ...PASSPHRASE_OPTION,
  },
  async run(args, io, deps: Deps) {
    const { signal } = io
    const port =
      args.port === undefined ? null : wholeNumber('--port', args.port, { min: 0, max: 65_535 })
    await takePassphrase(args.passphraseFd, deps)
    const served = await deps.up({
      port,
      host: args.host ?? '127.0.0.1',
      tls: tlsFiles(args.tlsCert, args.tlsKey),
      behindProxy: args.behindProxy,
    })
    try {
      await announce(served, io)
      if (io.stdin.isTerminal && io.stderr.isTerminal && !io.json) await offer(served, io, deps)
      await Promise.race([served.stopped, aborted(signal)])
    } finally {
      await served.stop()
    }
    await served.stopped
  },
})

function tlsFiles(cert: string | undefined, key: string | undefined) {
  if (cert === undefined && key === undefined) return null
  if (cert !== undefined && key !== undefined) return { cert, key }
  throw new Fault('BAD_USAGE', '--tls-cert and --tls-key are given together.', {
    details: { field: cert === undefined ? '--tls-cert' : '--tls-key' },
  })
}

async function announce(served: Served, io: Io): Promise<void> {
  const shape = (token: string | null): Json => ({
    url: served.url,
    stdio: {
      command: served.stdio.command,
      args: served.stdio.args,
      env: served.stdio.env,
    },
    token,
    notes: served.notes,
    setup: served.setupUrl,
    presence: presenceJson(served.presence),
    project: { folder: served.project.project, state: served.project.state },
  })
  if (served.token === null) await io.answer(shape(null), () => page(served, TOKEN_PLACEHOLDER, io))
  else await printOnce(served.token, io, shape, (token) => page(served, token, io))
}

function page(served: Served, token: string, { stdout }: Io): string {
  const title = (text: string): string => stdout.paint('bold', text)
  const hint =
    served.token === null
      ? 'The token was shown when it was made; a new one: sallyport token rotate'
      : 'The token is shown this once; only a hash of it is kept.'
  return [
    `${title('Sallyport')} is open at ${stdout.paint('cyan', served.url)}`,
    ...served.notes.map((note) => `  ${visible(note)}`),
    `  ${presenceSentence(served.presence)}`,
    ...projectLine(served),
    '',
    title('Paste this into an MCP client that starts programs:'),
    stdioBlock(served.stdio),
    '',
    title('Or this into one that connects over HTTP:'),
    httpBlock(served.url, token),
    `  ${hint}`,
    '',
    ...(served.setupUrl === null
      ? []
      : [
          title('For a team: whoever opens this link owns the server (once, for 30 minutes):'),
          `  ${served.setupUrl}`,
          '',
        ]),
    'Ctrl-C ends it.',
  ].join('\n')
}

function projectLine({ project }: Served): string[] {
  if (project.state === 'approved')
    return [`  ${describeGlobs(project.project ?? '', project).replaceAll('\n', '\n  ')}`]
  if (project.state === 'invalid')
    return [`  The list of this folder cannot be read: ${visible(project.problem ?? '')}`]
  return project.state === 'none'
    ? ["  Agents in a folder may read after: sallyport allow --read 'GLOB'"]
    : ['  Agents in this folder may not read yet: sallyport allow']
}

/** Sets up what the first read needs, each step behind the gate, each one skipped by cancelling it. */
async function offer(served: Served, io: Io, deps: Deps): Promise<void> {
  const { presence, project } = served
  const ready =
    presence.isSet ||
    presence.system !== null ||
    (await unlessDeclined(io, 'sallyport presence set', async () => {
      await io.say('\nChoose a presence passphrase: what is yours alone will ask for it.')
      await (await deps.presence()).set(io.signal)
    }))
  if (!ready) return
  if (project.state === 'unapproved') {
    await unlessDeclined(io, 'sallyport allow', async () => {
      await io.say('\nThis folder asks for more. Type the presence passphrase to allow it:')
      await approve(project, io, deps)
    })
  } else if (project.state === 'none' && deps.projectDirectory() !== homedir()) {
    // A list in the home folder would hold for every project below it: that is for the person to type.
    await unlessDeclined(io, "sallyport allow --read 'GLOB'", async () => {
      await io.say('\nType the presence passphrase to let agents in this folder read every secret:')
      await makeAndApprove(deps.projectDirectory(), { allow: ['**'], run: ['**'] }, io, deps)
    })
  }
}

/** @returns false when the person cancelled, or the gate did not open; the server goes on either way */
async function unlessDeclined(io: Io, later: string, work: () => Promise<void>): Promise<boolean> {
  try {
    await work()
    await io.say('Done.')
    return true
  } catch (error) {
    if (!isFault(error) || error.code === 'INTERNAL') throw error
    if (!io.signal.aborted) await io.say(`${visible(error.message)} Later: ${later}`)
    return false
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
