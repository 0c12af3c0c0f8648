import { createHash } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { Fault } from '../core/faults.ts'
import type { Log } from '../core/log.ts'
import { unreadFile } from '../core/unread-file.ts'
import { type PolicyProblem, warnedPolicyOf } from '../policy/tool-policy/index.ts'
import type { AppliedPolicy } from './applied-policies.ts'
import { type PipeWait, regularFile, wholeFile } from './policy-bytes.ts'
import { warnOf } from './policy-warnings.ts'

/** The file is looked at so often: by its path, so that it does not matter how it is replaced. */
const LOOK_MS = 500
/** So long nobody may have written to it before it is read: what is half written may be valid, and allow more. */
const SETTLED_MS = 250

/** A policy as it stands in a file. One that becomes invalid, or goes away, leaves the last valid one in place. */
export class PolicyFile {
  readonly #file: string
  readonly #log: Log
  #now: AppliedPolicy
  /** As the file stood before it was last read: what is saved from then on is found, also while it is being read. */
  #state: string | null
  /** As it was seen last. */
  #seen: string | null
  #timer: NodeJS.Timeout | null = null
  #isClosed = false
  /** Whether what stands in the file is not what holds. */
  #isBroken = false
  readonly #listeners = new Set<() => void>()

  private constructor(file: string, state: string | null, now: AppliedPolicy, log: Log) {
    this.#file = file
    this.#state = state
    this.#seen = state
    this.#now = now
    this.#log = log
    this.#lookLater()
  }

  /**
   * Whatever is there is read to its end, a pipe as well; from then on regular files only.
   *
   * @throws {Fault} `BAD_INPUT` when the file is not there or is no valid policy
   * @throws the reason of the signal
   */
  static async open(file: string, log: Log, wait: PipeWait): Promise<PolicyFile> {
    const state = await stateOf(file)
    const { applied, warnings } = await read(file, (path) => wholeFile(path, wait))
    wait.signal.throwIfAborted()
    warnOf(log, { file }, warnings)
    return new PolicyFile(file, state, applied, log)
  }

  now(): AppliedPolicy {
    return this.#now
  }

  /** Calls back when another text holds. @returns ends it */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
    }
  }

  close(): void {
    this.#isClosed = true
    this.#listeners.clear()
    if (this.#timer !== null) clearTimeout(this.#timer)
  }

  #lookLater(): void {
    if (this.#isClosed) return
    const inMs = this.#seen === this.#state ? LOOK_MS : SETTLED_MS
    this.#timer = setTimeout(() => void this.#look(), inMs).unref()
  }

  async #look(): Promise<void> {
    const state = await stateOf(this.#file)
    const isSettled = state === this.#seen
    this.#seen = state
    if (isSettled && state !== this.#state) await this.#readAgain(state)
    this.#lookLater()
  }

  /** @param state as it stood before it is read: one that is written to meanwhile is read another time */
  async #readAgain(state: string | null): Promise<void> {
    const found = await read(this.#file, regularFile).catch((error: unknown) => ({ error }))
    this.#seen = await stateOf(this.#file)
    if (this.#seen !== state) return
    this.#state = state
    if ('error' in found) {
      this.#isBroken = true
      const reason = found.error instanceof Fault ? found.error.message : 'it cannot be read'
      this.#log.error('the policy was changed and is not valid: the last one stays in force', {
        reason,
      })
      return
    }
    const { applied: now, warnings } = found
    const isMended = this.#isBroken
    this.#isBroken = false
    if (now.revision === this.#now.revision) {
      if (isMended) this.#log.info('the policy is the one in force again', { file: this.#file })
      return
    }
    this.#now = now
    for (const listener of this.#listeners) listener()
    this.#log.info('the policy was read anew', { file: this.#file, revision: now.revision })
    warnOf(this.#log, { file: this.#file }, warnings)
  }
}

/** Other than before when the file may hold another text; null when it is not there. */
async function stateOf(file: string): Promise<string | null> {
  try {
    const found = await stat(file, { bigint: true })
    const { dev, ino, size, mtimeNs, ctimeNs } = found
    // What was read from a pipe is not there a second time, and its times change as it is read.
    return found.isFile() ? `${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs}` : `${dev} ${ino}`
  } catch {
    return null
  }
}

async function read(
  file: string,
  bytesOf: (file: string) => Promise<Buffer | null>,
): Promise<{ readonly applied: AppliedPolicy; readonly warnings: readonly PolicyProblem[] }> {
  let bytes: Buffer | null
  try {
    bytes = await bytesOf(file)
  } catch (cause) {
    if (cause instanceof Fault) throw cause
    throw new Fault('BAD_INPUT', unreadFile(file, cause), {
      cause,
      details: { field: '--policy' },
    })
  }
  if (bytes === null)
    throw new Fault('BAD_INPUT', `The file '${file}' cannot be read: it is no regular file.`, {
      details: { field: '--policy' },
    })
  const { policy, warnings } = await warnedPolicyOf(file, bytes)
  const revision = createHash('sha256').update(bytes).digest('hex').slice(0, 16)
  return { applied: { name: file, policy, revision }, warnings }
}
