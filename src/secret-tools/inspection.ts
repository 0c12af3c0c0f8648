import type { InspectionSwitches } from '../core/config.ts'
import { DEFAULT_SWITCHES } from '../core/config.ts'
import type { KnownTexts } from '../core/known-texts.ts'
import type { Caller } from '../core/principals.ts'
import type { InspectionNote } from '../core/vault-port.ts'
import type { Engine, InspectSettings } from '../inspect/index.ts'

/** The values that one principal was given or entered. Nobody else's: asking would tell what others hold. */
export type KnownValues = KnownTexts

/** What holds for one call. */
export interface CallRules {
  /** Detectors that are off, thresholds, the allow-list; from the widest to the narrowest. */
  readonly layers: readonly Partial<InspectSettings>[]
  /** With the detectors that the person added; null is the built-in one. */
  readonly engine: Engine | null
}

const NO_RULES: CallRules = { layers: [], engine: null }

/** How the calls of a server are inspected. */
export interface CallInspection {
  readonly switches: InspectionSwitches
  /**
   * What holds beyond the switches. Asked call by call, so that a change counts at once; answered without a promise
   * where nothing changed.
   *
   * @throws {Fault} `BAD_INPUT` when it cannot be understood: then the call is refused
   */
  rulesFor(caller: Caller, server: string, tool: string): CallRules | Promise<CallRules>
  /** Where the person lets something through: the name of a file. Null when there is no such place. */
  readonly allowListFile: string | null
  knownValuesOf?(caller: Caller): KnownValues | Promise<KnownValues>
}

/** What holds where nobody said anything. */
export const PLAIN_INSPECTION: CallInspection = {
  switches: DEFAULT_SWITCHES,
  rulesFor: async () => NO_RULES,
  allowListFile: null,
}

/** Writes down what was seen. It rejects when it cannot, and the call is refused: any doubt denies. */
export type NoteInspection = (caller: Caller, note: InspectionNote) => Promise<void>
