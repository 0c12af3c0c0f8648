import { spawn } from 'node:child_process'
import { once } from 'node:events'

/** What the person types once the terminal shows `prompt`; an Enter follows. */
export type Typed = readonly [
  prompt: RegExp,
  text: string | ((output: string) => string | Promise<string>),
]

export interface OnTerminal {
  readonly exit: number
  /** Everything the terminal showed. */
  readonly output: string
}

const PROMPT_DEADLINE_MS = 15_000
const ENTER = '\r'

/** Runs a program on a terminal of its own, which `script` makes, and types the answers, each at its prompt. */
export async function onTerminal(
  command: readonly string[],
  options: {
    readonly cwd: string
    readonly env: Readonly<Record<string, string>>
    readonly typed?: readonly Typed[]
    /** Ends the program with Ctrl-C once this is shown. */
    readonly until?: RegExp
  },
): Promise<OnTerminal> {
  // Without exec a shell stands between, and dies of Ctrl-C itself.
  const line = `exec ${command.map(quoted).join(' ')}`
  const child = spawn('script', ['-qec', line, '/dev/null'], {
    cwd: options.cwd,
    env: { ...options.env, TERM: 'dumb', SHELL: '/bin/sh' },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  let output = ''
  let seen = 0
  let ended = false
  /** Called when there is more to see. */
  let look = (): void => {}
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
    look()
  })
  const end = once(child, 'close').then(([code]) => {
    ended = true
    look()
    return code as number
  })
  const shown = (prompt: RegExp): Promise<void> =>
    new Promise((resolve, reject) => {
      const deadline = setTimeout(() => {
        // The program is in a session of its own; it ends when its terminal goes.
        child.kill('SIGTERM')
        look = () => {}
        reject(new Error(`The terminal never showed ${prompt}, but:\n${output}`))
      }, PROMPT_DEADLINE_MS)
      look = () => {
        const found = prompt.exec(output.slice(seen))
        if (found === null && !ended) return
        if (found !== null) seen += found.index + found[0].length
        clearTimeout(deadline)
        look = () => {}
        resolve()
      }
      look()
    })
  for (const [prompt, text] of options.typed ?? []) {
    // The program turns the echo off before it shows its prompt: what is typed now is neither shown nor lost.
    await shown(prompt)
    if (ended) continue
    child.stdin.write((typeof text === 'string' ? text : await text(output)) + ENTER)
  }
  if (options.until !== undefined) {
    await shown(options.until)
    if (!ended) child.stdin.write('\u0003')
  }
  const exit = await end
  return { exit, output: output.replaceAll('\r\n', '\n') }
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`
}
