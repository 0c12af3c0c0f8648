import * as z from 'zod'
import { instant, nullableInstant } from './schemas.ts'

const outcome = z.enum(['allowed', 'denied', 'hidden', 'approval', 'limited', 'withheld'])
const rule = z.string().nullable()

export const replayBody = z.strictObject({
  drafts: z
    .array(
      z.strictObject({
        name: z.string().max(200).optional().describe('Ends in .yaml where it is YAML.'),
        text: z.string().describe('The policy, as a file of one would hold it.'),
      }),
    )
    .min(1)
    .max(32)
    .describe('A call has to pass all of them.'),
  server: z.string().max(64).optional().describe('The calls of this server only.'),
  since: instant.optional().describe('A week ago if it is left out.'),
  show_arguments: z
    .boolean()
    .optional()
    .describe('What was recorded of arguments: for a session with a fresh proof.'),
})

const ofCalls = {
  server: z.string(),
  name: z.string().describe('Of the tool or the method.'),
  kind: z.enum(['tool', 'method']),
}
const change = {
  ...ofCalls,
  from: outcome,
  to: outcome,
  was: rule.describe('What decided then.'),
  rule: rule.describe('What would decide.'),
  argument_names: z.array(z.string()),
}
const seen = { count: z.int(), first_at: instant, last_at: instant }

export const replaySchema = z
  .object({
    since: instant,
    first_at: nullableInstant.describe('Of the calls that were compared.'),
    servers: z.array(z.string()),
    compared: z.int(),
    changed: z.int(),
    undecidable: z.int(),
    not_recorded: z.int().describe('Calls that could not be recorded.'),
    changes: z.array(z.object({ ...change, ...seen })),
    undecided: z.array(
      z.object({
        ...ofCalls,
        ...seen,
        hangs_on: z.array(z.string()).describe('Places of values that are not recorded.'),
      }),
    ),
    calls: z
      .array(
        z.object({
          ...change,
          at: instant,
          principal: z.string(),
          client: z.string().nullable(),
          arguments: z.unknown().optional(),
        }),
      )
      .describe('The first 1,000 that would end otherwise.'),
  })
  .meta({ id: 'PolicyReplay' })
