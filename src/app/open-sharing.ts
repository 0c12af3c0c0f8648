import type { CanaryPort } from '../core/canary-port.ts'
import type { EnvVarPort, SharedEnvVarPort } from '../core/env-var-port.ts'
import { isFault } from '../core/faults.ts'
import type { Caller } from '../core/principals.ts'
import type { QuotaPort } from '../core/quota-port.ts'
import type { SharePort } from '../core/share-port.ts'
import { toIso } from '../core/time.ts'
import { freezeWithin, type Identity } from '../identity/index.ts'
import {
  type CanaryHooks,
  createCanaries,
  createEnvVars,
  createQuotas,
  createSharedEnvVars,
  createShares,
  type EnvVarParts,
  type QuotaParts,
  type ShareParts,
} from '../vault/index.ts'
import type { OpenApprovals } from './open-approvals.ts'

/** What is handed on, how much may be read, and what rings when it is. */
export interface Sharing {
  readonly shares: SharePort
  readonly quotas: QuotaPort
  readonly canaries: CanaryPort
  readonly envVars: EnvVarPort
  readonly sharedEnvVars: SharedEnvVarPort
}

/** What an alarm does besides being recorded: the caller is frozen where that is asked for, webhooks are told. */
export function canaryHooks(identity: Identity, { deliveries }: OpenApprovals): CanaryHooks {
  return {
    freeze: (tx, caller, reason, at) => freezeWithin(identity.tables, tx, caller, reason, at),
    announce: (tx, alarm, at) =>
      deliveries.enqueue(
        tx,
        'canary.triggered',
        {
          severity: 'critical',
          vault: alarm.vaultId,
          path: alarm.path,
          asked: alarm.action,
          actor: alarm.actor,
          channel: alarm.channel,
          address: alarm.address,
          released: alarm.released,
          frozen: alarm.frozen,
          at: toIso(alarm.at),
        },
        at,
      ),
  }
}

export function openSharing(
  parts: Omit<ShareParts, 'approvals' | 'creatorOf'> &
    QuotaParts &
    EnvVarParts & { readonly identity: Identity; readonly approvals: OpenApprovals },
): Sharing {
  const { identity, approvals } = parts
  return {
    quotas: createQuotas(parts),
    canaries: createCanaries(parts),
    envVars: createEnvVars(parts),
    sharedEnvVars: createSharedEnvVars(parts),
    shares: createShares({
      ...parts,
      approvals: approvals.approvals,
      creatorOf: (caller) => creatorOf(identity, caller),
    }),
  }
}

/** An agent may look at itself, and so at who made it. */
async function creatorOf({ agents }: Identity, caller: Caller): Promise<string | null> {
  if (caller.principal.kind !== 'registered-agent') return null
  try {
    return (await agents.get(caller, caller.principal.id)).createdBy
  } catch (error) {
    if (isFault(error, 'NOT_FOUND')) return null
    throw error
  }
}
