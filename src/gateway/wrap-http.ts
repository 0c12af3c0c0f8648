import type { Readable, Writable } from 'node:stream'
import { monotonicMs, sleep } from '../core/time.ts'
import { ClientLines } from './client-lines.ts'
import { EraBridge } from './era-bridge.ts'
import { HttpUpstream, type HttpUpstreamOptions } from './http-upstream.ts'
import { ListNotices } from './list-notices.ts'
import { Relay } from './relay.ts'
import type { RelayOptions } from './relay-options.ts'

export interface WrapHttpOptions extends Omit<RelayOptions, 'toClient' | 'toServer'> {
  readonly server: Omit<HttpUpstreamOptions, 'hear' | 'failed' | 'log' | 'maxMessageBytes'>
  readonly input: Readable
  readonly output: Writable
  /** A longer message is refused; no more than this is ever held of one. */
  readonly maxMessageBytes: number
  /** Aborts when this process is asked to end. */
  readonly signal: AbortSignal
  /** Calls back when the policies may have changed. @returns ends it */
  readonly onPoliciesChanged: (listener: () => void) => () => void
}

/** How long answers are waited for after the client's input ended. */
const PATIENCE_MS = 3_000

/** One client on two streams, one server over HTTP, until the client goes. */
export async function wrapHttp(options: WrapHttpOptions): Promise<void> {
  const { server, maxMessageBytes, signal, log } = options
  const gone = new AbortController()
  const ending = AbortSignal.any([signal, gone.signal])
  const client = new ClientLines({ ...options, onGone: () => gone.abort() })
  const notices = new ListNotices(options.policiesNow)
  const endNotices = options.onPoliciesChanged(() => {
    for (const text of notices.changed()) client.say(text)
  })
  const relay = new Relay({
    ...options,
    toClient: (said, about) => {
      const isAnswer = about !== null && !relay.isOpen(about)
      const { text } = notices.shown(said, about, isAnswer)
      if (text !== null) client.say(text)
    },
    toServer: (text, message) => {
      if (message !== null) notices.asked(message)
      bridge.fromClient(text, message)
    },
  })
  const bridge = new EraBridge({
    toServer: (text, message) => upstream.send(text, message),
    hear: (message, about) => relay.heard(message, about),
    failed: (idKey, end, why) => relay.serverFailed(idKey, end, why),
    log,
  })
  const upstream = new HttpUpstream({
    ...server,
    log,
    maxMessageBytes,
    hear: async (message, about) => {
      await bridge.heard(message, about)
      await client.caughtUp()
    },
    failed: ({ idKey }, end, why, status) => bridge.failed(idKey, end, why, status),
  })
  const ended = new Promise<void>((resolve) => {
    ending.addEventListener('abort', () => resolve(), { once: true })
    if (ending.aborted) resolve()
  })
  const reading = client.read(relay).catch(() => {})
  await Promise.race([reading, ended])
  const until = monotonicMs() + PATIENCE_MS
  while (upstream.open > 0 && !ending.aborted && monotonicMs() < until) await sleep(10)
  bridge.close()
  endNotices()
  await upstream.close()
  await relay.serverEnded('the client left')
  await client.end()
  await reading
}
