import * as z from 'zod'
import { Fault } from '../../core/faults.ts'
import type { Freeze, FreezePort, FreezeTarget } from '../../core/identity-port.ts'
import { type AgentId, isUuid, type UserId } from '../../core/ids.ts'
import { toIso } from '../../core/time.ts'
import { freezeSchema } from '../contract/access.ts'
import { type Operation, operation } from '../operation.ts'

const NOT_ALLOWED = { description: 'Only owners and admins may do this.' }

export function freezeOperations(freezes: FreezePort): readonly Operation[] {
  return [
    operation({
      id: 'listFreezes',
      method: 'GET',
      path: '/v1/freezes',
      tag: 'freezes',
      summary: 'What is frozen.',
      answers: {
        200: {
          description: 'The oldest first.',
          schema: z.object({ freezes: z.array(freezeSchema) }),
        },
        403: NOT_ALLOWED,
      },
      async handle({ caller }) {
        const list = await freezes.list(caller)
        return { status: 200, body: { freezes: list.map(freezeFields) } }
      },
    }),
    operation({
      id: 'freeze',
      method: 'POST',
      path: '/v1/freezes',
      tag: 'freezes',
      summary: 'Stops every use at once: of everything, of one agent, of one person, of one grant.',
      body: z.object({
        target: z.string().default('all').describe('all, agent:ID, agent:local, user:ID, grant:ID'),
        reason: z.string().nullish(),
      }),
      answers: { 201: { description: 'Frozen.', schema: freezeSchema }, 403: NOT_ALLOWED },
      async handle({ caller, body }) {
        const frozen = await freezes.freeze(caller, targetFrom(body.target), body.reason ?? null)
        return { status: 201, body: freezeFields(frozen) }
      },
    }),
    operation({
      id: 'liftFreeze',
      method: 'DELETE',
      path: '/v1/freezes/{target}',
      tag: 'freezes',
      summary: 'Lifts a freeze: a person who signed in, never a key.',
      answers: {
        204: { description: 'Lifted.' },
        403: NOT_ALLOWED,
        404: { description: 'It is not frozen.' },
      },
      async handle({ caller, params }) {
        await freezes.lift(caller, targetFrom(params['target'] ?? ''))
        return { status: 204 }
      },
    }),
  ]
}

function targetFrom(text: string): FreezeTarget {
  if (text === 'all') return { kind: 'all' }
  if (text === 'agent:local') return { kind: 'agent', id: 'local' }
  const [, kind, id = ''] = /^(agent|user|grant):(.+)$/.exec(text) ?? []
  if (!isUuid(id))
    throw new Fault(
      'BAD_INPUT',
      'target must be all, agent:ID, agent:local, user:ID or grant:ID.',
      {
        details: { field: 'target' },
      },
    )
  if (kind === 'agent') return { kind, id: id as AgentId }
  return kind === 'user' ? { kind, id: id as UserId } : { kind: 'grant', id }
}

function freezeFields({ target, by, at, reason }: Freeze) {
  return {
    target: target.kind === 'all' ? 'all' : `${target.kind}:${target.id}`,
    reason,
    frozen_by: by,
    frozen_at: toIso(at),
  }
}
