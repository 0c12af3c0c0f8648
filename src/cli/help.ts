import { type ArgumentSpec, type Command, flagOf, type OptionSpec, type Output } from './command.ts'
import { usageOf } from './parse.ts'
import { wrap } from './text.ts'

/** One row of a list of commands. */
export interface Listed {
  readonly name: string
  readonly summary: string
  readonly gated?: true
}

/** Said on every page that has a mark. */
const MARKED = '* asks for the presence passphrase: the person alone may'

export interface Topic {
  readonly title: string
  readonly commands: readonly Listed[]
}

type Page = Pick<Output, 'paint' | 'columns'>

const MAX_WIDTH = 100

/** The page of `sallyport --help`. */
export function renderOverview(topics: readonly Topic[], version: string, out: Page): string {
  const parts = [
    `${out.paint('bold', 'sallyport')} ${version}: secrets that agents can use, ask for and be kept away from`,
    section('Usage', '  sallyport COMMAND [options]', out),
    ...topics.map(({ title, commands }) => section(title, rows(listed(commands), out), out)),
    MARKED,
    section(
      'Everywhere',
      rows(
        [
          ['--help', 'what a command takes, with examples: sallyport secret put --help'],
          ['--json', 'one line of JSON instead of text; errors as JSON on stderr'],
          ['--version', 'the version of this program'],
        ],
        out,
      ),
      out,
    ),
    section(
      'Start here',
      rows(
        [
          ['sallyport up', 'open the vault and print the block for your MCP client'],
          ['pass show stripe | sallyport secret put api/stripe', 'store a secret from a pipe'],
        ],
        out,
      ),
      out,
    ),
  ]
  return parts.join('\n\n')
}

/** The page of `sallyport secret --help`. */
export function renderGroup(noun: string, commands: readonly Listed[], out: Page): string {
  return [
    section('Usage', `  sallyport ${noun} COMMAND [options]`, out),
    section('Commands', rows(listed(commands), out), out),
    ...(commands.some(({ gated }) => gated) ? [MARKED] : []),
    `Run 'sallyport ${noun} COMMAND --help' for the options of one of them.`,
  ].join('\n\n')
}

/** The page of `sallyport secret put --help`. */
export function renderCommand<Deps>(command: Command<Deps>, out: Page): string {
  const width = Math.min(out.columns, MAX_WIDTH)
  const parts = [
    wrap(command.summary, width),
    section('Usage', `  ${usageOf(command)}`, out),
    ...paragraphsOf(command).map((paragraph) => wrap(paragraph, width)),
  ]
  if (command.arguments.length > 0)
    parts.push(section('Arguments', rows(argumentRows(command), out), out))
  parts.push(section('Options', rows(optionRows(command), out), out))
  if (command.examples !== undefined)
    parts.push(
      section(
        'Examples',
        command.examples
          .map(([line, what]) => `  ${out.paint('dim', `# ${what}`)}\n  ${line}`)
          .join('\n'),
        out,
      ),
    )
  return parts.join('\n\n')
}

export function argumentRows<Deps>(command: Command<Deps>): [left: string, right: string][] {
  return command.arguments.map((one) => [one.name.toUpperCase(), described(one)])
}

export function optionRows<Deps>(command: Command<Deps>): [left: string, right: string][] {
  const own = Object.entries(command.options).map(([name, option]): [string, string] => [
    `${flagOf(name)}${option.value === undefined ? '' : ` ${option.value}`}${
      option.short === undefined ? '' : `, -${option.short}`
    }`,
    described(option),
  ])
  if (command.json !== false) own.push(['--json', 'answer as one line of JSON'])
  own.push(['--help', 'this page'])
  return own
}

function described(spec: ArgumentSpec | OptionSpec): string {
  const { summary, choices, repeats } = spec
  const notes: string[] = []
  if ('needed' in spec) notes.push('needed')
  if (choices !== undefined) notes.push(choices.join(' | '))
  if (repeats === true) notes.push('may be repeated')
  return notes.length === 0 ? summary : `${summary} (${notes.join('; ')})`
}

/** The paragraphs below the usage, on the terminal and in docs/cli.md. */
export function paragraphsOf<Deps>({ about = [], gated }: Command<Deps>): readonly string[] {
  return gated === true ? [...about, 'Asks for the presence passphrase first.'] : about
}

function listed(commands: readonly Listed[]): [string, string][] {
  return commands.map(({ name, summary, gated }) => [gated === true ? `${name} *` : name, summary])
}

function section(title: string, body: string, out: Page): string {
  return `${out.paint('bold', title)}\n${body}`
}

function rows(list: readonly (readonly [left: string, right: string])[], out: Page): string {
  const width = Math.min(out.columns, MAX_WIDTH)
  const left = Math.min(26, Math.max(...list.map(([name]) => name.length)))
  const indent = ' '.repeat(left + 4)
  return list
    .map(([name, text]) => {
      const body = wrap(text, width, indent).slice(indent.length)
      const fits = name.length <= left
      const head = `  ${out.paint('cyan', name)}`
      return fits
        ? `${head}${' '.repeat(left - name.length + 2)}${body}`
        : `${head}\n${indent}${body}`
    })
    .join('\n')
}
