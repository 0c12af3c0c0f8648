import type { Tx } from '../core/db-port.ts'
import { asFault, Fault } from '../core/faults.ts'
import type { RecordRow } from './audit-repository.ts'

/** Where records go besides the store. */
export interface LedgerSinks {
  /** Why nothing may be released or changed now; null when it may. */
  refusal(): Fault | null | Promise<Fault | null>
  /** Whether that is so as of this revision of the rights. */
  isEmptyAt(rights: number): boolean
  /** Whether nothing is sent anywhere, so that nobody else can have a record that a power cut takes away here. */
  readonly isEmpty: boolean
  /** Whether members of this lane are let through all the same. */
  admits(lane: string): boolean
  /** Takes part in the batch's transaction, before anything is appended. */
  within(tx: Tx): Promise<void>
  /**
   * Resolves when every sink that must have the records has them.
   *
   * @throws {Fault} `AUDIT_UNAVAILABLE`
   */
  deliver(rows: readonly RecordRow[]): Promise<void>
}

/** Members that may go on; the others are told why not. */
export async function admittedBy<W extends Refusable>(
  sinks: LedgerSinks,
  batch: readonly W[],
): Promise<readonly W[]> {
  const refusal = await sinks.refusal()
  if (refusal === null) return batch
  const admitted: W[] = []
  for (const waiting of batch)
    if (sinks.admits(waiting.lane.name)) admitted.push(waiting)
    else waiting.reject(unexported(refusal))
  return admitted
}

interface Refusable {
  readonly lane: { readonly name: string }
  readonly reject: (fault: Fault) => void
}

export async function missingFrom(
  sinks: LedgerSinks,
  rows: readonly RecordRow[],
): Promise<Fault | null> {
  try {
    await sinks.deliver(rows)
    return null
  } catch (error) {
    return asFault(error)
  }
}

function unexported(fault: Fault): Fault {
  return new Fault('AUDIT_UNAVAILABLE', `${fault.message} Nothing was released or changed.`, {
    cause: fault,
    details: fault.details,
  })
}

/** The batch is committed: what was to be released is not, what was to be changed is. */
export function undelivered(fault: Fault): Fault {
  return new Fault('AUDIT_UNAVAILABLE', `${fault.message} It is recorded; nothing was released.`, {
    cause: fault,
    details: fault.details,
  })
}
