import type { Expectation } from './expectation.ts'
import type { Caller } from './principals.ts'

/** What is counted: values that were released, versions that were stored. */
export type QuotaKind = 'reads' | 'writes'

export interface QuotaInfo {
  /** `org`, `agent:<id>` or `user:<id>`. */
  readonly subject: string
  /** In a calendar month, UTC; null is without a limit. */
  readonly reads: number | null
  readonly writes: number | null
  /** Of this month; counted from when a limit was first set. */
  readonly used: { readonly reads: number; readonly writes: number }
  /** `2026-11` */
  readonly month: string
  /** Names the state of its limits, whatever is used of them; for an `Expectation`. */
  readonly tag: string
}

/** The quota that is nearest to its end, as of the caller's last request that was counted or refused by it. */
export interface QuotaSeen {
  readonly used: number
  readonly limit: number
}

/** How much agents, people and the whole organisation may read and write. Nothing is limited unless it is set. */
export interface QuotaPort {
  /** Owners, admins, auditors and whoever is at this machine see all; others what is about them. */
  list(caller: Caller): Promise<readonly QuotaInfo[]>
  /**
   * By owners, admins and the person at this machine.
   *
   * @param subject `org`, `agent:<id>` or `user:<id>`
   * @param limits whole numbers from 0; null takes a limit away
   * @throws {Fault} `BAD_INPUT`, `ACCESS_DENIED`; `VERSION_CONFLICT` when it is not in the state that is expected
   */
  set(
    caller: Caller,
    subject: string,
    limits: { readonly reads: number | null; readonly writes: number | null },
    expected?: Expectation,
  ): Promise<QuotaInfo>
  /** For the headers of an answer; from memory. */
  seen(caller: Caller): QuotaSeen | null
}
