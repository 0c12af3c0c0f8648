import type { Request } from '../mcp/wire/index.ts'
import { errorAnswer, RPC_ERRORS } from '../mcp/wire/index.ts'
import { cancelAt, givenUp, type Way } from './all-member.ts'
import { Relay } from './relay.ts'
import { saidTo } from './relay-messages.ts'
import type { RelayOptions } from './relay-options.ts'
import type { Sharer, SharerEars } from './shared-upstream.ts'
import type { Reader } from './slow-readers.ts'

export interface LoneRequest
  extends Pick<RelayOptions, 'caller' | 'path' | 'inspection' | 'policiesNow' | 'log'> {
  /** As it goes to the server. */
  readonly request: Request
  /** For what comes before the answer; null where nobody hears it. */
  readonly way: Pick<Way, 'event'> | null
  /** Who takes that; null where it is not kept for anybody. */
  readonly reader: Reader | null
  /** Given up, it is cancelled. */
  readonly signal: AbortSignal
  readonly join: (ears: SharerEars) => Sharer | Promise<Sharer>
}

/** One request with a relay of its own, judged as one at the server's own address. @returns its answer */
export async function askAlone({
  request,
  way,
  reader,
  signal,
  join,
  ...judgedBy
}: LoneRequest): Promise<string> {
  const { idKey, idText } = request
  const { promise, resolve } = Promise.withResolvers<string>()
  const sharer = await join({
    hear: (message, about) => relay.hear(message, about),
    failed: (failed, end, why) => relay.serverFailed(failed, end, why),
    ended: (how) => void relay.serverEnded(how),
    reader,
  })
  const relay = new Relay({
    ...judgedBy,
    toClient: (text) => {
      if (relay.isOpen(idKey)) way?.event(text)
      else resolve(text)
    },
    toServer: (text, sent) => sharer.send(text, sent),
    onCancelled: () => resolve(errorAnswer(idText, RPC_ERRORS.internal, givenUp(signal))),
  })
  const cancel = (): void => {
    if (relay.isOpen(idKey)) relay.fromClient(Buffer.from(cancelAt(idText, signal)))
  }
  signal.addEventListener('abort', cancel, { once: true })
  relay.take(request)
  if (signal.aborted) cancel()
  try {
    return await promise
  } finally {
    signal.removeEventListener('abort', cancel)
    // What the relay still has to write down is written down without us.
    void relay.idle().then(() => sharer.leave())
  }
}

/**
 * In place of a server that cannot be opened: whatever it is asked is judged and recorded as ever, and what may go on
 * fails there.
 */
export function unopenedServer({ failed }: Pick<SharerEars, 'failed'>, error: unknown): Sharer {
  return {
    send(_text, message) {
      if (message?.kind === 'request') failed(message.idKey, 'never-sent', saidTo(error, null))
    },
    leave() {},
  }
}
