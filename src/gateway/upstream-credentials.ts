import type { SecretText } from '../core/secret-text.ts'
import { monotonicMs } from '../core/time.ts'
import { areSameHeaders, type UpstreamCredentials } from './http-exchange.ts'

/** One header with its references resolved. */
export interface ResolvedHeader {
  readonly name: string
  readonly value: SecretText
}

/** So long a value that was read for one request serves the next ones. */
const KEPT_MS = 30_000

/**
 * Headers whose values come from the vault. They are read when a request leaves, count as one read for the requests of
 * half a minute, and are read anew when the server does not take them any more.
 *
 * @param resolve reads them all. @throws {Fault} `MISSING_SECRETS`: then the request does not leave
 */
export function headersFromVault(
  resolve: () => Promise<readonly ResolvedHeader[]>,
): UpstreamCredentials {
  let kept: {
    readonly headers: Promise<readonly ResolvedHeader[]>
    readonly readAt: number
  } | null = null
  const now = (): Promise<readonly ResolvedHeader[]> => {
    if (kept !== null && monotonicMs() - kept.readAt < KEPT_MS) return kept.headers
    wipe()
    const headers = resolve()
    const one = { headers, readAt: monotonicMs() }
    kept = one
    // What could not be read is asked for again.
    headers.catch(() => {
      if (kept === one) kept = null
    })
    return headers
  }
  const wipe = (): void => {
    kept?.headers.then(
      (headers) => {
        for (const { value } of headers) value.wipe()
      },
      () => {},
    )
    kept = null
  }
  const shown = async (): Promise<Readonly<Record<string, string>>> =>
    Object.fromEntries((await now()).map(({ name, value }) => [name.toLowerCase(), value.reveal()]))
  return {
    headers: shown,
    async renew(_challenge, refused) {
      if (areSameHeaders(await shown(), refused)) wipe()
    },
  }
}
