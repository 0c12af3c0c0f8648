import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { promisify } from 'node:util'
import { monotonicMs, sleep } from '../../src/core/time.ts'

const run = promisify(execFile)

/** An X display nobody sees, and somebody who types on it. */
export interface Display {
  /** `:99` */
  readonly name: string
  /** Waits for the first window with this title, types into it and presses a key, `Return` or `Escape`. */
  type(title: string, text: string, key: string): Promise<void>
  /** Writes what is on the screen to a PNG file. */
  screenshot(file: string): Promise<void>
  /** Waits for the window without touching it. */
  windowOf(title: string): Promise<string>
  stop(): Promise<void>
}

const WINDOW_DEADLINE_MS = 15_000

/** With AltGr it has the letters of Western Europe; all else is where the plain one has it. */
const LAYOUT = ['us', 'altgr-intl']

/** Starts a private Xvfb on a free display. Needs xvfb, which brings setxkbmap, and xdotool. */
export async function startDisplay(): Promise<Display> {
  const server = spawn(
    'Xvfb',
    ['-displayfd', '3', '-screen', '0', '1024x768x24', '-nolisten', 'tcp', '-noreset'],
    { stdio: ['ignore', 'ignore', 'ignore', 'pipe'] },
  )
  const pipe = server.stdio[3] as Readable
  const [number] = (await once(pipe, 'data')) as [Buffer]
  const name = `:${number.toString('latin1').trim()}`
  const env = { PATH: '/usr/bin:/bin', DISPLAY: name, LANG: 'C.UTF-8' }
  // A letter that no key has is lent one by xdotool for as long as it is pressed: whoever looks later sees no letter.
  await run('setxkbmap', LAYOUT, { env })

  async function windowOf(title: string): Promise<string> {
    const deadline = monotonicMs() + WINDOW_DEADLINE_MS
    while (monotonicMs() < deadline) {
      const found = await run('xdotool', ['search', '--onlyvisible', '--name', title], {
        env,
      }).catch(() => null)
      const id = found?.stdout.trim().split('\n').at(-1)
      if (id !== undefined && id !== '') return id
      await sleep(50)
    }
    throw new Error(`no window is called ${title}`)
  }

  return {
    name,
    windowOf,
    async type(title, text, key) {
      const id = await windowOf(title)
      // No window manager gives the focus; and a toolkit needs a moment between its window and its field.
      await sleep(250)
      await run('xdotool', ['windowfocus', '--sync', id], { env })
      if (text !== '') await run('xdotool', ['type', '--delay', '25', text], { env })
      await run('xdotool', ['key', key], { env })
    },
    async screenshot(file) {
      await run('import', ['-window', 'root', file], { env })
    },
    async stop() {
      const ended = once(server, 'exit')
      server.kill('SIGTERM')
      await ended
    },
  }
}
