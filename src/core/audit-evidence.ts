import type { AuditFinding } from './admin-port.ts'

/**
 * A statement on the audit tree, signed with the store's checkpoint key. Kept elsewhere, it contradicts every history
 * that does not begin with these records.
 */
export interface Checkpoint {
  readonly type: 'sallyport-checkpoint-1'
  readonly store: string
  /** How many records the tree has. */
  readonly size: number
  /** Root hash, hex, RFC 9162 section 2.1.1. */
  readonly root: string
  /** When it was signed, RFC 3339 in UTC. */
  readonly at: string
  readonly key_id: string
  /** Ed25519 over the six members above, each followed by a newline; base64url. */
  readonly signature: string
}

/** That one record stands in the tree of a checkpoint, without a word about the others. */
export interface InclusionProof {
  readonly type: 'sallyport-inclusion-1'
  /** From 1; the leaf's index is one less. */
  readonly seq: number
  /** The record's stored bytes as text. */
  readonly record: string
  /** Hashes, hex, RFC 9162 section 2.1.3. */
  readonly proof: readonly string[]
  readonly checkpoint: Checkpoint
}

/** That the tree of a checkpoint begins with the records of an earlier one. */
export interface ConsistencyProof {
  readonly type: 'sallyport-consistency-1'
  readonly first: { readonly size: number; readonly root: string }
  /** Hashes, hex, RFC 9162 section 2.1.4. */
  readonly proof: readonly string[]
  readonly checkpoint: Checkpoint
}

export interface CheckedCheckpoint {
  readonly size: number
  readonly at: string
  readonly holds: boolean
}

/** What an export says of itself and of the checkpoints that it was held against. */
export interface ExportReport {
  readonly ok: boolean
  /** The first record that it holds; 1 unless it is a sink's copy that begins later. */
  readonly first: number
  /** The last record that it holds. */
  readonly size: number
  /** Records 1 to this one are there as hashes alone: they were pruned. */
  readonly pruned: number
  /** Root hash of the tree, hex; empty when it could not be followed to the end. */
  readonly root: string
  /** The records that a checkpoint vouches for, if one does. */
  readonly proven: { readonly from: number; readonly to: number } | null
  /** How many checkpoints stood among the records of a sink's copy. */
  readonly stamps: number
  readonly checkpoints: readonly CheckedCheckpoint[]
  readonly findings: readonly AuditFinding[]
}

/** One sentence for each thing that a proof shows, or what is wrong with it. */
export interface ProofReport {
  readonly ok: boolean
  readonly lines: readonly string[]
}

/** What can be checked without the store: exports, checkpoints and proofs, with the public key alone. */
export interface AuditEvidence {
  /**
   * @param lines of an export; null for one that was too long to be read
   * @param publicKeys PEM, one block or more
   * @throws {Fault} `BAD_INPUT` for a checkpoint or key that is none
   */
  verifyExport(
    lines: AsyncIterable<readonly (string | null)[]>,
    checkpoints: readonly string[],
    publicKeys: string,
  ): Promise<ExportReport>
  /** @param against the text of a checkpoint that a consistency proof begins at */
  checkProof(proof: string, publicKeys: string, against: string | null): ProofReport
}
