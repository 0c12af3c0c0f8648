import type { Db, Reader } from '../core/db-port.ts'
import { type Clock, epochMs } from '../core/time.ts'
import {
  type FingerprintKey,
  type KnownMatch,
  KnownValues,
  type Redacted,
  type RedactStream,
  type ValueName,
} from '../inspect/index.ts'
import { KEPT_MS } from './fingerprints.ts'
import {
  fingerprintsOfVersions,
  type KnownVersion,
  knownRevision,
  knownVersions,
} from './fingerprints-repository.ts'

/** What one principal knows, as of now: for one text or one stream. */
export interface PrincipalValues {
  scan(text: string): readonly KnownMatch[]
  redact(text: string): Redacted
  stream(): RedactStream
  /** The same for one message: what is limited is limited for all its texts together. */
  ofMessage(): Pick<PrincipalValues, 'scan' | 'redact'>
  /** How far from where a value begins to show what belongs to it may stand, in any encoding. UTF-16 units. */
  reach(): number
}

/** A principal's versions that are loaded, by secret and version, as of one revision of all that is known. */
interface Loaded {
  readonly versions: Map<string, LoadedVersion>
  readonly values: PrincipalValues
  revision: number
}

interface LoadedVersion extends ValueName {
  readonly isByLine: boolean
}

/** Commits come by the thousand; what they changed is looked up this much later, or when somebody asks. */
const LOOK_AFTER_MS = 200

/**
 * The values that principals know, whichever process of theirs was given them: loaded when a principal is first asked
 * for, then kept as the store has it. A change of this process counts for the next question, that of another within a
 * second.
 */
export class KnownTo {
  readonly #db: Db
  readonly #clock: Clock
  readonly #values: KnownValues
  readonly #loaded = new Map<string, Loaded>()
  #isStale = true
  #looking: Promise<void> | null = null
  #timer: NodeJS.Timeout | null = null
  #endWatch: (() => void) | null = null

  constructor(parts: { readonly db: Db; readonly clock: Clock; readonly key: FingerprintKey }) {
    this.#db = parts.db
    this.#clock = parts.clock
    this.#values = new KnownValues(parts.key)
  }

  /**
   * @param principal as `principalName` gives it
   * @returns at once where nothing can have changed
   * @throws {Fault} `STORE_UNAVAILABLE` and the like, when what is known cannot be read
   */
  of(principal: string): PrincipalValues | Promise<PrincipalValues> {
    this.#endWatch ??= this.#db.watch(() => this.#changed())
    let loaded = this.#loaded.get(principal)
    if (loaded === undefined) {
      loaded = { versions: new Map(), revision: -1, values: this.#valuesOf(principal) }
      this.#loaded.set(principal, loaded)
      this.#isStale = true
    }
    const { values } = loaded
    // What is being looked up is not known yet.
    const isAtHand = !this.#isStale && this.#looking === null
    return isAtHand ? values : this.#looked().then(() => values)
  }

  #valuesOf(principal: string): PrincipalValues {
    return {
      scan: (text) => this.#values.scan(principal, text),
      redact: (text) => this.#values.redact(principal, text),
      stream: () => this.#values.stream(principal),
      ofMessage: () => this.#values.ofMessage(principal),
      reach: () => this.#values.reach(principal),
    }
  }

  async #looked(): Promise<void> {
    do await this.#look()
    while (this.#isStale)
  }

  close(): void {
    this.#endWatch?.()
    this.#endWatch = null
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }

  #changed(): void {
    this.#isStale = true
    this.#timer ??= setTimeout(() => {
      this.#timer = null
      // Whoever asks next looks again, and is told what is wrong.
      if (this.#isStale) this.#look().catch(() => undefined)
    }, LOOK_AFTER_MS).unref()
  }

  #look(): Promise<void> {
    this.#looking ??= this.#load().finally(() => {
      this.#looking = null
    })
    return this.#looking
  }

  async #load(): Promise<void> {
    this.#isStale = false
    try {
      await this.#db.read(async (reader) => {
        const revision = await knownRevision(reader)
        for (const [principal, loaded] of this.#loaded) {
          if (loaded.revision === revision) continue
          await this.#update(reader, principal, loaded)
          loaded.revision = revision
        }
      })
    } catch (error) {
      this.#isStale = true
      throw error
    }
  }

  async #update(reader: Reader, principal: string, { versions }: Loaded): Promise<void> {
    const since = epochMs(this.#clock() - KEPT_MS)
    const known = await knownVersions(reader, principal, since)
    const now = new Set(known.map(idOf))
    for (const [id, { id: secretId, version }] of versions)
      if (!now.has(id)) {
        this.#values.forget(principal, secretId, version)
        versions.delete(id)
      }
    const added = known.filter((one) => versions.get(idOf(one))?.isByLine !== one.isByLine)
    if (added.length === 0) return
    for await (const [one, fingerprint] of fingerprintsOfVersions(reader, principal, added))
      this.#values.remember(principal, nameOf(one), [fingerprint])
    for (const one of added) versions.set(idOf(one), { ...nameOf(one), isByLine: one.isByLine })
  }
}

function idOf({ secretId, version }: KnownVersion): string {
  return `${secretId}/${version}`
}

function nameOf({ secretId, path, version }: KnownVersion): ValueName {
  return { id: secretId, path, version }
}
