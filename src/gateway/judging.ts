import type { CallOutcome } from '../audit/index.ts'
import type { Soon } from '../core/soon.ts'
import type { Notification, Request, Response } from '../mcp/wire/index.ts'
import type { Denial } from './denial.ts'
import type { Paid } from './rounds.ts'
import type { ToolCall } from './tool-call.ts'

/** What is judged: a call of a tool, or another message that carries what somebody wrote. */
export interface Judgeable {
  readonly message: Request | Notification
  /** Of the tool, or the method. */
  readonly name: string
  readonly isMethod: boolean
  /** Whether the server sent it: then its texts are an output, which is never refused. */
  readonly isFromServer: boolean
  /** Goes to the server within the message, which is what it has to answer. */
  readonly isPart?: true
  readonly params: Readonly<Record<string, unknown>>
  readonly args: Readonly<Record<string, unknown>>
  /** What the client says to what the server asked: judged by the same rule, inspected, and what goes on. */
  readonly answer?: ClientAnswer
}

export interface ClientAnswer {
  readonly message: Response
  /** Of its body. */
  readonly value: unknown
  /** Of the members of that. */
  readonly names: readonly string[]
}

export function judgeableCall({ request, tool, params, args }: ToolCall): Judgeable {
  return { message: request, name: tool, isMethod: false, isFromServer: false, params, args }
}

export type CallJudged = { readonly denial: Denial } | CallAllowed

export type JudgedNow = CallJudged | Promise<CallJudged>

/** At once, later in this turn of the event loop, or when something was waited for. */
export type Judging = JudgedNow | Soon<JudgedNow>

export interface CallAllowed {
  /** The message that goes on. */
  readonly text: string
  /** That message, where it is another request than the client made. */
  readonly sent?: Request
  /** Of a hidden tool, whose server must not hear which: it has to find none. */
  readonly isHidden: boolean
  /** What it took of limits, for the next round of the same call. */
  readonly paid: Paid
  /** Of what is about a task: the tool whose call made it. */
  readonly tool: string | null
  /** Judges the answer, a result or an error: null when it may go out. A rule on results makes a denial of it. */
  readonly judgeResult: ((result: unknown) => Denial | null) | null
  /**
   * Called once, when it is known how the call ended.
   *
   * @param result of the answer, or its error; undefined where there is none
   */
  settle(end: CallOutcome, result?: unknown): void | Promise<void>
}
