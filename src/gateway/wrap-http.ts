import { Fault } from '../core/faults.ts'
import { monotonicMs, sleep } from '../core/time.ts'
import { HttpUpstream } from './http-upstream.ts'
import type { HttpUpstreamOptions } from './http-upstream-options.ts'
import { WrappedClient, type WrappedClientOptions } from './wrapped-client.ts'

export interface WrapHttpOptions extends WrappedClientOptions {
  readonly server: Omit<
    HttpUpstreamOptions,
    'hear' | 'failed' | 'over' | 'renewed' | 'log' | 'maxMessageBytes'
  >
  /** Aborts when this process is asked to end. */
  readonly signal: AbortSignal
}

/** How long answers are waited for after the client's input ended. */
const PATIENCE_MS = 3_000

/**
 * One client on two streams, one server over HTTP, until the client goes.
 *
 * @throws {Fault} `NET_FAILED` when the server has lost what the session was and only the client can begin again
 */
export async function wrapHttp(options: WrapHttpOptions): Promise<void> {
  const { server, maxMessageBytes, signal, log } = options
  const gone = new AbortController()
  const ending = AbortSignal.any([signal, gone.signal])
  const client = new WrappedClient(
    options,
    (text, message) => upstream.send(text, message),
    () => gone.abort(),
  )
  const { bridge } = client
  let lost: string | null = null
  const upstream = new HttpUpstream({
    ...server,
    log,
    maxMessageBytes,
    hear: async (message, about) => {
      await bridge.heard(message, about)
      await client.drained()
    },
    failed: ({ idKey }, end, why, status) => bridge.failed(idKey, end, why, status),
    renewed: () => client.relay.questionsLost(),
    over(why) {
      lost = why
      gone.abort()
    },
  })
  const ended = new Promise<void>((resolve) => {
    ending.addEventListener('abort', () => resolve(), { once: true })
    if (ending.aborted) resolve()
  })
  const reading = client.read(() => {})
  await Promise.race([reading.catch(() => {}), ended])
  const until = monotonicMs() + PATIENCE_MS
  while (upstream.open > 0 && !ending.aborted && monotonicMs() < until) await sleep(10)
  await upstream.close()
  await client.serverEnded(lost ?? 'the client left')
  await client.end(reading)
  if (lost !== null) throw new Fault('NET_FAILED', lost)
}
