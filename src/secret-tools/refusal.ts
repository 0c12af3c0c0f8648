import { FAULTS } from '../core/faults.ts'
import type { ToolAnswer } from '../mcp/index.ts'
import { KNOWN_VALUE, type Seen } from './seen.ts'

/** What is found over and over is told by detector. */
const MAX_SHOWN = 20

/**
 * The answer to a call that inspection refused: every finding that led to it, and how the person can allow it. It never
 * repeats what was found: the model would read it as part of the conversation.
 */
export function refusalOf(
  tool: string,
  blocking: readonly Seen[],
  allowListFile: string | null,
): ToolAnswer {
  const shown = blocking.slice(0, MAX_SHOWN)
  const message = 'Inspection refused this call; nothing was done.'
  const help = FAULTS.INSPECTION_REFUSED.help
  const lines = [
    message,
    ...shown.map(
      ({ detector, category, severity, place, start, end }) =>
        `- ${detector} (${category}, ${severity}) in '${place}', characters ${start} to ${end}`,
    ),
    ...restOf(blocking.slice(MAX_SHOWN)),
    howToAllow(tool, blocking, allowListFile),
  ]
  return {
    structured: {
      error: {
        code: 'INSPECTION_REFUSED',
        message,
        help,
        details: {
          tool,
          findings: shown.map(({ detector, category, severity, place, start, end }) => ({
            detector,
            category,
            severity,
            argument: place,
            start,
            end,
          })),
        },
      },
    },
    text: lines.join('\n'),
    isError: true,
  }
}

/** Findings beyond those that are shown one by one, by detector. */
function restOf(more: readonly Seen[]): readonly string[] {
  return [...Map.groupBy(more, ({ detector }) => detector)].map(
    ([detector, all]) => `- ${detector}: ${all.length} more`,
  )
}

function howToAllow(tool: string, blocking: readonly Seen[], allowListFile: string | null): string {
  const known = blocking.some((one) => one.detector === KNOWN_VALUE)
  const others = Map.groupBy(
    blocking.filter((one) => one.detector !== KNOWN_VALUE),
    ({ detector, path }) => `${detector}${path === null ? '' : ` --at '${path}'`}`,
  )
  const values =
    'A secret goes by its reference, secret://PATH, not by its value. To let values through, the person can set SALLYPORT_MCP_EXFIL_PROTECTION to warn.'
  if (others.size === 0) return values
  const how =
    allowListFile === null
      ? ['Say it without what was found, or ask the person.']
      : [
          `Say it without what was found. To allow it, the person can run (or write entries into ${allowListFile}):`,
          ...[...others.keys()].map(
            (what) =>
              `  sallyport inspection allow ${what} --tool ${tool} --reason 'why this is fine' --until 30d`,
          ),
        ]
  return [...how, ...(known ? [values] : [])].join('\n')
}
