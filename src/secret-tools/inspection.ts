import type { InspectionSwitches } from '../core/config.ts'
import { DEFAULT_SWITCHES } from '../core/config.ts'
import type { Caller } from '../core/principals.ts'
import type { InspectionNote } from '../core/vault-port.ts'
import type { Engine, InspectSettings } from '../inspect/index.ts'

/** Where a known value stands in a text. */
export interface KnownSpan {
  /** Path of the secret. */
  readonly path: string
  /** UTF-16 units. */
  readonly start: number
  readonly end: number
}

/** The values that one principal was given or entered. Nobody else's: asking would tell what others hold. */
export interface KnownValues {
  find(text: string): readonly KnownSpan[]
  /** The text with each of them replaced by a marker. */
  redact(text: string): string
}

/** How the calls of a server are inspected. */
export interface CallInspection {
  readonly switches: InspectionSwitches
  /**
   * What holds beyond the switches: detectors that are off, thresholds, the allow-list; from the widest to the
   * narrowest. Asked call by call, so that a change counts at once.
   */
  layersFor(
    caller: Caller,
    server: string,
    tool: string,
  ): Promise<readonly Partial<InspectSettings>[]>
  /** The engine with detectors that the person added; null, or without it: the built-in one. */
  engineNow?(): Promise<Engine | null>
  /** Where the person lets something through: the name of a file. Null when there is no such place. */
  readonly allowListFile: string | null
  knownValuesOf?(caller: Caller): Promise<KnownValues>
}

/** What holds where nobody said anything. */
export const PLAIN_INSPECTION: CallInspection = {
  switches: DEFAULT_SWITCHES,
  layersFor: async () => [],
  allowListFile: null,
}

/** Writes down what was seen. It rejects when it cannot, and the call is refused: any doubt denies. */
export type NoteInspection = (caller: Caller, note: InspectionNote) => Promise<void>
