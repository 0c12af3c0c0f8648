export { type EncodedRun, type FindEncoded, FOLD } from './decoder.ts'
export {
  DEFAULT_REACH,
  type Detector,
  type Hit,
  matchesOf,
  type Sample,
  type Scene,
} from './detector.ts'
export { detectors } from './detectors/index.ts'
export { createEngine, type Engine, type InspectContext, type Located } from './engine.ts'
export { ENGINE_FINDINGS, type EngineFinding } from './engine-findings.ts'
export { Expansions } from './expansions.ts'
export {
  CATEGORIES,
  type Category,
  type Finding,
  KINDS,
  type Kind,
  SEVERITIES,
  type Severity,
} from './finding.ts'
export {
  type Fingerprint,
  type FingerprintKey,
  fingerprintKey,
  fingerprintsOf,
  MIN_GUESS_BITS,
  PROOF_BYTES,
  type Remembered,
} from './fingerprint.ts'
export { builtInEngine, inspect } from './inspect.ts'
export { isKind, kindOfName, kindOfSchema } from './kinds.ts'
export type { KnownMatch, Redacted } from './known-match.ts'
export { KnownValues } from './known-values.ts'
export { type Judgement, judge } from './modes.ts'
export { stepsOf } from './place.ts'
export type { RedactStream } from './redact-stream.ts'
export type { Hmac } from './rolling-hash.ts'
export {
  type AllowEntry,
  allowanceOf,
  DEFAULT_SETTINGS,
  type InspectSettings,
  isBlocking,
  MODES,
  type Mode,
  mergeSettings,
  strictest,
} from './settings.ts'
export type { ValueName } from './value-index.ts'
export { isVariant, type Variant } from './variants.ts'
export { isCounted, isSevere, VERDICTS, type Verdict, verdictOf } from './verdict.ts'
export { withoutSecrets } from './without-secrets.ts'
export {
  engineWith,
  readWritten,
  UnusableDetector,
  WRITTEN_LIMITS,
  type WrittenDetector,
} from './written.ts'
