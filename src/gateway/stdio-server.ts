import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { constants } from 'node:os'
import type { Readable, Writable } from 'node:stream'
import { Fault } from '../core/faults.ts'
import { heldCommand } from './held-command.ts'
import { type PassedErrors, passOnErrors, type ServerErrors } from './server-errors.ts'

export interface StdioServerRequest {
  /** Program and arguments, handed over as they are: no shell reads them. */
  readonly command: readonly string[]
  /** All that the server may know of our environment. */
  readonly environment: Readonly<Record<string, string>>
  /** What becomes of what it writes to its standard error; null: that is ours. */
  readonly errors?: ServerErrors | null
}

export interface ServerEnd {
  /** Exit code of the server, or 128 + the number of the signal that ended it. */
  readonly exit: number
  readonly how: string
  /** Whether it left on its standard error what nobody takes. */
  readonly isUnheard: boolean
}

/** How long a server may take to end by itself after its input ended, and after it was asked to. */
const PATIENCE_MS = 3_000
const SIGNAL_MS = 2_000
/** Servers that end by themselves may close their pipes first, and still have something to tidy up. */
const CLOSED_MS = 500
/** Once it has ended, its last words wait no longer for what is known, or for whoever reads our standard error. */
const LAST_WORDS_MS = 1_000

type Child = ChildProcessByStdio<Writable, Readable, Readable | null>

/**
 * A server as a child of this process, in a process group of its own: when it ends, or this process does, however it
 * does, nothing of the group is left.
 */
export class StdioServer {
  readonly stdin: Writable
  readonly stdout: Readable
  readonly ended: Promise<ServerEnd>
  readonly #child: Child
  #timer: NodeJS.Timeout | undefined
  #hasEnded = false
  /** Which of its pipes it closed and lived on. */
  #closed: 'input' | 'output' | null = null

  private constructor(child: Child, guard: Guard, errors: ServerErrors | null) {
    this.#child = child
    this.stdin = child.stdin
    this.stdout = child.stdout
    const passed =
      child.stderr === null || errors === null ? null : passOnErrors(child.stderr, errors)
    const isUnheard = new Promise<boolean>((resolve) => {
      // What it left behind may hold our end of its pipes.
      child.once('exit', () => {
        this.#endGroupSoon()
        this.#endLeftBehind()
        if (passed === null) resolve(false)
        else void this.#lastWords(passed).then(resolve)
      })
    })
    child.stdout.once('close', () => {
      this.#endClosed('output')
      this.#endLeftBehind()
    })
    child.stdin.on('error', () => this.#endClosed('input'))
    this.ended = new Promise((resolve) => {
      child.once('close', (code, signal) => {
        this.#hasEnded = true
        clearTimeout(this.#timer)
        // What it started and left behind.
        this.#signal('SIGKILL')
        guard.dismiss()
        const exit = code ?? 128 + (signal === null ? 0 : constants.signals[signal])
        const how = howEnded(code, signal, this.#closed)
        void isUnheard.then((is) => resolve({ exit, how, isUnheard: is }))
      })
    })
  }

  /** @throws {Fault} `BAD_USAGE` without a command, `BAD_INPUT` when it cannot be started */
  static async start({
    command,
    environment,
    errors = null,
  }: StdioServerRequest): Promise<StdioServer> {
    const [program, ...args] = command
    if (program === undefined || program === '')
      throw new Fault('BAD_USAGE', 'There is no server to start; write its command after --.')
    const guard = startGuard()
    const held = heldCommand(program, args, environment)
    const child = spawn(held?.program ?? program, held?.args ?? args, {
      stdio: ['pipe', 'pipe', errors === null ? 'inherit' : 'pipe'],
      shell: false,
      detached: process.platform !== 'win32',
      env: { ...(held?.environment ?? environment) },
    }) as Child
    // Before anything is waited for: it may be running while this process is still busy with its own start.
    if (child.pid !== undefined) guard.watch(child.pid)
    if (held !== null) child.stdin.write(held.release)
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve)
      child.once('error', (cause: NodeJS.ErrnoException) => {
        guard.dismiss()
        reject(
          new Fault(
            'BAD_INPUT',
            `The server's command '${program}' cannot be started: ${whyNotStarted(cause)}.`,
            {
              cause,
              details: {
                field: 'command',
                remedy: 'name a program that is there and that this user may run',
              },
            },
          ),
        )
      })
    })
    child.on('error', () => {})
    return new StdioServer(child, guard, errors)
  }

  /** Ends its input; it is asked to end, and then made to, when it does not end by itself. */
  finish(): void {
    if (this.#hasEnded || this.#timer !== undefined) return
    this.stdin.end()
    this.#timer = setTimeout(() => this.stop(), PATIENCE_MS)
  }

  /** Asks it to end now. */
  stop(): void {
    if (this.#hasEnded) return
    clearTimeout(this.#timer)
    this.stdin.end()
    this.#signal('SIGTERM')
    this.#endGroupSoon()
  }

  /** Nobody is answered any more by a server that hears or says nothing. */
  #endClosed(pipe: 'input' | 'output'): void {
    if (this.#hasEnded || this.#timer !== undefined) return
    this.#timer = setTimeout(() => {
      this.#closed = pipe
      this.stop()
    }, CLOSED_MS)
  }

  /** Nobody is answered any more, and what is left may still hold its standard error. */
  #endLeftBehind(): void {
    const { exitCode, signalCode } = this.#child
    if (this.stdout.closed && (exitCode !== null || signalCode !== null)) this.#signal('SIGKILL')
  }

  /** @returns whether they were given up: whoever did not read for that long already is not waited for */
  #lastWords({ done, untakenMs }: PassedErrors): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(
        () => {
          this.#child.stderr?.destroy()
          resolve(true)
        },
        Math.max(0, LAST_WORDS_MS - untakenMs()),
      )
      void done.then(() => {
        clearTimeout(timer)
        resolve(false)
      })
    })
  }

  #endGroupSoon(): void {
    if (this.#hasEnded) return
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      this.#signal('SIGKILL')
      // A grandchild in a group of its own may hold our end of a pipe.
      this.stdout.destroy()
      this.#child.stderr?.destroy()
    }, SIGNAL_MS)
  }

  #signal(signal: NodeJS.Signals): void {
    const { pid } = this.#child
    if (pid === undefined) return
    try {
      if (process.platform === 'win32') this.#child.kill(signal)
      else process.kill(-pid, signal)
    } catch {
      // Nothing of the group is left.
    }
  }
}

function whyNotStarted({ code = 'unknown' }: NodeJS.ErrnoException): string {
  switch (code) {
    case 'ENOENT':
      return 'it, or what its first line names, is not there (ENOENT)'
    case 'EACCES':
      return 'this user may not run it (EACCES)'
    default:
      return `the system refuses it (${code})`
  }
}

function howEnded(
  code: number | null,
  signal: NodeJS.Signals | null,
  closed: 'input' | 'output' | null,
): string {
  if (closed !== null) return `it closed its ${closed}`
  return signal === null ? `exit code ${String(code)}` : signal
}

interface Guard {
  watch(pid: number): void
  dismiss(): void
}

/**
 * A shell that waits for the end of a pipe: when this process is gone without a word, even by SIGKILL, it ends the
 * server's group. Started before the server, so that there is no moment in which nobody would.
 */
function startGuard(): Guard {
  if (process.platform === 'win32') return { watch() {}, dismiss() {} }
  const script =
    'read -r group || exit 0; read -r word && exit 0; kill -TERM "-$group"; sleep 1; kill -KILL "-$group"'
  const shell = spawn('/bin/sh', ['-c', script], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
    env: { PATH: '/usr/bin:/bin' },
  })
  shell.on('error', () => {})
  shell.stdin.on('error', () => {})
  shell.unref()
  let isWatching = false
  return {
    watch(pid) {
      isWatching = true
      shell.stdin.write(`${pid}\n`)
    },
    dismiss() {
      shell.stdin.end(isWatching ? 'done\n' : '')
    },
  }
}
