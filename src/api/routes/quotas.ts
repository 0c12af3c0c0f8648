import * as z from 'zod'
import { Fault } from '../../core/faults.ts'
import type { QuotaInfo, QuotaPort } from '../../core/quota-port.ts'
import { expectationOf, shownAs } from '../conditional.ts'
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
        return { status: 200, body: { quotas: (await quotas.list(caller)).map(quotaFields) } }
      },
    }),
    operation({
      id: 'getQuota',
      method: 'GET',
      path: '/v1/quotas/{subject}',
      tag: 'quotas',
      summary: 'One quota. Its ETag names the limits, whatever is used of them.',
      tagged: true,
      answers: {
        200: { description: 'As it is.', schema: quotaSchema },
        404: { description: 'None is set, or none that the caller may see.' },
      },
      async handle({ caller, params }) {
        const subject = params['subject'] ?? ''
        const quota = (await quotas.list(caller)).find((one) => one.subject === subject)
        if (quota === undefined)
          throw new Fault('NOT_FOUND', `No quota of '${subject.slice(0, 64)}' is set.`)
        return shownAs(quota, { status: 200, body: quotaFields(quota) })
      },
    }),
    operation({
      id: 'setQuota',
      method: 'PUT',
      path: '/v1/quotas/{subject}',
      tag: 'quotas',
      summary: 'Sets the quota of org, agent:<id> or user:<id>; null takes a limit away.',
      conditions: ['If-Match', 'If-None-Match'],
      tagged: true,
      body: z.object({ reads: z.int().nullable(), writes: z.int().nullable() }),
      answers: {
        200: { description: 'As it stands now.', schema: quotaSchema },
        403: { description: 'Only owners and admins may.' },
      },
      async handle(call) {
        const { caller, params, body } = call
        const expected = expectationOf(call)
        const quota = await quotas.set(caller, params['subject'] ?? '', body, expected)
        return shownAs(quota, { status: 200, body: quotaFields(quota) })
      },
    }),
  ]
}

function quotaFields({ subject, reads, writes, used, month }: QuotaInfo) {
  return { subject, reads, writes, used, month }
}
