import * as z from 'zod'
import type { CallerPort } from '../../core/identity-port.ts'
import type { Caller } from '../../core/principals.ts'
import { CATEGORIES, SEVERITIES, VERDICTS } from '../../inspect/index.ts'
import type { InspectedContent } from '../../secret-tools/index.ts'
import { type Operation, operation } from '../operation.ts'

export type InspectContent = (
  caller: Caller,
  content: string,
  context: 'input' | 'output',
) => Promise<InspectedContent>

const MAX_CHARACTERS = 1_000_000

const inspectedSchema = z
  .object({
    verdict: z.enum(VERDICTS),
    safe: z.boolean(),
    threat_count: z.int(),
    threats: z.array(
      z.object({
        type: z.enum(CATEGORIES),
        pattern: z.string().describe('Id of the detector.'),
        severity: z.enum(SEVERITIES),
        start: z.int().describe('UTF-16 units.'),
        end: z.int(),
      }),
    ),
    unicode_normalized: z.boolean().describe('Whether hidden or look-alike characters were found.'),
    redacted_content: z
      .string()
      .optional()
      .describe('The text without the secret values that the caller knows, when it holds any.'),
  })
  .meta({ id: 'InspectedContent' })

/** The engine for any text, under our name and under that of the older API. */
export function inspectionOperations(parts: {
  readonly callers: Pick<CallerPort, 'check'>
  readonly inspectContent: InspectContent
}): readonly Operation[] {
  const names = [
    ['inspect', '/v1/inspect'],
    ['inspectContent', '/v1/shroud/inspect-content'],
  ] as const
  return names.map(([id, path]) =>
    operation({
      id,
      method: 'POST',
      path,
      tag: 'inspection',
      summary: 'Looks for threats, secrets and personal data in a text, and never repeats them.',
      body: z.object({
        content: z.string().min(1).max(MAX_CHARACTERS),
        context: z
          .enum(['input', 'output'])
          .default('output')
          .describe('input: it is to be sent to a tool. output: it came from one.'),
      }),
      answers: { 200: { description: 'The verdict.', schema: inspectedSchema } },
      async handle({ caller, body }) {
        await parts.callers.check(caller)
        return {
          status: 200,
          body: await parts.inspectContent(caller, body.content, body.context),
        }
      },
    }),
  )
}
