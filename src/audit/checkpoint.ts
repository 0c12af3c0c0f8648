import type { KeyObject } from 'node:crypto'
import type { Checkpoint } from '../core/audit-evidence.ts'
import { Fault } from '../core/faults.ts'
import { isUuid, type KeyId, type StoreId } from '../core/ids.ts'
import { type EpochMs, parseInstant, toIso } from '../core/time.ts'
import { ed25519Sign, ed25519Verify, publicKeysFromPem, type SigningPair } from '../crypto/index.ts'

const TYPE = 'sallyport-checkpoint-1'
const ROOT = /^[0-9a-f]{64}$/
const SIGNATURE = /^[\w-]{86}$/
const MAX_CHARACTERS = 4_096

export interface CheckpointKey {
  readonly id: KeyId
  readonly pair: SigningPair
}

export interface Statement {
  readonly storeId: StoreId
  readonly size: number
  readonly root: Uint8Array
  readonly at: EpochMs
}

export function signCheckpoint(key: CheckpointKey, statement: Statement): Checkpoint {
  const unsigned = {
    type: TYPE,
    store: statement.storeId,
    size: statement.size,
    root: Buffer.from(statement.root).toString('hex'),
    at: toIso(statement.at),
    key_id: key.id,
  } as const
  const signature = ed25519Sign(key.pair, signedBytes(unsigned)).toString('base64url')
  return { ...unsigned, signature }
}

/** Lines, so that it can be checked with a shell and openssl; no member holds a newline. */
function signedBytes({
  type,
  store,
  size,
  root,
  at,
  key_id,
}: Omit<Checkpoint, 'signature'>): Buffer {
  return Buffer.from(`${type}\n${store}\n${size}\n${root}\n${at}\n${key_id}\n`, 'utf8')
}

/** Whether one of the keys signed it. */
export function isSigned(checkpoint: Checkpoint, publicKeys: readonly KeyObject[]): boolean {
  const signature = Buffer.from(checkpoint.signature, 'base64url')
  return publicKeys.some((key) => ed25519Verify(key, signedBytes(checkpoint), signature))
}

/** A checkpoint, or the line in which a sink keeps it. @throws {Fault} `BAD_INPUT` when the text is neither */
export function parseCheckpoint(text: string): Checkpoint {
  const value = text.length > MAX_CHARACTERS ? null : parsed(text)
  const checkpoint = checkpointOf(
    typeof value === 'object' && value !== null && 'checkpoint' in value ? value.checkpoint : value,
  )
  if (checkpoint === null) throw new Fault('BAD_INPUT', 'The checkpoint is not one of Sallyport.')
  return checkpoint
}

/** @returns null when the value is no checkpoint; its signature is not looked at */
export function checkpointOf(value: unknown): Checkpoint | null {
  if (typeof value !== 'object' || value === null) return null
  const { type, store, size, root, at, key_id, signature } = value as Record<string, unknown>
  const isOne =
    type === TYPE &&
    typeof store === 'string' &&
    isUuid(store) &&
    typeof size === 'number' &&
    Number.isSafeInteger(size) &&
    size >= 0 &&
    typeof root === 'string' &&
    ROOT.test(root) &&
    typeof at === 'string' &&
    parseInstant(at) !== null &&
    typeof key_id === 'string' &&
    isUuid(key_id) &&
    typeof signature === 'string' &&
    SIGNATURE.test(signature)
  return isOne ? { type, store, size, root, at, key_id, signature } : null
}

/** @throws {Fault} `BAD_INPUT` when the text holds no Ed25519 public key */
export function parsePublicKeys(pem: string): readonly KeyObject[] {
  const keys = publicKeysFromPem(pem)
  if (keys.length === 0)
    throw new Fault('BAD_INPUT', 'The public key is not one: Ed25519 as PEM is expected.')
  return keys
}

export function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
