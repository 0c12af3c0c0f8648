import type { SecretText } from '../core/secret-text.ts'
import { monotonicMs } from '../core/time.ts'
import { areSameHeaders, type UpstreamCredentials } from './http-exchange.ts'

/** One header with its references resolved. */
export interface ResolvedHeader {
  readonly name: string
  readonly value: SecretText
  /** Whether something of it stands in the vault. */
  readonly isSecret: boolean
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
    now: readonly ResolvedHeader[] | null
  } | null = null
  const now = (): Promise<readonly ResolvedHeader[]> => {
    if (kept !== null && monotonicMs() - kept.readAt < KEPT_MS) return kept.headers
    wipe()
    const headers = resolve()
    const one: NonNullable<typeof kept> = { headers, readAt: monotonicMs(), now: null }
    kept = one
    // What could not be read is asked for again.
    headers.then(
      (resolved) => {
        one.now = resolved
      },
      () => {
        if (kept === one) kept = null
      },
    )
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
  const told = new Told()
  const shownOf = (headers: readonly ResolvedHeader[]): Readonly<Record<string, string>> => {
    for (const { value, isSecret } of headers) if (isSecret) told.add(value.revealBytes())
    return Object.fromEntries(
      headers.map(({ name, value }) => [name.toLowerCase(), value.reveal()]),
    )
  }
  const shown = async (): Promise<Readonly<Record<string, string>>> => shownOf(await now())
  return {
    headers: shown,
    headersNow() {
      const isKept = kept !== null && monotonicMs() - kept.readAt < KEPT_MS
      return isKept && kept?.now != null ? shownOf(kept.now) : null
    },
    async renew(_challenge, refused) {
      if (areSameHeaders(await shown(), refused)) wipe()
    },
    redacted: (frame) => told.redacted(frame),
  }
}

/** Shorter ones would be taken out of half of what a server says. */
const MIN_TOLD_BYTES = 8
const MAX_TOLD = 64
const SPACE = 0x20
const MARK = '[secret]'

/** What a server was shown, and must not show to those who speak to it through us: errors and echoes repeat headers. */
export class Told {
  readonly #values = new Map<string, Buffer>()

  /** A header's value, and what stands in it behind a scheme such as Bearer. */
  add(value: Uint8Array): void {
    const whole = Buffer.from(value)
    for (const part of [whole, whole.subarray(whole.lastIndexOf(SPACE) + 1)]) {
      const written = JSON.stringify(part.toString('utf8')).slice(1, -1)
      if (part.length < MIN_TOLD_BYTES || this.#values.has(written)) continue
      if (this.#values.size >= MAX_TOLD) this.#values.clear()
      this.#values.set(written, Buffer.from(written, 'utf8'))
    }
  }

  redacted(frame: Buffer): Buffer {
    let shown = frame
    for (const value of this.#values.values())
      if (shown.includes(value))
        shown = Buffer.from(
          shown.toString('latin1').replaceAll(value.toString('latin1'), MARK),
          'latin1',
        )
    return shown
  }
}
