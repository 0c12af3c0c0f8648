import { systemClock, toIso } from '../../core/time.ts'
import { command } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { type DetectorTally, tallied } from '../inspection-tally.ts'
import { momentOption } from '../options.ts'
import { instant, table } from '../text.ts'

type Deps = Pick<CliDeps, 'audit'>

export const inspectionReport = command({
  name: 'inspection report',
  summary: 'What inspection refused, or would have, by detector.',
  about: [
    'Made from the audit, which holds detectors and places and never a text. A call counts once for each detector: ' +
      'refused; would be refused, had the mode been block; changed, cleaned and let through; allowed, by an entry of ' +
      'the allow-list; recorded, seen and let through.',
  ],
  arguments: [],
  options: { since: { summary: 'how far back, such as 7d; 30d without', value: 'TIME' } },
  examples: [['sallyport inspection report --since 7d', 'after a week in mode log_only']],
  async run(args, io, deps: Deps) {
    const since = momentOption('--since', args.since ?? '30d', 'ago', systemClock())
    const detectors = await tallied(await deps.audit(), since)
    await io.answer(
      {
        since: toIso(since),
        detectors: detectors.map((one) => ({
          detector: one.detector,
          refused: one.refused,
          would_refuse: one.wouldRefuse,
          changed: one.changed,
          allowed: one.allowed,
          recorded: one.recorded,
          modes: one.modes,
          tools: one.tools,
          last_at: toIso(one.lastAt),
        })),
      },
      () =>
        detectors.length === 0
          ? `Nothing was found since ${instant(since)}.`
          : [table(HEADER, detectors.map(rowOf), io.stdout), ...advice(detectors)].join('\n'),
    )
  },
})

const HEADER = [
  'DETECTOR',
  'REFUSED',
  'WOULD BE',
  'CHANGED',
  'ALLOWED',
  'RECORDED',
  'MODE',
  'LAST SEEN',
  'TOOLS',
]

function rowOf(one: DetectorTally): readonly string[] {
  const counts = [one.refused, one.wouldRefuse, one.changed, one.allowed, one.recorded]
  return [
    one.detector,
    ...counts.map((count) => (count === 0 ? '-' : String(count))),
    one.modes.join(', '),
    instant(one.lastAt),
    one.tools.join(', '),
  ]
}

/** Has no entry in an allow-list: secrets are let through by a setting. */
const KNOWN_VALUE = 'known-value'

/** How to let the worst one through, as a line to paste. */
function advice(detectors: readonly DetectorTally[]): readonly string[] {
  const stopped = detectors.filter(({ refused, wouldRefuse }) => refused + wouldRefuse > 0)
  const worst = stopped.find(({ detector }) => detector !== KNOWN_VALUE)
  const [tool] = worst?.tools ?? []
  return [
    ...(worst === undefined
      ? []
      : [
          '',
          'Was one of them wrong? For one tool and a while, by you alone:',
          `  sallyport inspection allow ${worst.detector}${tool === undefined ? '' : ` --tool ${tool}`} --reason 'why this is fine' --until 30d`,
        ]),
    ...(stopped.some(({ detector }) => detector === KNOWN_VALUE)
      ? [
          '',
          `${KNOWN_VALUE} is a secret in an argument: SALLYPORT_MCP_EXFIL_PROTECTION says what happens.`,
        ]
      : []),
  ]
}
