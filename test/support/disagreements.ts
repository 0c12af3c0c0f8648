import { isDeepStrictEqual } from 'node:util'
import { judgedParams, readFrame } from '../../src/mcp/wire/index.ts'
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
  if ('refused' in judgedParams(read)) return null
  for (const name of PARAMETERS)
    if (!agree(READERS.last(envelope, 'params'), name)) return `params.${name}`
  return null
}
