import { changeLane, type Lane, type Ledger, type RecordDraft } from '../audit/index.ts'
import type { Db, Reader, Tx } from '../core/db-port.ts'
import { Fault } from '../core/faults.ts'
import type { StandingPort } from '../core/identity-port.ts'
import type { Caller } from '../core/principals.ts'
import type { Clock, EpochMs } from '../core/time.ts'
import { type Grants, lookProblem, refusedRecord } from '../identity/index.ts'
import type { LoginRow } from './oauth/login-rows.ts'
import { REGISTERED_NAME, type RegistryTables } from './registry-rows.ts'

/** @returns those that counted until now */
export type RevokeGrants = (
  tx: Tx,
  server: string,
  at: EpochMs,
) => Promise<readonly { readonly id: string; readonly revision: number }[]>

/** @returns those that count */
export type GrantsNaming = (tx: Tx, policy: string) => Promise<readonly { readonly id: string }[]>

export interface RegistryParts {
  readonly db: Db
  readonly ledger: Ledger
  readonly clock: Clock
  readonly standing: StandingPort
  readonly tables: RegistryTables
  readonly grants: Pick<Grants, 'create' | 'attach' | 'detach'>
  /** Ends the grants of a server within the transaction that takes it away. */
  readonly revokeGrants: RevokeGrants
  /** Asked within the transaction that takes a policy away. */
  readonly grantsNaming: GrantsNaming
  /** Takes the tokens of a login back that the store has no more. */
  readonly revoke: (login: LoginRow, by: Caller) => Promise<boolean>
}

interface Refused {
  readonly fault: Fault
  readonly record: RecordDraft
}

const REFUSAL: Lane<Refused, never> = changeLane(
  'gateway.refuse',
  async (_tx, member: Refused) => member,
)

/** What is read by somebody who may look; that others asked is recorded. */
export async function lookedUp<T>(
  parts: Pick<RegistryParts, 'db' | 'ledger' | 'standing' | 'clock'>,
  caller: Caller,
  action: string,
  read: (reader: Reader) => Promise<T>,
): Promise<T> {
  const found = await parts.db.read(async (reader) => {
    const problem = await lookProblem(parts, reader, caller, null)
    return problem ?? { value: await read(reader) }
  })
  if (!(found instanceof Fault)) return found.value
  const refused = { fault: found, record: refusedRecord(action, caller, found) }
  return (await parts.ledger.commit(REFUSAL, refused)).value
}

export function noServer(name: string): Fault {
  return new Fault('NOT_FOUND', `There is no server '${name.slice(0, 64)}'.`, {
    details: { remedy: 'sallyport server ls shows those that there are' },
  })
}

export function noPolicy(name: string): Fault {
  return new Fault('NOT_FOUND', `There is no policy '${name.slice(0, 64)}'.`, {
    details: { remedy: 'keep one with sallyport policy set NAME FILE' },
  })
}

/** @throws {Fault} `BAD_INPUT` */
export function checkedName(name: string, field = 'name'): string {
  if (REGISTERED_NAME.test(name)) return name
  throw new Fault(
    'BAD_INPUT',
    `${field} must have 1 to 64 letters, digits, dots, dashes or underscores, the first a letter or digit.`,
    { details: { field } },
  )
}
