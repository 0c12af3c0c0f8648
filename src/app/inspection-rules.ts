import { createHash } from 'node:crypto'
import { constants, statSync } from 'node:fs'
import { open } from 'node:fs/promises'
import type { ApprovedFile } from '../core/admin-port.ts'
import { Fault, isFault } from '../core/faults.ts'
import {
  DEFAULT_SETTINGS,
  type Detector,
  type Engine,
  engineWith,
  type InspectSettings,
  type Mode,
  mergeSettings,
  strictest,
} from '../inspect/index.ts'
import { layersOf, MAX_FILE_BYTES, NO_RULES, type Rules } from './call-layers.ts'

/** Asks what of a file the person approved. */
export type Approved = (file: string) => ApprovedFile | null | Promise<ApprovedFile | null>

/** The rules of the file as they count now. */
export interface CountingRules {
  /** How findings of one call are judged, where the switches say `mode`. */
  settingsFor(call: Parameters<typeof layersOf>[1], mode: Mode): InspectSettings
  /** Null: the built-in detectors are all there are. */
  readonly engine: Engine | null
  readonly detectors: readonly Detector[]
  /** Whether the file is as it was approved; a file that is not there is as long as nothing was. */
  readonly isApproved: boolean
  /** Changes when the file or its approval do. */
  readonly mark: string
}

/**
 * Reads the file again when it or its approval changed. Exactly what the person approved counts as it stands. Of any
 * other text only what is stricter than the approved one (or than the defaults) counts, and that at once: whoever can
 * write the file can tighten inspection, and only the person can loosen it.
 */
export function createRules(
  file: string,
  approvedNow: Approved,
): () => CountingRules | Promise<CountingRules> {
  let known: CountingRules | null = null
  let ofFileThen = ''
  let approvedThen: ApprovedFile | null = null
  const rulesOf = (
    ofFile: string,
    approved: ApprovedFile | null,
  ): CountingRules | Promise<CountingRules> =>
    known !== null && ofFile === ofFileThen && approved === approvedThen
      ? known
      : readAnew(ofFile, approved)
  async function readAnew(ofFile: string, approved: ApprovedFile | null): Promise<CountingRules> {
    const mark = `${ofFile}|${approved === null ? '' : approved.at}|${digestOf(approved?.text)}`
    if (known?.mark !== mark) known = await countingRules(file, approved, mark)
    ofFileThen = ofFile
    approvedThen = approved
    return known
  }
  return () => {
    const ofFile = markOf(file)
    const approved = approvedNow(file)
    return approved instanceof Promise
      ? approved.then((found) => rulesOf(ofFile, found))
      : rulesOf(ofFile, approved)
  }
}

async function countingRules(
  file: string,
  approved: ApprovedFile | null,
  mark: string,
): Promise<CountingRules> {
  const text = await textOf(file)
  const isApproved = text === (approved?.text ?? null)
  const now = text === null ? NO_RULES : await rulesIn(file, text)
  const before = isApproved ? now : await rulesBefore(file, approved)
  // What was approved keeps its id: another pattern under it could find less.
  const added = now.detectors.filter(({ id }) => !before.detectors.some((one) => one.id === id))
  const detectors = isApproved ? now.detectors : [...before.detectors, ...added]
  return {
    mark,
    isApproved,
    detectors,
    engine: detectors.length === 0 ? null : engineWith(detectors),
    settingsFor(call, mode) {
      const under = (rules: Rules): InspectSettings =>
        mergeSettings([{ ...DEFAULT_SETTINGS, mode }, ...layersOf(rules, call)])
      return isApproved ? under(now) : strictest(under(now), under(before))
    },
  }
}

/** Most have no file: what reads it is loaded when there is one. */
async function rulesIn(file: string, text: string): Promise<Rules> {
  const { readRules } = await import('./inspection-file.ts')
  return readRules(file, text)
}

/** What was approved may name what a newer version of the program no longer has: then it loosens nothing. */
async function rulesBefore(file: string, approved: ApprovedFile | null): Promise<Rules> {
  if (approved === null) return NO_RULES
  try {
    return await rulesIn(file, approved.text)
  } catch (error) {
    if (!isFault(error, 'BAD_INPUT')) throw error
    return NO_RULES
  }
}

/** The text of the file, or null when there is none. @throws {Fault} `BAD_INPUT` when it can't be read */
export async function textOf(file: string): Promise<string | null> {
  try {
    // A pipe would never end.
    const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK)
    try {
      const info = await handle.stat()
      if (!info.isFile()) throw unreadable(file)
      if (info.size > MAX_FILE_BYTES)
        throw new Fault(
          'BAD_INPUT',
          `The inspection file ${file}: is larger than ${MAX_FILE_BYTES} bytes.`,
          { details: { file } },
        )
      return await handle.readFile('utf8')
    } finally {
      await handle.close()
    }
  } catch (cause) {
    if (isFault(cause)) throw cause
    if (isMissing(cause)) return null
    throw unreadable(file, cause)
  }
}

/** Changes when the file does; empty when there is none. */
function markOf(file: string): string {
  try {
    // Asked for with every call: another thread would cost fifty times as much as the answer does.
    const found = statSync(file, { throwIfNoEntry: false })
    if (found === undefined) return ''
    const { ino, size, mtimeMs, ctimeMs } = found
    return [ino, size, mtimeMs, ctimeMs].join(' ')
  } catch (cause) {
    throw unreadable(file, cause)
  }
}

function isMissing(cause: unknown): boolean {
  return cause instanceof Error && 'code' in cause && cause.code === 'ENOENT'
}

function unreadable(file: string, cause?: unknown): Fault {
  return new Fault('BAD_INPUT', `The inspection file ${file} cannot be read.`, {
    details: { file },
    ...(cause !== undefined && { cause }),
  })
}

function digestOf(text: string | undefined): string {
  return text === undefined ? '' : createHash('sha256').update(text).digest('hex')
}
