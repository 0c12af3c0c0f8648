import * as z from 'zod'
import type { EnrolmentPort, EnrolmentQuestion } from '../../core/enrolment-port.ts'
import { Fault } from '../../core/faults.ts'
import { SecretText } from '../../core/secret-text.ts'
import { toIso } from '../../core/time.ts'
import { enrolBody, enrolledSchema, enrolmentSchema } from '../contract/access.ts'
import { uuid } from '../contract/schemas.ts'
import { type Call, type Operation, operation } from '../operation.ts'
import { originOf } from '../origin.ts'

const MAX_POLL_CHARS = 4_000
const THROTTLED = { description: 'Too many from this address, for this e-mail, or at all.' }

export interface EnrolmentRouteParts {
  readonly enrolments: () => Promise<EnrolmentPort>
  /** Page on which a person decides, where the server knows its own address. */
  readonly approvalUrl: (id: string) => string | null
}

/** Agents that have no credential yet and ask for one. */
export function enrolmentOperations(parts: EnrolmentRouteParts): readonly Operation[] {
  return [
    operation({
      id: 'enrollAgent',
      method: 'POST',
      path: '/v1/agents/enroll',
      tag: 'agents',
      summary: 'Asks people to let an agent in. It may do nothing until a policy says so.',
      isPublic: true,
      body: enrolBody,
      answers: {
        201: { description: 'A person is asked.', schema: enrolledSchema },
        429: THROTTLED,
      },
      async handle(call) {
        const { name, description = null, human_email: humanEmail = null } = call.body
        const enrolments = await parts.enrolments()
        const request = { name, description, humanEmail }
        const asked = await enrolments.ask(request, originOf(call))
        const { agentId, approvalId, code, token } = asked
        try {
          return {
            status: 201,
            body: {
              agent_id: agentId,
              message: `A person has to approve this, who should see the code ${code}. Then fetch the key.`,
              approval_url: parts.approvalUrl(approvalId) ?? `${call.site}/approvals/${approvalId}`,
              approval_id: approvalId,
              code,
              poll_token: pollTokenOf({ ...request, agentId }, token),
              expires_at: toIso(asked.expiresAt),
            },
          }
        } finally {
          token.wipe()
        }
      },
    }),
    operation({
      id: 'getEnrollment',
      method: 'GET',
      path: '/v1/agents/enroll/{agent}/status',
      tag: 'agents',
      summary: 'What became of it; with the first yes, the key.',
      authenticates: 'itself',
      query: z.object({
        poll: z
          .string()
          .max(MAX_POLL_CHARS)
          .optional()
          .describe('poll_token, where it is no bearer.'),
      }),
      answers: {
        200: { description: 'How it stands.', schema: enrolmentSchema },
        404: { description: 'There is none, or it is over.' },
        429: THROTTLED,
      },
      handle: (call) => state(parts, call),
    }),
  ]
}

async function state(
  parts: EnrolmentRouteParts,
  call: Call<{ readonly poll?: string | undefined }>,
) {
  const agentId = call.params['agent'] ?? ''
  const shown = readPollToken(call.bearer ?? call.query.poll ?? '')
  if (shown === null || shown.question.agentId !== agentId)
    throw new Fault('NOT_FOUND', 'There is no such enrolment, or it is over.')
  const { question, token } = shown
  const found = await (await parts.enrolments()).collect(question, token, originOf(call))
  const { status } = found
  if (found.status !== 'approved') return { status: 200, body: { status, agent_id: agentId } }
  try {
    const vault_ids = found.agent.vaultIds ?? []
    const api_key = found.key.reveal()
    return { status: 200, body: { status, agent_id: agentId, api_key, vault_ids } }
  } finally {
    found.key.wipe()
  }
}

/** It carries the question itself, so that nothing has to be stored until there is an answer. */
function pollTokenOf(question: EnrolmentQuestion, token: SecretText): string {
  const text = Buffer.from(JSON.stringify(question), 'utf8').toString('base64url')
  return `${token.reveal()}.${text}`
}

const questionSchema = z.object({
  agentId: uuid,
  name: z.string(),
  description: z.string().nullable(),
  humanEmail: z.string().nullable(),
})

function readPollToken(
  text: string,
): { readonly question: EnrolmentQuestion; readonly token: SecretText } | null {
  const [token = '', encoded = ''] = text.split('.')
  if (text.length > MAX_POLL_CHARS || token === '') return null
  try {
    const said: unknown = JSON.parse(Buffer.from(encoded, 'base64url').toString('utf8'))
    return { question: questionSchema.parse(said), token: SecretText.fromText(token) }
  } catch {
    return null
  }
}
