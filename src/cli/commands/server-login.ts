import type { CameBack } from '../../core/ask-port.ts'
import { asFault, Fault } from '../../core/faults.ts'
import type { Caller } from '../../core/principals.ts'
import type { LoginInfo, LoginPort } from '../../core/upstream-login-port.ts'
import { checkServer } from '../checked-first.ts'
import { command, type Io } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { asPerson } from '../presence.ts'
import { loginJson, SERVER_ARGUMENT } from '../server-view.ts'

type Deps = Pick<CliDeps, 'presence' | 'registry' | 'browser'>

/** A login that was begun ends by itself a little later. */
const WAIT_MS = 595_000
const MAX_LINE = 16_384

export const serverLogin = command({
  name: 'server login',
  summary: 'Log in at a server that wants it, in the browser.',
  about: [
    'For servers with an address that ask for OAuth. The tokens are sealed in the store, shown to nobody and renewed ' +
      'by themselves; every process of the vault uses them for this server at this address. When a renewal is refused, ' +
      'calls say so and somebody logs in again.',
    'Who this program is to the authorization server: what --client-id says, else the document of ' +
      'SALLYPORT_CLIENT_METADATA_URL where it takes one, else it registers itself.',
  ],
  gated: true,
  arguments: [SERVER_ARGUMENT],
  options: {
    clientId: { summary: 'a client that was registered by hand', value: 'ID' },
    clientSecret: {
      summary: 'where the vault has the secret of that client',
      value: 'secret://PATH',
    },
    scope: {
      summary: 'ask for this instead of what the server asks for',
      value: 'SCOPE',
      repeats: true,
    },
    port: {
      summary:
        'come back to http://127.0.0.1:PORT/callback, for a client that is registered with it',
      value: 'PORT',
    },
    noBrowser: { summary: 'open no browser; print the address' },
  },
  examples: [
    ['sallyport server login hub', 'opens the browser'],
    [
      'sallyport server login hub --client-id abc --client-secret secret://hub/client',
      'a client that was registered by hand',
    ],
  ],
  async run(args, io, deps: Deps) {
    const port = args.port === undefined ? null : portNumber(args.port)
    await checkServer(deps, args.name)
    const caller = await asPerson(deps, io, {
      action: `log in at the server ${args.name}`,
      detail: null,
    })
    const logins = await (await deps.registry()).logins()
    const login = await inBrowser({ io, deps, caller, logins, port }, args)
    await io.answer(loginJson(login), () => `Logged in at ${login.issuer} for ${login.server}.`)
  },
})

interface Parts {
  readonly io: Io
  readonly deps: Deps
  readonly caller: Caller
  readonly logins: LoginPort
  readonly port: number | null
}

async function inBrowser(
  { io, deps, caller, logins, port }: Parts,
  args: {
    readonly name: string
    readonly clientId: string | undefined
    readonly clientSecret: string | undefined
    readonly scope: readonly string[]
    readonly noBrowser: boolean
  },
): Promise<LoginInfo> {
  const browser = await deps.browser()
  const { promise: ended, resolve, reject } = Promise.withResolvers<LoginInfo>()
  const answered = async (url: string): Promise<CameBack> => {
    try {
      const login = await logins.finish(caller, url)
      resolve(login)
      return { isDone: true, title: 'Logged in', text: `${login.server}: you can close this page.` }
    } catch (error) {
      const fault = asFault(error)
      // Anybody can come here with something that nobody asked for; the person may still come.
      if (fault.code !== 'UNAUTHENTICATED') reject(fault)
      return { isDone: false, title: 'Not logged in', text: fault.message }
    }
  }
  const waiting = await browser.catchRedirect(port, answered)
  const over = new AbortController()
  try {
    const begun = await logins.begin(caller, args.name, waiting.url, {
      clientId: args.clientId,
      clientSecret: args.clientSecret,
      ...(args.scope.length === 0 ? {} : { scopes: args.scope }),
    })
    const isOpen = !args.noBrowser && (await browser.open(begun.url))
    await io.say(
      isOpen
        ? `Log in at ${begun.issuer}, in the browser that opens, or at:\n${begun.url}`
        : `Open this address in a browser to log in at ${begun.issuer}:\n${begun.url}`,
    )
    if (!isOpen && io.stdin.isTerminal) {
      await io.say('If the browser is on another machine, paste the address where it ends:')
      void pasted(io, over.signal, async (url) => {
        const { isDone, text } = await answered(url)
        if (!isDone) await io.say(text)
      })
    }
    return await Promise.race([ended, late(io.signal, over.signal)])
  } finally {
    over.abort()
    // What came of it is shown before the page goes.
    await waiting.close()
  }
}

/** Lines that look like addresses, until standard input ends. */
async function pasted(
  io: Io,
  over: AbortSignal,
  answered: (url: string) => Promise<void>,
): Promise<void> {
  try {
    for await (const lines of io.stdin.lines(MAX_LINE, over))
      for (const line of lines)
        if (line !== null && URL.canParse(line.trim())) await answered(line.trim())
  } catch {
    // The browser may still come back by itself.
  }
}

/** The timer keeps the process, which has nothing else to wait for. */
function late(cancelled: AbortSignal, over: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Fault('INPUT_TIMED_OUT', 'Nobody logged in within ten minutes.')),
      WAIT_MS,
    )
    const cancel = (): void => reject(new Fault('INPUT_CANCELLED', 'The login was cancelled.'))
    if (cancelled.aborted) cancel()
    cancelled.addEventListener('abort', cancel, { once: true })
    over.addEventListener(
      'abort',
      () => {
        clearTimeout(timer)
        cancelled.removeEventListener('abort', cancel)
      },
      { once: true },
    )
  })
}

/** @throws {Fault} `BAD_USAGE` */
function portNumber(text: string): number {
  const port = Number(text)
  if (/^\d{1,5}$/.test(text) && port > 0 && port < 65_536) return port
  throw new Fault('BAD_USAGE', '--port must be a number from 1 to 65535.', {
    details: { field: '--port' },
  })
}

export const serverLogout = command({
  name: 'server logout',
  summary: 'Forget the login at a server, and take its tokens back.',
  gated: true,
  arguments: [SERVER_ARGUMENT],
  options: {},
  async run(args, io, deps: Pick<CliDeps, 'presence' | 'registry'>) {
    await checkServer(deps, args.name)
    const caller = await asPerson(deps, io, {
      action: `log out of the server ${args.name}`,
      detail: null,
    })
    const logins = await (await deps.registry()).logins()
    const { issuer, isRevoked } = await logins.end(caller, args.name)
    await io.answer({ server: args.name, issuer, revoked: isRevoked }, () =>
      isRevoked
        ? `Logged out of ${args.name}; ${issuer} took the tokens back.`
        : `Logged out of ${args.name}. ${issuer} does not take tokens back: they end by themselves.`,
    )
  },
})
