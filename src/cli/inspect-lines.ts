import type { Io, Json } from './command.ts'
import type { InspectHow, Inspection, Verdict } from './deps.ts'

/** A longer line than any message that reaches an agent; memory is bounded by it. */
const MAX_LINE_BYTES = 64 * 1024 * 1024

interface Asked {
  readonly id: Json
  readonly text: string
  readonly how: InspectHow
}

/** What a line is instead of a question. */
interface Bad {
  readonly id: Json
  readonly message: string
}

export interface LinesInspected {
  /** How many lines could not be read. */
  readonly bad: number
  /** Those that occurred. */
  readonly verdicts: readonly Verdict[]
}

/** Exactly one line out for each line in, in the same order, however bad the line is. */
export async function inspectLines(
  io: Io,
  inspection: Inspection,
  how: InspectHow,
): Promise<LinesInspected> {
  const verdicts = new Set<Verdict>()
  let bad = 0
  for await (const lines of io.stdin.lines(MAX_LINE_BYTES)) {
    let out = ''
    for (const line of lines) {
      const asked = read(line, inspection.kinds, how)
      if ('message' in asked) {
        bad += 1
        const { id, message } = asked
        out += `${JSON.stringify({ id, error: { code: 'BAD_INPUT', message } })}\n`
        continue
      }
      const { verdict, blocked, findings, cleaned } = inspection.inspect(asked.text, asked.how)
      verdicts.add(verdict)
      const answer = { id: asked.id, verdict, blocked, findings }
      out += `${JSON.stringify(cleaned === null ? answer : { ...answer, cleaned })}\n`
    }
    // What came together is answered together: a program that asks line by line gets each answer at once.
    await io.stdout.write(out)
  }
  return { bad, verdicts: [...verdicts] }
}

/** Its messages repeat nothing of the line. */
function read(line: string | null, kinds: readonly string[], how: InspectHow): Asked | Bad {
  if (line === null)
    return { id: null, message: `The line is longer than ${MAX_LINE_BYTES} bytes.` }
  let parsed: unknown
  try {
    // Files that Windows wrote begin with a byte order mark.
    parsed = JSON.parse(line.startsWith('\ufeff') ? line.slice(1) : line)
  } catch {
    return { id: null, message: 'The line is not JSON.' }
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    return { id: null, message: 'The line is not a JSON object.' }
  const fields = new Map<string, unknown>(Object.entries(parsed))
  const id = idOf(fields.get('id'))
  if (id === undefined) return { id: null, message: "'id' must be a string or a number." }
  const text = fields.get('text')
  if (typeof text !== 'string') return { id, message: "'text' must be a string." }
  const kind = fields.get('kind') ?? how.kind
  if (kind !== null && !(typeof kind === 'string' && kinds.includes(kind)))
    return { id, message: `'kind' must be one of ${kinds.join(', ')}.` }
  const direction = fields.get('direction') ?? how.direction
  if (direction !== 'input' && direction !== 'output')
    return { id, message: "'direction' must be input or output." }
  return { id, text, how: { kind, mode: how.mode, direction } }
}

function idOf(id: unknown): Json | undefined {
  if (id === undefined || id === null) return null
  return typeof id === 'string' || typeof id === 'number' ? id : undefined
}
