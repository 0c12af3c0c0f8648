import type { KeyObject } from 'node:crypto'
import type { AuditFinding } from '../core/admin-port.ts'
import type {
  AuditEvidence,
  CheckedCheckpoint,
  Checkpoint,
  ExportReport,
  ProofReport,
} from '../core/audit-evidence.ts'
import { Fault } from '../core/faults.ts'
import { checkpointOf, isSigned, parseCheckpoint, parsed, parsePublicKeys } from './checkpoint.ts'
import { isConsistent, isIncluded } from './proofs.ts'
import { decodeRecord } from './record.ts'
import { Frontier, leafHash } from './tree.ts'

/** More findings than this say nothing new. */
const MAX_FINDINGS = 100
const HASH = /^[0-9a-f]{64}$/

/** What needs no store: it is for people who keep copies, and trust whoever holds the store with nothing. */
export const auditEvidence: AuditEvidence = {
  async verifyExport(lines, checkpoints, publicKeys) {
    const keys = parsePublicKeys(publicKeys)
    const against = checkpoints.map(parseCheckpoint)
    const walk = new ExportWalk(against)
    for await (const some of lines) for (const line of some) walk.line(line)
    return walk.end(keys)
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

class ExportWalk {
  readonly #against: readonly Checkpoint[]
  readonly #roots = new Map<number, string>()
  readonly #findings: AuditFinding[] = []
  readonly #tree = new Frontier()
  #next = 1
  #head: Members | string | null = null
  /** The tree when it had the size that the export's own head names. */
  readonly #packed = new Map<number, string>()

  constructor(against: readonly Checkpoint[]) {
    this.#against = against
    this.#note()
  }

  line(text: string | null): void {
    if (text === '') return
    const value = text === null ? null : objectOf(parsed(text))
    if (value === null) {
      this.#found('line-unreadable', `the line after record ${this.#next - 1} cannot be read`, null)
      return
    }
    if ('head' in value) this.#head = headOf(value['head'])
    else this.#record(value)
  }

  #record({ seq, body }: Members): void {
    if (typeof seq !== 'number' || typeof body !== 'string') {
      this.#found('line-unreadable', `the line after record ${this.#next - 1} is no record`, null)
      return
    }
    if (this.#head !== null) this.#found('record-added', `record ${seq} stands after the end`, seq)
    if (seq !== this.#next)
      this.#found('record-missing', `records ${this.#next} to ${seq - 1} are not there`, seq)
    this.#next = seq + 1
    const bytes = Buffer.from(body, 'utf8')
    if (decodeRecord(bytes)?.seq !== seq)
      this.#found('record-changed', `record ${seq} stands in another record's place`, seq)
    this.#tree.append(leafHash(bytes))
    this.#note()
  }

  #note(): void {
    const { size } = this.#tree
    if (this.#against.some((one) => one.size === size))
      this.#roots.set(size, this.#tree.root().toString('hex'))
    // The head comes last. It says what the last records make, unless something is wrong.
    if (this.#packed.size > 4096) this.#packed.delete(this.#packed.keys().next().value ?? 0)
    this.#packed.set(size, this.#tree.pack().toString('hex'))
  }

  end(keys: readonly KeyObject[]): ExportReport {
    this.#checkHead()
    const checkpoints = this.#against.map((one) => this.#checked(one, keys))
    return {
      ok: this.#findings.length === 0,
      size: this.#tree.size,
      root: this.#tree.root().toString('hex'),
      checkpoints,
      findings: this.#findings,
    }
  }

  #checkHead(): void {
    const head = this.#head
    if (head === null) {
      this.#found('export-cut', 'the export does not end with its head: it was cut', null)
      return
    }
    if (typeof head === 'string') {
      this.#found(`head-${head}`, `when this was exported, the head was ${head}`, null)
      return
    }
    const { store, size, frontier } = head
    if (typeof size !== 'number' || size > this.#tree.size)
      this.#found(
        'tail-cut',
        `its head saw ${String(size)} records, ${this.#tree.size} are there`,
        null,
      )
    else if (this.#packed.get(size) !== frontier)
      this.#found('history-changed', `its first ${size} records are not those of its head`, null)
    for (const one of this.#against)
      if (one.store !== store)
        this.#found('other-store', `the checkpoint of ${one.at} is of another store`, null)
  }

  #checked(one: Checkpoint, keys: readonly KeyObject[]): CheckedCheckpoint {
    const before = this.#findings.length
    if (!isSigned(one, keys))
      this.#found('checkpoint-unsigned', `no key signed the checkpoint of ${one.at}`, null)
    const root = this.#roots.get(one.size)
    if (root === undefined)
      this.#found(
        'tail-cut',
        `the checkpoint of ${one.at} saw ${one.size} records, ${this.#tree.size} are there`,
        null,
      )
    else if (root !== one.root)
      this.#found(
        'history-changed',
        `the first ${one.size} records are not those that the checkpoint of ${one.at} signed`,
        null,
      )
    const { size, at } = one
    return { size, at, holds: this.#findings.length === before }
  }

  #found(kind: string, detail: string, seq: number | null): void {
    if (this.#findings.length < MAX_FINDINGS) this.#findings.push({ kind, detail, seq })
  }
}

type Members = Readonly<Record<string, unknown>>

function objectOf(value: unknown): Members | null {
  return typeof value === 'object' && value !== null ? (value as Members) : null
}

function headOf(value: unknown): Members | string {
  return objectOf(value) ?? (value === 'missing' ? 'missing' : 'invalid')
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
