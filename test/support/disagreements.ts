import { isDeepStrictEqual } from 'node:util'
import { judgedParams, readFrame } from '../../src/mcp/wire/index.ts'
import { findIn, parseSubjectPath } from '../../src/policy/tool-policy/subject-path.ts'
import { READERS, type Written, written } from './careless-readers.ts'

const ENVELOPE = ['jsonrpc', 'id', 'method', 'params', 'result', 'error']
const PARAMETERS = ['name', 'arguments', 'uri', '_meta']

function agree(object: Written | undefined, name: string): boolean {
  const last = READERS.last(object, name)
  return (
    isDeepStrictEqual(READERS.first(object, name), last) &&
    isDeepStrictEqual(READERS.folding(object, name), last)
  )
}

/**
 * What another reader makes of a frame that ours forwards, where it makes something else of it.
 *
 * @returns null when all agree, or ours refuses it; else what they disagree on
 */
export function disagreement(frame: string): string | null {
  const read = readFrame(Buffer.from(frame))
  if (read.kind === 'refused') return null
  const envelope = written(read.text)
  for (const name of ENVELOPE) if (!agree(envelope, name)) return name
  if (read.text !== frame.toWellFormed()) return 'the bytes'
  if (read.kind === 'response') return null
  const judged = judgedParams(read)
  if ('refused' in judged) return null
  for (const name of PARAMETERS)
    if (!agree(READERS.last(envelope, 'params'), name)) return `params.${name}`
  const args = READERS.last(READERS.last(envelope, 'params'), 'arguments')
  return PATHS.find((path) => isTaken(judged.params['arguments'], args, path)) ?? null
}

const PATHS = ['args.amount', 'args.to.kind', 'args.skip', 'args.to', 'args.arguments.id']

/** Whether a policy is sure of what stands at a path, and another reader finds something else there. */
function isTaken(args: unknown, read: Written | undefined, text: string): boolean {
  const path = parseSubjectPath(text, 'call')
  if (typeof path === 'string' || findIn(args, path.steps, path.isPointer) === 'doubt') return false
  const [last, ...others] = Object.values(READERS).map((lookup) => path.steps.reduce(lookup, read))
  return others.some((other) => !isDeepStrictEqual(other, last))
}
