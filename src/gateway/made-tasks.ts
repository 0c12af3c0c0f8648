import { type EpochMs, epochMs, systemClock } from '../core/time.ts'
import { sha256 } from '../crypto/index.ts'
import { META, memberOf, type Request, readMessage } from '../mcp/wire/index.ts'
import { isObject, readToolCall, type ToolCall } from './tool-call.ts'

/** A task as it is remembered. */
export interface KeptTask {
  /** Whose call made it: a grant, or whoever called. */
  readonly who: string
  /** The call as it went to the server; null when it was too large to be kept. */
  readonly callText: string | null
}

/** Where every process of a store finds the tasks of the others. */
export interface TaskKeeper {
  keepTask(server: string, taskId: string, task: KeptTask, until: EpochMs): Promise<void>
  /** Servers need not choose ids that differ from caller to caller. */
  tasksOf(server: string, taskId: string): Promise<readonly KeptTask[]>
}

/** A task that a server made in place of an answer. */
export interface NewTask {
  readonly taskId: string
  /** For how long the server keeps it; null when it does not say. */
  readonly ttlMs: number | null
}

/** By which call a task was made. */
export type MadeBy =
  | { readonly kind: 'call'; readonly call: ToolCall }
  /** Nobody made it here. */
  | { readonly kind: 'unknown' }
  /** It is named by what is no name of a task. */
  | { readonly kind: 'unreadable'; readonly why: string }
  /** It is somebody else's, or what it was made by is not known any more. */
  | { readonly kind: 'withheld'; readonly why: string }

export interface TaskOf {
  readonly server: string
  readonly who: string
}

const DAY_MS = 86_400_000
/** A server that says nothing, or more, is taken at this. */
const MOST_MS = 30 * DAY_MS
const MAX_CALL = 1_048_576
const MAX_TASKS = 10_000
const MAX_HELD = 33_554_432
/** Longer ids are no server's; they are remembered by no one. */
const MAX_ID = 1_024

/** What an answer that is a task says, in the revision of 2025-11-25 and since tasks are an extension. */
const OF_LEGACY: ReadonlySet<string> = new Set(['task', '_meta'])
const OF_MODERN: ReadonlySet<string> = new Set([
  'resultType',
  'taskId',
  'status',
  'statusMessage',
  'createdAt',
  'lastUpdatedAt',
  'ttlMs',
  'pollIntervalMs',
  '_meta',
])

/**
 * The task that an answer to a call is.
 *
 * @returns null for every other answer, and for one that says anything beside its task: that is judged as an answer
 */
export function newTaskIn(result: unknown): NewTask | null {
  if (!isObject(result)) return null
  const isModern = result['resultType'] === 'task'
  if (!isModern && !isObject(result['task'])) return null
  const allowed = isModern ? OF_MODERN : OF_LEGACY
  if (!Object.keys(result).every((name) => allowed.has(name))) return null
  const task = isModern ? result : (result['task'] as Readonly<Record<string, unknown>>)
  const { taskId } = task
  const ttl = task[isModern ? 'ttlMs' : 'ttl']
  if (typeof taskId !== 'string' || taskId.length > MAX_ID) return null
  return { taskId, ttlMs: typeof ttl === 'number' && ttl >= 0 ? ttl : null }
}

/** Which calls made the tasks of servers: whatever is asked of a task later is judged by its call. */
export class MadeTasks {
  readonly #keeper: TaskKeeper | null
  /** The oldest first. */
  readonly #held = new Map<string, KeptTask>()
  #heldSize = 0
  readonly #questions = new Set<string>()

  /** @param keeper null: no other process has to know of them */
  constructor(keeper: TaskKeeper | null = null) {
    this.#keeper = keeper
  }

  /**
   * @param sent the call as it went to the server
   * @throws {Fault} of the store: then others would not know by what to judge it
   */
  async remember(of: TaskOf, { taskId, ttlMs }: NewTask, sent: string): Promise<void> {
    const { server, who } = of
    const callText = sent.length > MAX_CALL ? null : withoutMeta(sent)
    const task = { who, callText }
    this.#hold(keyOf(of, taskId), task)
    const until = epochMs(Math.ceil(systemClock() + Math.min(ttlMs ?? MOST_MS, MOST_MS) + DAY_MS))
    await this.#keeper?.keepTask(server, taskId, task, until)
  }

  async madeBy(of: TaskOf, taskId: unknown): Promise<MadeBy> {
    if (taskId === undefined) return { kind: 'unknown' }
    // A server may take 41 and ["41"] for the task "41".
    if (typeof taskId !== 'string' || taskId.length > MAX_ID)
      return { kind: 'unreadable', why: `'taskId' must be a text of at most ${MAX_ID} characters.` }
    const key = keyOf(of, taskId)
    const held = this.#held.get(key)
    if (held !== undefined) return madeBy(held)
    const all = (await this.#keeper?.tasksOf(of.server, taskId)) ?? []
    const own = all.find(({ who }) => who === of.who)
    if (own === undefined)
      return all.length === 0
        ? { kind: 'unknown' }
        : { kind: 'withheld', why: 'There is no such task.' }
    this.#hold(key, own)
    return madeBy(own)
  }

  /** What a question of a task is known by. */
  questionOf({ params }: Request, key: string, question: unknown): string {
    const taskId = isObject(params?.value) ? params.value['taskId'] : undefined
    const text = JSON.stringify([taskId, key, question], (_key, one: unknown) =>
      typeof one === 'bigint' ? String(one) : one,
    )
    return sha256(Buffer.from(text, 'utf8')).toString('base64url')
  }

  /** Whether the client was let hear exactly this question before. */
  wasAsked(question: string): boolean {
    return this.#questions.has(question)
  }

  asks(question: string): void {
    this.#questions.add(question)
    const [oldest] = this.#questions
    if (this.#questions.size > MAX_TASKS && oldest !== undefined) this.#questions.delete(oldest)
  }

  #hold(key: string, task: KeptTask): void {
    const before = this.#held.get(key)
    this.#held.delete(key)
    this.#held.set(key, task)
    this.#heldSize += sizeOf(task) - (before === undefined ? 0 : sizeOf(before))
    for (const [oldest, one] of this.#held) {
      if (this.#held.size <= MAX_TASKS && this.#heldSize <= MAX_HELD) break
      this.#held.delete(oldest)
      this.#heldSize -= sizeOf(one)
    }
  }
}

const OF_PAUSE: ReadonlySet<string> = new Set([
  'resultType',
  'inputRequests',
  'requestState',
  '_meta',
])

/** Whether an answer holds nothing of what the call gives: its server asks something first, or gives it later. */
export function isNoResultYet(result: unknown): boolean {
  if (newTaskIn(result) !== null) return true
  return (
    isObject(result) &&
    result['resultType'] === 'input_required' &&
    Object.keys(result).every((name) => OF_PAUSE.has(name))
  )
}

/** What a rule on answers has to let out of one to a call: of a task, what it says beside where it stands. */
export function judgedOf(answer: unknown): readonly unknown[] {
  if (!isNoResultYet(answer) || !isObject(answer)) return [answer]
  if (newTaskIn(answer) === null) return []
  const { task, ...said } = answer
  return resultsOfTask('tasks/get', isObject(task) ? { ...task, ...said } : said)
}

/** What may be asked of a task, by the member in which its answer holds that of the call; null: it is that itself. */
const RESULTS: Readonly<Record<string, string | null>> = {
  'tasks/result': null,
  'tasks/get': 'result',
  'tasks/cancel': 'result',
  'tasks/update': 'result',
  'notifications/tasks': 'result',
  'notifications/tasks/status': 'result',
}

/** Whether a message is about one task, and so judged by the call that made it. */
export function isAboutTask(method: string): boolean {
  return Object.hasOwn(RESULTS, method)
}

/**
 * What the call has given in what is said of its task: its answer, the error that it ended with, and what else the
 * server says in words. Nothing as long as the task only runs.
 *
 * @param said a result, or the error in its place
 */
export function resultsOfTask(method: string, said: unknown): readonly unknown[] {
  const member = RESULTS[method]
  if (member === null || member === undefined || !isObject(said)) return [said]
  const { [member]: result, error, ...task } = said
  return [result, error, wordsOfTask(task)].filter((one) => one !== undefined)
}

/** What a task says beside where it stands; undefined when that is nothing. */
function wordsOfTask(task: Readonly<Record<string, unknown>>): object | undefined {
  const words = Object.entries(task).filter(([name, value]) => !isOfStanding(name, value))
  return words.length === 0 ? undefined : Object.fromEntries(words)
}

const STATUSES: ReadonlySet<unknown> = new Set([
  'working',
  'input_required',
  'completed',
  'failed',
  'cancelled',
])
const TIMES: ReadonlySet<string> = new Set([
  'ttl',
  'ttlMs',
  'pollInterval',
  'pollIntervalMs',
  'createdAt',
  'lastUpdatedAt',
])
const RESULT_TYPES: ReadonlySet<unknown> = new Set(['complete', 'task', 'input_required'])
const OF_META: ReadonlySet<string> = new Set(['io.modelcontextprotocol/related-task', META.server])
const TIME = /^[\d.:eTZ+-]{0,40}$/

/** Questions have rules of their own. */
function isOfStanding(name: string, value: unknown): boolean {
  if (name === 'taskId' || name === 'inputRequests') return true
  if (name === 'status') return STATUSES.has(value)
  if (name === 'resultType') return RESULT_TYPES.has(value)
  if (name === '_meta')
    return isObject(value) && Object.keys(value).every((key) => OF_META.has(key))
  const isTime = typeof value === 'string' ? TIME.test(value) : typeof value === 'number'
  return TIMES.has(name) && (isTime || value === null)
}

function sizeOf({ callText }: KeptTask): number {
  return callText?.length ?? 0
}

function keyOf({ server, who }: TaskOf, taskId: string): string {
  return JSON.stringify([server, who, taskId])
}

function madeBy({ callText }: KeptTask): MadeBy {
  const call = callText === null ? null : callIn(callText)
  return call === null
    ? {
        kind: 'withheld',
        why: 'The call that made this task was too large to be kept, so nothing more of it can be judged.',
      }
    : { kind: 'call', call }
}

/** Tokens and what a client says of itself belong to one message. */
function withoutMeta(sent: string): string {
  const params = memberOf(sent, 'params') ?? '{}'
  const name = memberOf(params, 'name') ?? '""'
  const args = memberOf(params, 'arguments') ?? '{}'
  return `{"jsonrpc":"2.0","id":0,"method":"tools/call","params":{"name":${name},"arguments":${args}}}`
}

function callIn(text: string): ToolCall | null {
  const message = readMessage(text)
  const read = message.kind === 'request' ? readToolCall(message) : null
  return read !== null && 'call' in read ? read.call : null
}
