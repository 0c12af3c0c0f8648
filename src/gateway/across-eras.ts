import { EraBridge, type EraBridgeOptions } from './era-bridge.ts'
import type { OpenUpstream, Upstream } from './upstream.ts'

/**
 * A server that is spoken to in its own era, whatever its client speaks. One that says nothing is ended in time; one
 * that ends on the first word of a newer era is started again, and only then is gone.
 */
export function acrossEras(
  open: OpenUpstream,
  { startMs, log, known }: Pick<EraBridgeOptions, 'startMs' | 'log' | 'known'>,
): OpenUpstream {
  return async (ears) => {
    const { promise: ended, resolve: end } = Promise.withResolvers<string>()
    let isClosed = false
    const bridge = new EraBridge({
      toServer: (text, message) => upstream.send(text, message),
      hear: (message, about) => ears.hear(message, about),
      failed: (idKey, end, why) => ears.failed(idKey, end, why),
      log,
      startMs,
      ...(known !== undefined && { known }),
      onSilent() {
        isClosed = true
        end('it did not answer in time')
        void upstream.close()
      },
    })
    /** Nobody closes what ended by itself. What was never written is told before all that waits counts as lost. */
    const over = (how: string): void => {
      bridge.serverEnded(`The server ended before it answered (${how}).`)
      end(how)
    }
    const start = async (): Promise<Upstream> => {
      const started = await open({
        hear: (message, about) => bridge.heard(message, about),
        failed: (idKey, end, why, status) => bridge.failed(idKey, end, why, status),
        questionsLost: () => ears.questionsLost?.(),
      })
      void started.ended.then((how) => {
        if (isClosed || !bridge.mayBeOlder()) over(how)
        else starting = startAgain(how)
      })
      return started
    }
    const startAgain = async (how: string): Promise<void> => {
      try {
        upstream = await start()
        if (isClosed) await upstream.close()
        else bridge.startedAgain()
      } catch {
        over(how)
      }
    }
    let starting: Promise<void> | null = null
    let upstream = await start()
    return {
      send: (text, message) => bridge.fromClient(text, message),
      ended,
      async close() {
        isClosed = true
        bridge.close()
        await starting
        await upstream.close()
      },
    }
  }
}
