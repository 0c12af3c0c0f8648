import type { Request } from '../mcp/wire/index.ts'
import type { Heard, HttpWayOptions, Unanswered } from './http-exchange.ts'

export interface HttpUpstreamOptions extends HttpWayOptions {
  /** The longest silence before an answer, and within its stream, in milliseconds. */
  readonly answerMs: number
  /**
   * One message of the server. The messages of one stream come one after another: the next is not read before this
   * resolves; at once, where there is no promise. Those of different streams come as they come.
   *
   * @param about `idKey` of the request on whose stream it came; null for what the server says of its own accord
   */
  readonly hear: (message: Heard, about: string | null) => void | Promise<void>
  /**
   * A request that nobody will answer. What its end means for a reservation is `end`.
   *
   * @param status with which the server refused it, when it did
   */
  readonly failed: (
    request: Request,
    end: Unanswered['end'],
    why: string,
    status: number | null,
  ) => void
  /** The session is lost and the server gives none in its place that would do: only the client can begin again. */
  readonly over?: (why: string) => void
  /** Another session stands in place of the one that was lost: the server waits for no answer. */
  readonly renewed?: () => void
}
