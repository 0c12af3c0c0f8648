import { createHmac, createSecretKey } from 'node:crypto'
import type { Settled } from '../audit/index.ts'
import type { Db, Tx } from '../core/db-port.ts'
import { principalName } from '../core/principals.ts'
import type { SecretText } from '../core/secret-text.ts'
import { type EpochMs, epochMs } from '../core/time.ts'
import type { SecretType } from '../core/vault-port.ts'
import { type FingerprintKey, fingerprintKey } from '../inspect/index.ts'
import type { StoreKeys } from '../keys/index.ts'
import { fingerprintParts } from './fingerprint-parts.ts'
import {
  bumpKnown,
  endVersion,
  forgetEnded,
  insertFingerprints,
  isRedactable,
  saveKnown,
  saveRemembered,
  type VersionName,
} from './fingerprints-repository.ts'
import type { ReadRequest, SpentRead } from './read-lane.ts'

/** How long what is known of a value stays after its version was replaced, deleted or destroyed. */
export const KEPT_MS = 30 * 24 * 3_600_000

/** What was noted is noted again after an hour: it moves the time from which a replaced version is forgotten. */
const NOTED_MS = 3_600_000
const FORGET_EVERY_MS = 3_600_000

/** A version that was just stored. */
interface Stored {
  readonly principal: string
  readonly place: VersionName
  /** The version that it takes the place of. */
  readonly replaced: number | null
  readonly value: SecretText
  readonly type: SecretType
  /** Fingerprints are kept of a value that can be guessed, too. */
  readonly rememberWeak: boolean
  readonly at: EpochMs
}

/**
 * Writes what is remembered of values, beside their versions: fingerprints once for each version, when it is stored or
 * first given out, and who knows it, in the transaction that gives it out. Holds no value.
 */
export class Fingerprints {
  readonly key: FingerprintKey
  /** Versions that a principal was given by this process within the hour, as rows say that are committed. */
  readonly #noted = new Map<string, Map<string, number>>()
  #notedSince: EpochMs = epochMs(0)
  #forgotAt: EpochMs = epochMs(0)

  constructor(key: FingerprintKey) {
    this.key = key
  }

  static async open(db: Db, keys: StoreKeys): Promise<Fingerprints> {
    const { key } = await db.read((reader) => keys.active(reader, 'fingerprint'))
    // As an object: of bytes, each HMAC makes one anew, which takes five times what the HMAC does.
    const secret = createSecretKey(key)
    // Not MacKey: what was signed last would stay in its buffer.
    return new Fingerprints(
      fingerprintKey((message) => createHmac('sha256', secret).update(message).digest()),
    )
  }

  /**
   * A new version was stored: whoever stored it knows its value.
   *
   * @returns whether redaction will recognise the value
   */
  async stored(tx: Tx, stored: Stored): Promise<boolean> {
    const { principal, place, replaced, value, type, at } = stored
    if (replaced !== null) await endVersion(tx, { ...place, version: replaced }, at)
    const isRecognised = await this.#remember(tx, place, value, type, stored.rememberWeak)
    await saveKnown(tx, principal, place, at)
    if (at - this.#forgotAt >= FORGET_EVERY_MS) {
      await forgetEnded(tx, epochMs(at - KEPT_MS))
      this.#forgotAt = at
    }
    await bumpKnown(tx)
    return isRecognised
  }

  /** Notes, for all reads of a batch, who is given which version; asks the store only for those that are new. */
  async released(
    tx: Tx,
    members: readonly ReadRequest[],
    outcomes: readonly Settled<SpentRead>[],
    at: EpochMs,
  ): Promise<void> {
    if (at - this.#notedSince >= NOTED_MS || at < this.#notedSince) {
      this.#noted.clear()
      this.#notedSince = at
    }
    let written: Set<string> | null = null
    for (const [index, outcome] of outcomes.entries()) {
      const member = members[index]
      if (member === undefined || !('value' in outcome)) continue
      // A guest asks for nothing that would have to be redacted.
      if (member.caller.principal.kind === 'guest') continue
      const principal = principalName(member.caller.principal)
      const { place } = outcome.value
      if (this.isNoted(principal, place)) continue
      written ??= new Set()
      const id = `${principal}/${place.secretId}/${place.version}`
      if (written.has(id)) continue
      written.add(id)
      await saveKnown(tx, principal, place, at)
    }
    if (written !== null) await bumpKnown(tx)
  }

  /** Whether a committed row says that the principal knows the version, as far as this process remembers. */
  isNoted(principal: string, { secretId, version }: VersionName): boolean {
    return this.#noted.get(principal)?.get(secretId) === version
  }

  /** To be called once the transaction is committed, or it might never have been. */
  note(principal: string, { secretId, version }: VersionName): void {
    let own = this.#noted.get(principal)
    if (own === undefined) {
      own = new Map()
      this.#noted.set(principal, own)
    }
    own.set(secretId, version)
  }

  /** Versions that were stored before anything was remembered of values are looked at when they are first given out. */
  async remembered(
    tx: Tx,
    version: VersionName,
    value: SecretText,
    type: SecretType,
  ): Promise<boolean> {
    const known = await isRedactable(tx, version)
    if (known !== null) return known
    const isRecognised = await this.#remember(tx, version, value, type)
    await bumpKnown(tx)
    return isRecognised
  }

  async #remember(
    tx: Tx,
    version: VersionName,
    value: SecretText,
    type: SecretType,
    rememberWeak = false,
  ): Promise<boolean> {
    const least = rememberWeak ? { minGuessBits: 0 } : {}
    const { parts, guessBits } = fingerprintParts(this.key, value, type, least)
    const isRecognised = parts.every((prints) => prints.length > 0)
    await saveRemembered(tx, version, isRecognised, guessBits)
    await insertFingerprints(tx, version, parts)
    return isRecognised
  }
}
