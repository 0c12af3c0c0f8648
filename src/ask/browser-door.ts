import { spawn } from 'node:child_process'
import type { BrowserDoor, CameBack } from '../core/ask-port.ts'
import { type Environment, processEnvironment } from '../core/config.ts'
import { Fault } from '../core/faults.ts'
import { hostOf, isLoopbackAddress, mayBeViewed } from './page-guards.ts'
import { note } from './page-replies.ts'
import { servePages } from './page-server.ts'
import { dialogEnvironment, findSystemProgram, hasDisplay } from './system-programs.ts'

export interface BrowserDoorOptions {
  readonly platform?: NodeJS.Platform
  readonly env?: Environment
  readonly findProgram?: (program: string) => string | null
}

const PATH = '/callback'
const MAX_URL = 16_384

export function createBrowserDoor(options: BrowserDoorOptions = {}): BrowserDoor {
  const platform = options.platform ?? process.platform
  const env = options.env ?? processEnvironment()
  const find = options.findProgram ?? findSystemProgram
  return {
    async open(url) {
      const address = URL.parse(url)
      const isWeb = address?.protocol === 'https:' || address?.protocol === 'http:'
      const command = isWeb && hasDisplay(env, platform) ? commandOf(platform, find) : null
      if (command === null || address === null) return false
      const [file, ...args] = command
      return started(file, [...args, address.href], dialogEnvironment(env, platform))
    },
    catchRedirect: (port, answer) => catchRedirect(port ?? 0, answer),
  }
}

type Command = readonly [file: string, ...args: string[]]

/** What hands an address to the browser of the person; each takes it as one argument. */
function commandOf(
  platform: NodeJS.Platform,
  find: (program: string) => string | null,
): Command | null {
  const [program, ...args] =
    platform === 'darwin'
      ? ['/usr/bin/open']
      : platform === 'win32'
        ? ['C:\\Windows\\System32\\rundll32.exe', 'url.dll,FileProtocolHandler']
        : ['xdg-open']
  const file = find(program ?? '')
  return file === null ? null : [file, ...args]
}

/** It may become the browser itself, so it is not waited for and lives on. */
function started(
  file: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn(file, [...args], { env: { ...env }, stdio: 'ignore', detached: true })
    child.once('error', () => resolve(false))
    child.once('spawn', () => {
      child.unref()
      resolve(true)
    })
  })
}

async function catchRedirect(port: number, answer: (url: string) => Promise<CameBack>) {
  let origin = ''
  try {
    const server = await servePages(async (request, { remoteAddress }) => {
      const url = new URL(request.url)
      const host = hostOf(request)
      if (url.pathname !== PATH || request.method !== 'GET') return null
      // Any other name may have been made to point here, and nobody but a person in a window comes back.
      const isHere = host?.origin === origin && isLoopbackAddress(remoteAddress)
      if (!isHere || !mayBeViewed(request) || url.href.length > MAX_URL)
        return note(403, 'Not this way', 'Open the address of this page in a browser window.')
      const { isDone, title, text } = await answer(`${origin}${PATH}${url.search}`)
      return note(isDone ? 200 : 400, title, text)
    }, port)
    origin = server.url
    return { url: `${origin}${PATH}`, close: () => server.finish() }
  } catch (cause) {
    throw new Fault('CONFLICT', `Port ${port} of this machine is taken.`, {
      cause,
      details: { field: 'port', remedy: 'name another one that the client is registered with' },
    })
  }
}
