import type { Ledger } from '../audit/index.ts'
import type { Db } from '../core/db-port.ts'
import type { EnrolmentPort } from '../core/enrolment-port.ts'
import type {
  AgentPort,
  AuthenticationPort,
  CallerPort,
  FreezePort,
  WorkloadPort,
} from '../core/identity-port.ts'
import type { Log } from '../core/log.ts'
import type { Clock } from '../core/time.ts'
import type { StoreKeys } from '../keys/index.ts'
import type { Outgoing } from '../net/index.ts'
import { createAgents } from './agents.ts'
import { Authentication } from './authentication.ts'
import { createCallers } from './callers.ts'
import type { EnrolmentParts } from './enrolment.ts'
import { Exchanges } from './exchanges.ts'
import { createFreezes } from './freezes.ts'
import { createGrants, type Grants } from './grants.ts'
import { type IdentityTables, identityTables } from './identity-rows.ts'
import type { People } from './people.ts'
import { Refusals, refusalLane } from './refusals.ts'
import { RequestProofs } from './request-proofs.ts'
import { ShownProofs } from './shown-proofs.ts'
import { SigningKeys } from './signing-keys.ts'
import { Standing } from './standing.ts'
import { createWorkloadRules } from './workload-rules.ts'
import type { Workloads } from './workloads.ts'

/** Who is calling and whether it still counts. */
export interface Identity {
  readonly agents: AgentPort
  readonly authentication: AuthenticationPort
  readonly callers: CallerPort
  readonly freezes: FreezePort
  readonly grants: Grants
  readonly workloads: WorkloadPort
  readonly standing: Standing
  readonly tables: IdentityTables
  /** People with accounts; loaded when a door for them is opened. */
  people(): Promise<People>
  /** Agents that ask to be let in; loaded when one does. */
  enrolments(parts: Pick<EnrolmentParts, 'approvals' | 'rates'>): Promise<EnrolmentPort>
  /** Before the ledger closes: writes down what is only counted yet. */
  close(): Promise<void>
}

export interface IdentityParts {
  readonly db: Db
  readonly ledger: Ledger
  readonly keys: StoreKeys
  readonly clock: Clock
  readonly log: Log
  /** The way out, opened when another issuer's keys are asked for. */
  readonly net: () => Promise<Outgoing>
}

/** @param standing one that was made before, over the same tables, because the vault asks it too */
export function createIdentity(
  parts: IdentityParts,
  tables: IdentityTables = identityTables(parts.keys.rowMac),
  standing: Standing = new Standing(tables),
): Identity {
  const { db, ledger, keys, clock } = parts
  let key: Promise<Uint8Array> | null = null
  const lookupKey = (): Promise<Uint8Array> => {
    key ??= db
      .read((reader) => keys.active(reader, 'token-lookup'))
      .then(
        (held) => held.key,
        (error: unknown) => {
          key = null
          throw error
        },
      )
    return key
  }
  const refusals = new Refusals({ ledger, clock, log: parts.log })
  const signingKeys = new SigningKeys(keys)
  const proofs = new RequestProofs(new ShownProofs(db, clock), clock)
  let workloads: Workloads | null = null
  const openWorkloads = async (): Promise<Workloads> => {
    const { Workloads } = await import('./workloads.ts')
    workloads ??= new Workloads({ db, tables, clock, net: parts.net })
    return workloads
  }
  const common = { db, ledger, clock, tables, standing, lookupKey, signingKeys, proofs }
  const exchanges = new Exchanges({ ...common, workloads: openWorkloads })
  const authentication = new Authentication({ ...common, exchanges, refusals })
  const changed = (): void => authentication.noteChange()
  const refusal = refusalLane(ledger)
  const people = async (): Promise<People> => {
    const { createPeople } = await import('./people.ts')
    return createPeople({ ...common, refusals, refusal, changed, net: parts.net })
  }
  let opened: Promise<People> | null = null
  return {
    agents: createAgents({ db, ledger, clock, tables, standing, lookupKey, refusal, changed }),
    authentication,
    callers: createCallers({ db, clock, standing, refusal }),
    freezes: createFreezes({ db, ledger, clock, tables, standing, refusal, changed }),
    grants: createGrants({ db, ledger, clock, tables, standing, lookupKey, refusal, changed }),
    workloads: createWorkloadRules({ db, ledger, clock, tables, standing, refusal, changed }),
    standing,
    tables,
    people() {
      opened ??= people()
      return opened
    },
    async enrolments({ approvals, rates }) {
      const { createEnrolments } = await import('./enrolment.ts')
      return createEnrolments({ ...common, refusal, changed, approvals, rates })
    },
    close: () => refusals.close(),
  }
}
