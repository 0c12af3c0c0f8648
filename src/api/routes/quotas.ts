import * as z from 'zod'
import type { QuotaPort } from '../../core/quota-port.ts'
import { quotaSchema } from '../contract/sharing.ts'
import { type Operation, operation } from '../operation.ts'

/** How much agents, people and the organisation may read and write in a month. */
export function quotaOperations(quotas: QuotaPort): readonly Operation[] {
  return [
    operation({
      id: 'listQuotas',
      method: 'GET',
      path: '/v1/quotas',
      tag: 'quotas',
      summary: 'The quotas that are set, and what is used of them this month.',
      answers: {
        200: { description: 'By subject.', schema: z.object({ quotas: z.array(quotaSchema) }) },
      },
      async handle({ caller }) {
        return { status: 200, body: { quotas: await quotas.list(caller) } }
      },
    }),
    operation({
      id: 'setQuota',
      method: 'PUT',
      path: '/v1/quotas/{subject}',
      tag: 'quotas',
      summary: 'Sets the quota of org, agent:<id> or user:<id>; null takes a limit away.',
      body: z.object({ reads: z.int().nullable(), writes: z.int().nullable() }),
      answers: {
        200: { description: 'As it stands now.', schema: quotaSchema },
        403: { description: 'Only owners and admins may.' },
      },
      async handle({ caller, params, body }) {
        return { status: 200, body: await quotas.set(caller, params['subject'] ?? '', body) }
      },
    }),
  ]
}
