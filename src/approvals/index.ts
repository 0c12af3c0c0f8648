import type { ApprovalInfo, AskedState, AskPeople } from '../core/approval-port.ts'
import type { StandingPort } from '../core/identity-port.ts'
import { toIso } from '../core/time.ts'
import type { RowMac } from '../crypto/index.ts'
import { type ApprovalTable, approvalTable } from './approval-rows.ts'
import { Approvals, type ApprovalsParts } from './approvals.ts'
import { Deliveries, type DeliveriesParts, type NoticeData } from './deliveries.ts'
import { digestKeyOf } from './digest-key.ts'
import { type WebhookTables, webhookTables } from './webhook-rows.ts'
import { createWebhooks } from './webhooks.ts'

export { Approvals } from './approvals.ts'
export type { Consumed } from './consumption.ts'
export { Deliveries, type NoticeData } from './deliveries.ts'

export interface ApprovalTables extends WebhookTables {
  readonly approvals: ApprovalTable
}

export function approvalTables(mac: RowMac): ApprovalTables {
  return { approvals: approvalTable(mac), ...webhookTables(mac) }
}

export type ApprovalDeskParts = Pick<
  ApprovalsParts,
  'db' | 'ledger' | 'clock' | 'agentsOf' | 'checkPattern' | 'covers' | 'urlOf'
> &
  Pick<DeliveriesParts, 'keys' | 'log' | 'net'> & {
    readonly standing: StandingPort
    readonly tables: ApprovalTables
    /** Page of an approval for whoever hears of it by a webhook, elsewhere perhaps. */
    readonly publicUrlOf: ApprovalsParts['urlOf']
  }

/** Asks people, keeps what they said, and tells webhooks of it. */
export function createApprovals(parts: ApprovalDeskParts) {
  const { tables } = parts
  const deliveries = new Deliveries(parts)
  const approvals = new Approvals({
    ...parts,
    approvals: tables.approvals,
    digestKey: digestKeyOf(parts.keys),
    announce: (tx, event, approval, at) =>
      deliveries.enqueue(tx, `approval.${event}`, noticeOf(approval, parts.publicUrlOf), at),
  })
  const people: AskPeople = {
    ask: async (caller, request) => askedState(await approvals.ask(caller, request), parts.urlOf),
    state: async (caller, id) => askedState(await approvals.status(caller, id), parts.urlOf),
    decided: async (caller, id, signal) =>
      askedState(await approvals.decided(caller, id, signal), parts.urlOf),
  }
  return { approvals, people, webhooks: createWebhooks(parts), deliveries }
}

function askedState(approval: ApprovalInfo, urlOf: ApprovalsParts['urlOf']): AskedState {
  const { id, status, expiresAt, votes } = approval
  const isDecided = status !== 'pending' && status !== 'cancelled'
  const decisionReason = isDecided ? (votes.at(-1)?.reason ?? null) : null
  return { id, status, expiresAt, decisionReason, url: urlOf(id) }
}

/** What those are told who are not asked for their credentials: what it is about, and no reason in anybody's words. */
function noticeOf(approval: ApprovalInfo, urlOf: ApprovalsParts['urlOf']): NoticeData {
  const { grant, votes } = approval
  return {
    id: approval.id,
    kind: approval.kind,
    status: approval.status,
    requester: approval.requester,
    action: approval.action,
    target: approval.target,
    title: approval.preview.title,
    ...(grant === null ? {} : { place: grant.place, pattern: grant.pattern }),
    url: urlOf(approval.id),
    needed: approval.needed,
    decided_by: votes.map(({ by }) => by),
    created_at: toIso(approval.createdAt),
    expires_at: toIso(approval.expiresAt),
  }
}
