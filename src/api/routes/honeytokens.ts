import * as z from 'zod'
import type { CanaryInfo, CanaryPort } from '../../core/canary-port.ts'
import type { AuthenticationPort } from '../../core/identity-port.ts'
import { toIso } from '../../core/time.ts'
import { uuid } from '../contract/schemas.ts'
import { honeytokenSchema } from '../contract/sharing.ts'
import { type Operation, operation } from '../operation.ts'
import { isoOrNull, madeBy } from './moments.ts'

export interface HoneytokenRouteParts {
  readonly canaries: CanaryPort
  readonly authentication: Pick<AuthenticationPort, 'org'>
}

const REFUSED = { 403: { description: 'Only who administers the vault may.' } }

/** Canaries, as the older API calls them. */
export function honeytokenOperations(parts: HoneytokenRouteParts): readonly Operation[] {
  const { canaries, authentication } = parts
  return [
    operation({
      id: 'listHoneytokens',
      method: 'GET',
      path: '/v1/risk/honeytokens',
      tag: 'risk',
      summary: 'Paths that ring when anybody asks for them.',
      answers: {
        200: {
          description: 'By path.',
          schema: z.object({ honeytokens: z.array(honeytokenSchema) }),
        },
        ...REFUSED,
      },
      async handle({ caller }) {
        const all = await canaries.list(caller)
        const { id } = await authentication.org()
        return { status: 200, body: { honeytokens: all.map((one) => honeytokenFields(one, id)) } }
      },
    }),
    operation({
      id: 'createHoneytoken',
      method: 'POST',
      path: '/v1/risk/honeytokens',
      tag: 'risk',
      summary: 'Makes a path ring when anybody reads, uses, shares or describes it.',
      body: z.object({
        vault_id: uuid,
        secret_path: z.string(),
        notes: z.string().max(500).nullish(),
        freezes: z.boolean().optional(),
      }),
      answers: { 201: { description: 'Made.', schema: honeytokenSchema }, ...REFUSED },
      async handle({ caller, body }) {
        const made = await canaries.set(caller, body.vault_id, body.secret_path, {
          notes: body.notes ?? null,
          freezes: body.freezes ?? false,
        })
        const { id } = await authentication.org()
        return { status: 201, body: honeytokenFields(made, id) }
      },
    }),
    operation({
      id: 'deleteHoneytoken',
      method: 'DELETE',
      path: '/v1/risk/honeytokens/{id}',
      tag: 'risk',
      summary: 'Lets a path be like any other.',
      answers: {
        204: { description: 'Gone.' },
        ...REFUSED,
        404: { description: 'There is none.' },
      },
      async handle({ caller, params }) {
        await canaries.removeById(caller, params['id'] ?? '')
        return { status: 204 }
      },
    }),
  ]
}

function honeytokenFields(canary: CanaryInfo, orgId: string) {
  return {
    id: canary.id,
    vault_id: canary.vaultId,
    org_id: orgId,
    secret_path: canary.path,
    freezes: canary.freezes,
    notes: canary.notes,
    ...madeBy(canary.createdBy),
    created_at: toIso(canary.createdAt),
    triggered_count: canary.triggered,
    last_triggered_at: isoOrNull(canary.lastAt),
  }
}
