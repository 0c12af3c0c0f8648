import { Command as CommanderCommand, CommanderError, type Command as Parser } from 'commander'
import { Fault } from '../core/faults.ts'
import { nearest } from '../core/nearest.ts'
import { type Args, type Arguments, type Command, flagOf, type Options } from './command.ts'

export interface Parsed {
  readonly args: Args<Arguments, Options>
  readonly json: boolean
  readonly help: boolean
}

/**
 * Reads the words after the command's name. No message repeats what was typed as a value: it may be a secret that
 * does not belong on a command line.
 *
 * @throws {Fault} `BAD_USAGE` naming the argument or option, and how to call the command
 */
export function parseWords<Deps>(command: Command<Deps>, words: readonly string[]): Parsed {
  const parser = parserOf(command)
  try {
    parser.parse([...words], { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.code === 'commander.helpDisplayed') return { args: {}, json: false, help: true }
    throw badUsage(command, problemOf(command, error))
  }
  const options = parser.opts<Record<string, unknown>>()
  const args: Record<string, Given> = {}
  for (const [at, { name, choices }] of command.arguments.entries()) {
    const given = givenFrom(parser.processedArgs[at])
    args[name] = given
    checkChoice(command, name.toUpperCase(), choices, given)
  }
  for (const [name, option] of Object.entries(command.options)) {
    const given = givenFrom(options[name])
    args[name] = option.value === undefined ? given === true : given
    if (option.needed === true && given === undefined)
      throw badUsage(command, `${flagOf(name)} is missing.`)
    checkChoice(command, flagOf(name), option.choices, given)
  }
  // Every declared name was filled in above, each as its declaration says.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return { args: args as Parsed['args'], json: options['json'] === true, help: false }
}

type Given = string | readonly string[] | boolean | undefined

function givenFrom(parsed: unknown): Given {
  if (Array.isArray(parsed)) return parsed.map(String)
  return typeof parsed === 'string' || typeof parsed === 'boolean' ? parsed : undefined
}

/** `sallyport secret put [options] PATH`, with the options that it needs: `[options] --server NAME AGENT` */
export function usageOf<Deps>(command: Command<Deps>): string {
  const words = ['sallyport', command.name]
  if (Object.keys(command.options).length > 0 || command.json !== false) words.push('[options]')
  for (const [name, { needed, value = '' }] of Object.entries(command.options))
    if (needed === true) words.push(`${flagOf(name)} ${value}`)
  for (const { name, optional, repeats } of command.arguments) {
    const shown = `${name.toUpperCase()}${repeats === true ? '…' : ''}`
    words.push(optional === true ? `[${shown}]` : shown)
  }
  return words.join(' ')
}

export function badUsage<Deps>(command: Command<Deps>, message: string): Fault {
  return new Fault('BAD_USAGE', message, {
    details: { usage: usageOf(command), remedy: `sallyport ${command.name} --help` },
  })
}

function parserOf<Deps>(command: Command<Deps>): Parser {
  const parser = new CommanderCommand(command.name)
    .exitOverride()
    .configureOutput({ writeOut: () => {}, writeErr: () => {} })
    .allowExcessArguments(false)
    .showSuggestionAfterError(false)
  if (command.passThrough === true) parser.passThroughOptions()
  for (const { name, optional, repeats } of command.arguments) {
    const shown = `${name}${repeats === true ? '...' : ''}`
    parser.argument(optional === true ? `[${shown}]` : `<${shown}>`)
  }
  for (const [name, { short, value, repeats, summary }] of Object.entries(command.options)) {
    const flags = `${short === undefined ? '' : `-${short}, `}${flagOf(name)}${value === undefined ? '' : ` <${value}>`}`
    if (repeats === true)
      parser.option(flags, summary, (one: string, before: string[]) => [...before, one], [])
    else if (value === undefined) parser.option(flags, summary)
    // The last one would count, and whoever gave the first believes that it does.
    else
      parser.option(flags, summary, (one: string, before: string | undefined) => {
        if (before !== undefined) throw badUsage(command, `${flagOf(name)} is given twice.`)
        return one
      })
  }
  if (command.json !== false) parser.option('--json')
  return parser
}

function checkChoice<Deps>(
  command: Command<Deps>,
  shown: string,
  choices: readonly string[] | undefined,
  given: Given,
): void {
  if (choices === undefined || given === undefined || typeof given === 'boolean') return
  for (const one of typeof given === 'string' ? [given] : given)
    if (!choices.includes(one))
      throw badUsage(command, `${shown} must be one of: ${choices.join(', ')}.`)
}

const QUOTED = /'([^']*)'/

function problemOf<Deps>(command: Command<Deps>, error: CommanderError): string {
  const named = QUOTED.exec(error.message)?.[1] ?? ''
  switch (error.code) {
    case 'commander.excessArguments':
      return command.surplus ?? `'sallyport ${command.name}' was given too many arguments.`
    case 'commander.missingArgument':
      return `'sallyport ${command.name}' needs ${named.toUpperCase()}.`
    case 'commander.optionMissingArgument':
      return `${flagIn(named)} needs a value.`
    case 'commander.unknownOption': {
      const flag = named.replace(/=.*$/s, '')
      const flags = Object.keys(command.options).map(flagOf)
      if (flags.includes(flag)) return `${flag} takes no value.`
      const meant = nearest(flag, flags)
      const unknown = `'sallyport ${command.name}' has no option '${flag}'.`
      return meant === null ? unknown : `${unknown} Did you mean ${meant}?`
    }
    default:
      return `The arguments of 'sallyport ${command.name}' could not be read.`
  }
}

/** `--file` out of `-f, --file <FILE>`. */
function flagIn(flags: string): string {
  return /--[\w-]+/.exec(flags)?.[0] ?? flags
}
