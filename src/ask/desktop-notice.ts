import { type Environment, processEnvironment } from '../core/config.ts'
import { monotonicMs } from '../core/time.ts'
import { runProgram as runSystemProgram } from './run-program.ts'
import { shownText } from './shown-text.ts'
import { dialogEnvironment, findSystemProgram, hasDisplay } from './system-programs.ts'

export interface DesktopNoticeOptions {
  readonly platform?: NodeJS.Platform
  readonly env?: Environment
  readonly findProgram?: (program: string) => string | null
  readonly run?: typeof runSystemProgram
  readonly now?: () => number
}

/** Constant: what is shown comes as arguments. Source: AppleScript Language Guide, "display notification". */
export const NOTICE_SCRIPT = `on run argv
	display notification (item 2 of argv) with title (item 1 of argv)
end run
`

const TIMEOUT_MS = 5_000
/** What comes sooner after the last one is not shown: a screen full of notices is read by nobody. */
const PAUSE_MS = 2_000
const MAX_TITLE = 100
const MAX_TEXT = 300

/**
 * Shows short notices on the desktop, where there is one and a program that does it (`notify-send`, `osascript`).
 * They only tell: nothing can be answered on them.
 *
 * @returns whether it was shown; never throws
 */
export function createDesktopNotice(
  options: DesktopNoticeOptions = {},
): (title: string, text: string) => Promise<boolean> {
  const platform = options.platform ?? process.platform
  const env = options.env ?? processEnvironment()
  const find = options.findProgram ?? findSystemProgram
  const run = options.run ?? runSystemProgram
  const now = options.now ?? monotonicMs
  let last = Number.NEGATIVE_INFINITY
  return async (title, text) => {
    const file = programOf(platform, env, find)
    if (file === null || now() - last < PAUSE_MS) return false
    last = now()
    const shown = [shownText(title, MAX_TITLE), shownText(text, MAX_TEXT)] as const
    const isMac = platform === 'darwin'
    const end = await run({
      file,
      args: isMac ? ['-', ...shown] : ['--app-name=Sallyport', '--', shown[0], escaped(shown[1])],
      stdin: isMac ? Buffer.from(NOTICE_SCRIPT, 'utf8') : Buffer.alloc(0),
      env: dialogEnvironment(env, platform),
      timeoutMs: TIMEOUT_MS,
      signal: AbortSignal.timeout(TIMEOUT_MS),
      maxBytes: 1_024,
    })
    return end.kind === 'exited' && end.exitCode === 0
  }
}

function programOf(
  platform: NodeJS.Platform,
  env: Environment,
  find: (program: string) => string | null,
): string | null {
  if (!hasDisplay(env, platform) || platform === 'win32') return null
  return find(platform === 'darwin' ? '/usr/bin/osascript' : 'notify-send')
}

/** The body of a notice may be markup to who shows it (Desktop Notifications Specification, "Markup"). */
function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
