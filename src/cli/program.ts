import { packageVersion, processEnvironment } from '../core/config.ts'
import { asFault, Fault, isFault } from '../core/faults.ts'
import { nearest } from '../core/nearest.ts'
import type { Command, Io } from './command.ts'
import {
  COMMANDS,
  type CommandName,
  HIDDEN_NAMES,
  isCommandName,
  loadCommand,
  TOPICS,
  under,
} from './command-table.ts'
import type { CliDeps } from './deps.ts'
import { renderCommand, renderGroup, renderOverview, type Topic } from './help.ts'
import { createIo, isClosedPipe, processStreams, type Streams } from './terminal.ts'
import { visible } from './text.ts'

/**
 * Runs one command line to its end and answers the exit code: the command's own, or that of the fault table.
 *
 * Answers go to stdout. A failure is one line on stderr, `sallyport: MESSAGE`, and one with what to do; with `--json`
 * it is one line of JSON on stderr instead, `{"error":{code,message,help,details}}`, so that stdout never holds
 * anything but an answer.
 *
 * @param argv - the words after the program's name
 * @param given - what the commands ask for, or what makes it and throws a `Fault` where a setting is wrong
 */
export async function runProgram(
  argv: readonly string[],
  given: CliDeps | (() => CliDeps),
  streams: Streams = processStreams(),
): Promise<number> {
  // Before the words are understood, an error is JSON when anything before `--` asked for it.
  const end = argv.indexOf('--')
  const wantsJson = argv.slice(0, end === -1 ? argv.length : end).includes('--json')
  const io = createIo(streams, { json: wantsJson })
  let deps: CliDeps | null = null
  try {
    deps = typeof given === 'function' ? given() : given
    const code = await dispatch(argv, io, deps, streams)
    await deps.close()
    return code
  } catch (error) {
    await deps?.close().catch(() => {})
    return isClosedPipe(error) ? 0 : report(error, io)
  }
}

async function dispatch(
  argv: readonly string[],
  io: Io,
  deps: CliDeps,
  streams: Streams,
): Promise<number> {
  const words = argv[0] === '--json' ? [...argv.slice(1), '--json'] : [...argv]
  const [first] = words
  if (first === undefined || HELP.has(first)) return printHelp(words.slice(1), io)
  if (first === '--version' || first === '-V') {
    await io.answer({ version: packageVersion() }, packageVersion)
    return 0
  }
  const found = findCommand(words)
  if (found === null) return withoutCommand(words, io)
  const command = await loadCommand(found.name)
  const rest = words.slice(found.length)
  // The secrets server starts in the time a client waits for it: no parser is loaded where there is nothing to parse.
  if (rest.length === 0 && isBare(command)) return (await command.run({}, io, deps)) ?? 0
  const { parseWords } = await import('./parse.ts')
  const parsed = parseWords(command, rest)
  if (parsed.help) {
    await io.stdout.write(`${renderCommand(command, io.stdout)}\n`)
    return 0
  }
  const own = parsed.json === io.json ? io : createIo(streams, { json: parsed.json })
  return (await command.run(parsed.args, own, deps)) ?? 0
}

const HELP: ReadonlySet<string> = new Set(['--help', '-h', 'help'])

function isBare(command: Command<CliDeps>): boolean {
  return command.name === 'mcp'
}

interface Found {
  readonly name: CommandName
  /** How many words the name took. */
  readonly length: number
}

function findCommand(words: readonly string[]): Found | null {
  for (const length of [2, 1]) {
    if (words.length < length) continue
    const typed = words.slice(0, length).join(' ')
    const name = HIDDEN_NAMES.get(typed) ?? typed
    if (isCommandName(name)) return { name, length }
  }
  return null
}

async function withoutCommand(words: readonly string[], io: Io): Promise<number> {
  const [noun = '', verb] = words
  const verbs = under(noun)
  if (verbs.length > 0 && (verb === undefined || HELP.has(verb))) return printHelp([noun], io)
  // The second word may be a value of a mistyped command; only words that can be names are repeated.
  const typed = verbs.length > 0 ? `${noun} ${verb}` : noun
  const candidates = verbs.length > 0 ? verbs : nounsAndNames()
  const meant = nearest(typed, candidates)
  const shown = typed.length <= 40 ? `'${typed}'` : 'that'
  throw new Fault(
    'BAD_USAGE',
    `There is no command ${shown}.${meant === null ? '' : ` Did you mean '${meant}'?`}`,
    { details: { remedy: `sallyport ${verbs.length > 0 ? `${noun} ` : ''}--help` } },
  )
}

function nounsAndNames(): string[] {
  const names = Object.keys(COMMANDS)
  return [...new Set([...names, ...names.map((name) => name.split(' ')[0] ?? name)])]
}

async function printHelp(words: readonly string[], io: Io): Promise<number> {
  const found = findCommand(words)
  const [noun] = words
  if (found !== null) {
    await io.stdout.write(`${renderCommand(await loadCommand(found.name), io.stdout)}\n`)
  } else if (noun !== undefined && under(noun).length > 0) {
    const commands = await Promise.all(under(noun).map(loadCommand))
    await io.stdout.write(`${renderGroup(noun, commands, io.stdout)}\n`)
  } else if (noun !== undefined && !noun.startsWith('-')) {
    return withoutCommand(words, io)
  } else {
    const topics = await Promise.all(
      TOPICS.map(async ({ title, names }): Promise<Topic> => {
        return { title, commands: await Promise.all(names.map(loadCommand)) }
      }),
    )
    await io.stdout.write(`${renderOverview(topics, packageVersion(), io.stdout)}\n`)
  }
  return 0
}

async function report(error: unknown, io: Io): Promise<number> {
  const fault = asFault(error)
  const { remedy, presence } = fault.details
  const help = typeof remedy === 'string' ? remedy : fault.help
  try {
    if (io.json) {
      const { code, message, details } = fault
      await io.say(JSON.stringify({ error: { code, message, help, details } }))
    } else {
      await io.say(`${io.stderr.paint('red', 'sallyport:')} ${visible(fault.message)}`)
      if (typeof presence === 'string') await io.say(`  → presence: ${visible(presence)}`)
      await io.say(`  → ${visible(help)}`)
      if (fault.code === 'INTERNAL') await sayWhere(fault.cause, io)
    }
  } catch (closed) {
    if (!isClosedPipe(closed) && !isFault(closed)) throw closed
  }
  return fault.exit
}

/** With the log level debug: which error and where, without its message, which could hold a value. */
async function sayWhere(cause: unknown, io: Io): Promise<void> {
  if (processEnvironment()['SALLYPORT_LOG_LEVEL'] !== 'debug' || !(cause instanceof Error)) return
  const frames = (cause.stack ?? '').split('\n').filter((line) => /^ {4}at /.test(line))
  await io.say([cause.name, ...frames].join('\n'))
}
