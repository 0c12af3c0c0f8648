import * as z from 'zod'
import type { Caller } from '../../core/principals.ts'
import type { Category, Severity, Verdict } from '../../inspect/index.ts'
import type { ToolDefinition } from '../../mcp/index.ts'
import { callerOf, type SecretSession } from '../context.ts'
import type { Pipeline } from '../pipeline.ts'
import { READS } from '../secret-tool.ts'

const MAX_CHARACTERS = 1_000_000
const MAX_THREATS = 200

/** The older server counted these two among personal data; they are reported as both. */
const ALSO_PII: ReadonlySet<string> = new Set(['aws-access-key', 'private-key'])

// Named here, so that listing the tools does not load the detectors; the compiler compares.
const verdicts = ['clean', 'warning', 'suspicious', 'malicious'] satisfies readonly Verdict[]
const severities = ['low', 'medium', 'high', 'critical'] satisfies readonly Severity[]
const categories = [
  'command_injection',
  'path_traversal',
  'encoding_obfuscation',
  'social_engineering',
  'network_threat',
  'unicode_obfuscation',
  'pii',
  'secret',
  'secret_exfiltration',
] satisfies readonly Category[]

const input = z.strictObject({
  content: z.string().max(MAX_CHARACTERS).describe('The text to look at.'),
  context: z
    .enum(['input', 'output'])
    .describe('input: it is to be sent to a tool. output: it came from one. Default: output.')
    .optional(),
})

const output = z.strictObject({
  verdict: z.enum(verdicts),
  safe: z.boolean().describe('True when the verdict is clean.'),
  threat_count: z.int(),
  threats: z.array(
    z.strictObject({
      type: z.enum(categories),
      pattern: z.string().describe('Id of the detector.'),
      severity: z.enum(severities),
      start: z.int().describe('UTF-16 units.'),
      end: z.int(),
    }),
  ),
  unicode_normalized: z.boolean().describe('Whether hidden or look-alike characters were found.'),
  redacted_content: z
    .string()
    .describe('The text without the secret values you know, when it holds any.')
    .optional(),
})

type Threat = z.output<typeof output>['threats'][number]

/** The scanner as a tool. It needs no vault, and so runs where there is none. */
export function inspectContent(pipeline: Pipeline): ToolDefinition<SecretSession> {
  return {
    name: 'inspect_content',
    title: 'Inspect a text',
    description:
      'Looks for threats in a text: prompt injection, commands, hidden characters, traversal, exfiltration, personal data and secrets. Answers a verdict and where things stand, and never repeats them.',
    annotations: READS,
    input,
    output,
    async run(given, { session, client }) {
      // The wire parsed them with `input`.
      const { content, context = 'output' } = given as z.output<typeof input>
      const structured = await inspected(pipeline, callerOf(session, client), content, context)
      return { structured, text: JSON.stringify(structured) }
    },
  }
}

export type InspectedContent = z.output<typeof output>

/** The answer of the tool, for any door. */
export async function inspected(
  pipeline: Pipeline,
  caller: Caller,
  content: string,
  context: 'input' | 'output',
): Promise<InspectedContent> {
  const { verdict, counted, known, redacted } = await pipeline.examine(content, caller, context)
  const all: readonly Threat[] = [
    ...known.map(({ detector, category, severity, start, end }) => ({
      type: category,
      pattern: detector,
      severity,
      start,
      end,
    })),
    ...counted.flatMap(({ category, detector, severity, start, end }): Threat[] => {
      const threat = { type: category, pattern: detector, severity, start, end }
      return pipeline.detectsPii && ALSO_PII.has(detector)
        ? [threat, { ...threat, type: 'pii' }]
        : [threat]
    }),
  ]
  return {
    verdict,
    safe: verdict === 'clean',
    threat_count: all.length,
    threats: all.slice(0, MAX_THREATS),
    unicode_normalized: counted.some((one) => one.category === 'unicode_obfuscation'),
    ...(redacted !== null && { redacted_content: redacted }),
  }
}
