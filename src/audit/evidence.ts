import type { KeyObject } from 'node:crypto'
import type { AuditEvidence, Checkpoint, ProofReport } from '../core/audit-evidence.ts'
import { Fault } from '../core/faults.ts'
import { checkpointOf, isSigned, parseCheckpoint, parsed, parsePublicKeys } from './checkpoint.ts'
import { ExportWalk, objectOf } from './export-walk.ts'
import { isConsistent, isIncluded } from './proofs.ts'
import { decodeRecord } from './record.ts'
import { leafHash } from './tree.ts'

type Members = Readonly<Record<string, unknown>>

const HASH = /^[0-9a-f]{64}$/

/** What needs no store: it is for people who keep copies, and trust whoever holds the store with nothing. */
export const auditEvidence: AuditEvidence = {
  async verifyExport(lines, checkpoints, publicKeys) {
    const keys = parsePublicKeys(publicKeys)
    const against = checkpoints.map(parseCheckpoint)
    const walk = new ExportWalk(against, keys)
    for await (const some of lines) for (const line of some) walk.line(line)
    return walk.end()
  },

  checkProof(text, publicKeys, against) {
    const keys = parsePublicKeys(publicKeys)
    const older = against === null ? null : parseCheckpoint(against)
    const proof = objectOf(parsed(text))
    if (proof?.['type'] === 'sallyport-inclusion-1') return checkInclusion(proof, keys)
    if (proof?.['type'] === 'sallyport-consistency-1') return checkConsistency(proof, keys, older)
    throw notAProof()
  },
}

function checkInclusion(value: Members, keys: readonly KeyObject[]): ProofReport {
  const { seq, record, proof, checkpoint: signed } = value
  const checkpoint = checkpointOf(signed)
  const hashes = hashesOf(proof)
  if (
    checkpoint === null ||
    hashes === null ||
    typeof seq !== 'number' ||
    typeof record !== 'string'
  )
    throw notAProof()
  if (!isSigned(checkpoint, keys)) return unsigned()
  const body = Buffer.from(record, 'utf8')
  const holds =
    decodeRecord(body)?.seq === seq &&
    isIncluded({
      leaf: leafHash(body),
      index: seq - 1,
      size: checkpoint.size,
      proof: hashes,
      root: Buffer.from(checkpoint.root, 'hex'),
    })
  return holds
    ? {
        ok: true,
        lines: [
          `Record ${seq} is one of the ${checkpoint.size} that were signed ${checkpoint.at}.`,
        ],
      }
    : { ok: false, lines: [`Record ${seq} is not in the tree that was signed ${checkpoint.at}.`] }
}

function checkConsistency(
  value: Members,
  keys: readonly KeyObject[],
  older: Checkpoint | null,
): ProofReport {
  const { first, proof, checkpoint: signed } = value
  const checkpoint = checkpointOf(signed)
  const hashes = hashesOf(proof)
  const before = firstOf(first)
  if (checkpoint === null || hashes === null || before === null) throw notAProof()
  if (!isSigned(checkpoint, keys) || (older !== null && !isSigned(older, keys))) return unsigned()
  if (older !== null && !(older.store === checkpoint.store && isSame(older, before)))
    return { ok: false, lines: ['The proof does not begin at the checkpoint that was given.'] }
  const holds = isConsistent({
    first: before.size,
    firstRoot: Buffer.from(before.root, 'hex'),
    second: checkpoint.size,
    secondRoot: Buffer.from(checkpoint.root, 'hex'),
    proof: hashes,
  })
  const trees = `the ${checkpoint.size} records that were signed ${checkpoint.at}`
  const whose = older === null ? '' : ` of the checkpoint of ${older.at}`
  return holds
    ? { ok: true, lines: [`The ${before.size} records${whose} are the first of ${trees}.`] }
    : { ok: false, lines: [`The ${before.size} records${whose} do not begin ${trees}.`] }
}

interface First {
  readonly size: number
  readonly root: string
}

function firstOf(value: unknown): First | null {
  const { size, root } = objectOf(value) ?? {}
  return typeof size === 'number' && typeof root === 'string' && HASH.test(root)
    ? { size, root }
    : null
}

function isSame(one: Checkpoint, other: First): boolean {
  return one.size === other.size && one.root === other.root
}

function hashesOf(value: unknown): readonly Buffer[] | null {
  if (!Array.isArray(value) || value.length > 200) return null
  const hashes: Buffer[] = []
  for (const one of value as readonly unknown[]) {
    if (typeof one !== 'string' || !HASH.test(one)) return null
    hashes.push(Buffer.from(one, 'hex'))
  }
  return hashes
}

function unsigned(): ProofReport {
  return { ok: false, lines: ['No key that was given signed the checkpoint.'] }
}

function notAProof(): Fault {
  return new Fault('BAD_INPUT', 'The proof is not one of Sallyport.')
}
