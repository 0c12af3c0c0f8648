import { Fault } from '../../core/faults.ts'
import { parseInstant } from '../../core/time.ts'
import { command, type Json } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import type { PolicyAnswer, SeenCondition } from '../policy-tools.ts'
import { plural, visible } from '../text.ts'
import { readBytes } from '../text-files.ts'

type Deps = Pick<CliDeps, 'policyTools'>

export const policyExplain = command({
  name: 'policy explain',
  summary: 'Say what a policy makes of a call, and why.',
  about: [
    'The verdict and the rule that gives it, what each clause saw, and what the call would be counted as. Counts that were ' +
      'made are not looked at: a call is limited where no count lets it pass. Exit code 1 when the call is not allowed as it is. Opens no vault.',
  ],
  arguments: [
    { name: 'file', summary: 'the policy, JSON or YAML' },
    { name: 'tool', summary: 'the tool, or with --method the method' },
  ],
  options: {
    args: {
      summary: 'arguments of the call, or params of the method; {} if it is left out',
      value: 'JSON',
    },
    method: { summary: 'TOOL is a method: resources/read' },
    principal: { summary: 'who calls: agent:local, agent:ID, user:ID', value: 'NAME' },
    label: { summary: 'a label of the agent', value: 'LABEL', repeats: true },
    client: { summary: 'what the client calls itself', value: 'NAME' },
    at: { summary: 'when, as 2026-11-20T09:30:00Z; else now', value: 'TIME' },
    annotations: { summary: 'annotations of the tool; else they are not known', value: 'JSON' },
    class: { summary: 'class of the tool in a catalogue', value: 'CLASS' },
    result: { summary: "the server's result, to be judged as well", value: 'JSON' },
  },
  examples: [
    [`sallyport policy explain policy.json pay --args '{"amount":60}'`, 'why a payment is denied'],
    [
      `sallyport policy explain policy.yaml resources/read --method --args '{"uri":"file:///etc/passwd"}'`,
      'what holds for a resource',
    ],
  ],
  async run(args, io, deps: Deps) {
    const bytes = await readBytes('FILE', args.file)
    const answer = await (await deps.policyTools()).explained(args.file, bytes, {
      name: args.tool,
      isMethod: args.method,
      args: args.args ?? '{}',
      principal: args.principal ?? 'agent:local',
      labels: args.label,
      client: args.client ?? null,
      at: args.at === undefined ? null : instantOf(args.at),
      annotations: args.annotations ?? null,
      toolClass: args.class ?? null,
      result: args.result ?? null,
    })
    await io.answer(json(answer), () => textOf(args.tool, answer).map(visible).join('\n'))
    return answer.verdict === 'allowed' ? 0 : 1
  },
})

function instantOf(text: string) {
  const at = parseInstant(text)
  if (at !== null) return at
  throw new Fault('BAD_INPUT', '--at must be an instant such as 2026-11-20T09:30:00Z.', {
    details: { field: '--at' },
  })
}

function json({ verdict, rule, name, reason, shadow, ...more }: PolicyAnswer): Json {
  return {
    verdict,
    rule,
    name,
    reason,
    shadow:
      shadow === null
        ? null
        : { would_be: shadow.wouldBe, rule: shadow.rule, reason: shadow.reason },
    durable: more.isDurable,
    judges_result: more.judgesResult,
    recorded_seconds: more.recordSeconds,
    clauses: more.clauses.map((one) => ({ ...one, tests: one.tests.map(testJson) })),
    charges: more.charges.map((one) => ({ ...one })),
    as_unnamed: more.unnamed === null ? null : json(more.unnamed),
  }
}

function testJson({ shown, met, saw, within }: SeenCondition): Json {
  return { shown, met, saw, within: within.map(testJson) }
}

const HOUR = 3_600
const DAY = 24 * HOUR

const SAYS: Readonly<Record<PolicyAnswer['verdict'], string>> = {
  allowed: 'is allowed',
  denied: 'is denied',
  hidden: 'is hidden: answered as a tool that is not there',
  limited: 'does not fit in its limit, whatever was counted',
  approval: 'waits for a person',
  withheld: 'is allowed, and its answer is withheld',
}

const WOULD_BE = {
  denied: 'denied',
  limited: 'out of its limit',
  approval: 'waiting for a person',
} as const

function textOf(what: string, answer: PolicyAnswer): readonly string[] {
  const { verdict, rule, name, reason, shadow, charges, unnamed } = answer
  const lines = [`${what} ${SAYS[verdict]}.`]
  lines.push(`  by      ${rule}${name === null ? '' : ` (${name})`}`)
  if (reason !== null) lines.push(`  reason  ${reason}`)
  if (shadow !== null)
    lines.push(
      `  shadow  without it ${WOULD_BE[shadow.wouldBe]}, by ${shadow.rule}${shadow.reason === null ? '' : `: ${shadow.reason}`}`,
    )
  if (answer.isDurable) lines.push('  audit   durable before it is sent')
  const recorded = answer.recordSeconds ?? 0
  if (recorded > 0) lines.push(`  record  redacted and sealed, for ${spanOf(recorded)}`)
  for (const clause of answer.clauses) {
    lines.push(
      '',
      `${clause.pointer}${clause.name === null ? '' : ` (${clause.name})`}: ${metText(clause.met)}`,
    )
    for (const test of clause.tests) lines.push(...testLines(test, 1))
    if (clause.tests.length === 0) lines.push('  without conditions')
  }
  if (charges.length > 0) lines.push('', 'counted as')
  for (const { counter, amount, max, window, scope, algorithm, pointer } of charges)
    lines.push(
      `  ${amount} of ${max} in ${spanText(window)} (${algorithm}), '${counter}' by ${scope}: ${pointer}`,
    )
  if (unnamed !== null) lines.push('', ...textOf('As a tool that nothing names, it', unnamed))
  return lines
}

/** `an hour`, `90 seconds` */
function spanText(window: string): string {
  if (/^\d/.test(window)) return window
  return window === 'hour' ? 'an hour' : `a ${window}`
}

function spanOf(seconds: number): string {
  return seconds % DAY === 0 ? plural(seconds / DAY, 'day') : plural(seconds / HOUR, 'hour')
}

function testLines({ shown, met, saw, within }: SeenCondition, depth: number): readonly string[] {
  const indent = '  '.repeat(depth)
  return [
    `${indent}${shown}: ${metText(met)}${saw === null ? '' : `, saw ${saw}`}`,
    ...within.flatMap((one) => testLines(one, depth + 1)),
  ]
}

function metText(met: boolean | null): string {
  if (met === null) return 'in doubt'
  return met ? 'met' : 'not met'
}
