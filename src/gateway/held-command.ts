import { accessSync, closeSync, constants, openSync, readSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** A command that waits for a word on its input before it becomes the program, and ends when the input does. */
export interface HeldCommand {
  readonly program: string
  readonly args: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  /** The word. What is written after it is the program's. */
  readonly release: string
}

const SHELL = '/bin/sh'
const ENV = '/usr/bin/env'

/** `read` takes no byte beyond the line: what follows is the program's. */
const HOLD = `read -r _ || exit 0; exec ${ENV} "$@"`

/** What a shell sets for what it starts, whether it was set before or not. */
const SET_BY_SHELLS = ['PWD', 'OLDPWD', 'SHLVL', 'LOGNAME', '_']

/** What a shell heeds or changes at its own start, and no secret is: handed over behind its back. */
const SEEN_BY_SHELLS = /^(?:PWD|OLDPWD|SHLVL|LOGNAME|_|LANG|LANGUAGE|LC_\w+)$/

/** What one shell or the other makes its own. Nobody but a person who means just that names them to a server. */
const OWNED_BY_SHELLS =
  /^(?:IFS|ENV|OPT[A-Z]+|PS\d|PPID|LINENO|S?RANDOM|SECONDS|EPOCH\w+|HIST\w+|FUNCNEST|POSIXLY_CORRECT|(?:BASH|SHELLOPTS|COMP_|ZSH_)\w*|[UEG]*ID|TTY|VENDOR|\w*TYPE|USERNAME|ARGV0|TMOUT|signals)$/

/** What else may be called a variable, and is lost where it comes by some shells. */
const KEPT_BY_SHELLS = /^[A-Za-z_]\w*$/

/** As the system looks where the environment names no `PATH`. */
const DEFAULT_PATH = '/usr/local/bin:/bin:/usr/bin'

/**
 * The command as one that waits for its release, so that whoever ends it with us can be told of it before it does
 * anything at all. Null where it cannot be held and be started just as it would have been: where there is no shell, where
 * a shell would change what it is given, and where the system refuses to start it and shall say so.
 */
export function heldCommand(
  program: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): HeldCommand | null {
  // A word with `=` is a variable to env.
  if (process.platform === 'win32' || program.includes('=')) return null
  if (!isExecutable(SHELL) || !isExecutable(ENV) || !canStart(program, environment)) return null
  const unset = SET_BY_SHELLS.filter((name) => environment[name] === undefined)
  const set: string[] = []
  const rest: Record<string, string> = {}
  for (const [name, value] of Object.entries(environment)) {
    if (OWNED_BY_SHELLS.test(name) || !KEPT_BY_SHELLS.test(name)) return null
    if (SEEN_BY_SHELLS.test(name)) set.push(`${name}=${value}`)
    else rest[name] = value
  }
  return {
    program: SHELL,
    args: [
      '-c',
      HOLD,
      'sh',
      ...unset.flatMap((name) => ['-u', name]),
      '--',
      ...set,
      program,
      ...args,
    ],
    environment: rest,
    release: '\n',
  }
}

function canStart(program: string, environment: Readonly<Record<string, string>>): boolean {
  const places = program.includes('/')
    ? [program]
    : (environment['PATH'] ?? DEFAULT_PATH).split(':').map((place) => join(place, program))
  const file = places.find(isExecutable)
  if (file === undefined) return false
  const interpreter = /^#![ \t]*([^ \t\n]+)/.exec(beginningOf(file))?.[1]
  return interpreter === undefined || isExecutable(interpreter)
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return statSync(file).isFile()
  } catch {
    return false
  }
}

/** Of what may be executed and not read, nothing. */
function beginningOf(file: string): string {
  let opened: number | null = null
  try {
    opened = openSync(file, 'r')
    const bytes = Buffer.alloc(256)
    return bytes.toString('latin1', 0, readSync(opened, bytes))
  } catch {
    return ''
  } finally {
    if (opened !== null) closeSync(opened)
  }
}
