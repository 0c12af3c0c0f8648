import type { ReplayPort, ReplayReport } from '../../core/replay-port.ts'
import { epochMs, systemClock, toIso } from '../../core/time.ts'
import { replayBody, replaySchema } from '../contract/replays.ts'
import { type Operation, operation } from '../operation.ts'
import { isoOrNull, optionalMoment } from './moments.ts'

const WEEK_MS = 7 * 86_400_000

/** @param open loaded by the first call that asks for it */
export function replayOperations(open: () => Promise<ReplayPort>): readonly Operation[] {
  return [
    operation({
      id: 'replayToolPolicies',
      method: 'POST',
      path: '/v1/gateway/replays',
      tag: 'gateway',
      summary: 'Tries drafts of policies on calls that were recorded. Changes nothing.',
      body: replayBody,
      withheld: ['calls'],
      answers: {
        200: { description: 'What would have ended otherwise.', schema: replaySchema },
        403: {
          description:
            'Only owners and admins may look; arguments are shown to a session with a fresh proof.',
        },
      },
      async handle({ caller, body }) {
        const report = await (await open()).replay(caller, {
          drafts: body.drafts.map(({ name = 'draft', text }) => ({
            name,
            text: Buffer.from(text, 'utf8'),
          })),
          server: body.server ?? null,
          since: optionalMoment('since', body.since) ?? epochMs(systemClock() - WEEK_MS),
          showsArguments: body.show_arguments === true,
        })
        return { status: 200, body: reportFields(report) }
      },
    }),
  ]
}

function reportFields(report: ReplayReport) {
  return {
    since: toIso(report.since),
    first_at: isoOrNull(report.first),
    servers: report.servers,
    compared: report.compared,
    changed: report.changed,
    undecidable: report.undecidable,
    not_recorded: report.lost,
    changes: report.changes.map((one) => ({ ...changeFields(one), ...seenFields(one) })),
    undecided: report.undecided.map((one) => ({
      ...ofCalls(one),
      ...seenFields(one),
      hangs_on: one.paths,
    })),
    calls: report.calls.map((one) => ({
      ...changeFields(one),
      at: toIso(one.at),
      principal: one.principal,
      client: one.client,
      ...('arguments' in one && { arguments: one.arguments }),
    })),
  }
}

type Change = ReplayReport['changes'][number]
type Doubt = ReplayReport['undecided'][number]
type Told = ReplayReport['calls'][number]

function ofCalls({ server, name, isMethod }: Pick<Doubt, 'server' | 'name' | 'isMethod'>) {
  return { server, name, kind: isMethod ? 'method' : 'tool' }
}

function changeFields(one: Change | Told) {
  const { from, to, was, rule, argumentNames } = one
  return { ...ofCalls(one), from, to, was, rule, argument_names: argumentNames }
}

function seenFields({ count, firstAt, lastAt }: Change | Doubt) {
  return { count, first_at: toIso(firstAt), last_at: toIso(lastAt) }
}
