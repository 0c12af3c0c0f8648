/** One positional argument. It is shown in capitals and read under its name: `path` is `PATH` in help. */
export interface ArgumentSpec {
  readonly name: string
  readonly summary: string
  readonly optional?: true
  /** The only values that are accepted. */
  readonly choices?: readonly string[]
  /** Takes all that follow. Only the last argument may. */
  readonly repeats?: true
}

/**
 * One option. Its key in `options` is the name in camel case: `envFile` is `--env-file` on the command line.
 * Without `value` it is a switch, and read as a boolean.
 */
export interface OptionSpec {
  readonly summary: string
  /** One letter: `f` for `-f`. */
  readonly short?: string
  /** What the value is called in help: `FILE`. */
  readonly value?: string
  /** The only values that are accepted. */
  readonly choices?: readonly string[]
  /** May be given more than once; read as a list in the order given. */
  readonly repeats?: true
  /** The command does nothing without it. */
  readonly needed?: true
}

export type Arguments = readonly ArgumentSpec[]
export type Options = Readonly<Record<string, OptionSpec>>

type ArgumentValue<S extends ArgumentSpec> = S extends { repeats: true }
  ? readonly string[]
  : Chosen<S> | (S extends { optional: true } ? undefined : never)

type Chosen<S> = S extends { choices: readonly (infer C)[] } ? C : string

type OptionValue<S extends OptionSpec> = S extends { value: string }
  ? S extends { repeats: true }
    ? readonly Chosen<S>[]
    : Chosen<S> | (S extends { needed: true } ? never : undefined)
  : boolean

/** What `run` is handed: every declared argument and option under its own name. */
export type Args<A extends Arguments, O extends Options> = {
  readonly [S in A[number] as S['name']]: ArgumentValue<S>
} & { readonly [K in keyof O]: OptionValue<O[K]> }

export type Json =
  | string
  | number
  | boolean
  | null
  | readonly Json[]
  | { readonly [name: string]: Json }

export type Paint = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan'

export interface Input {
  readonly isTerminal: boolean
  /**
   * Everything up to the end of the stream.
   *
   * @throws {Fault} `TOO_LARGE` as soon as more than `maxBytes` have come
   */
  read(maxBytes: number): Promise<Buffer>
  /**
   * Line by line as they come, without their ends; those that came together stand in one list. A line of more than
   * `maxBytes` is null. Memory is bounded by one line and one read.
   *
   * @param signal ends it, and the stream with it: a process does not wait for a terminal that nobody types into
   */
  lines(maxBytes: number, signal?: AbortSignal): AsyncIterable<readonly (string | null)[]>
}

export interface Output {
  readonly isTerminal: boolean
  /** Width of the terminal in characters; 80 when it is none. */
  readonly columns: number
  /** Height of the terminal in lines; 24 when it is none. */
  readonly rows: number
  /** Calls back when the terminal has another size. @returns ends it */
  onResize(listener: () => void): () => void
  /** Resolves when the stream takes more, so that a long answer does not pile up in memory. */
  write(data: string | Uint8Array): Promise<void>
  /** The text in colour on a terminal that wants it, else as it is. */
  paint(style: Paint, text: string): string
}

/** Where a command reads and writes: answers to stdout, talk to stderr. */
export interface Io {
  readonly stdin: Input
  readonly stdout: Output
  readonly stderr: Output
  /** True when `--json` was given. */
  readonly json: boolean
  /** Aborts on SIGINT, SIGTERM and SIGHUP; a command that never looks at it is ended by them as usual. */
  readonly signal: AbortSignal
  /** The answer of the command: one line of JSON with `--json`, else the text. */
  answer(value: Json, human: () => string): Promise<void>
  /** A line for the person, on stderr. */
  say(text: string): Promise<void>
}

/** One command: help, completion scripts and docs/cli.md are made from its fields. */
export interface Command<Deps, A extends Arguments = Arguments, O extends Options = Options> {
  /** The words that call it: `secret put`. */
  readonly name: string
  readonly summary: string
  /** Paragraphs below the summary in help. */
  readonly about?: readonly string[]
  readonly arguments: A
  readonly options: O
  /** Lines that can be pasted, each with what it does. */
  readonly examples?: readonly (readonly [line: string, what: string])[]
  /** False for a command that has no answer of its own, and so no `--json`. */
  readonly json?: boolean
  /** The person's alone: `run` proves presence before it does anything. Help says so. */
  readonly gated?: true
  /** Everything from the first argument on belongs to the arguments, dashes or not: `run CMD --flag`. */
  readonly passThrough?: true
  /** Said in place of "too many arguments". */
  readonly surplus?: string
  /**
   * @returns the exit code, 0 when nothing is returned
   * @throws {Fault} whose row in the fault table gives the exit code
   */
  run(args: Args<A, O>, io: Io, deps: Deps): Promise<number | void>
}

/** Says what a command is; the types of `args` follow from the arguments and options it declares. */
export function command<Deps, const A extends Arguments, const O extends Options>(
  spec: Command<Deps, A, O>,
): Command<Deps, A, O> {
  return spec
}

/** The option as it is typed: `envFile` → `--env-file`. */
export function flagOf(name: string): string {
  return `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
}
