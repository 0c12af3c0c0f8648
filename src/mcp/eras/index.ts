// A door of its own: it is loaded when a client and its server turn out to be of different eras.
export { LegacyClient } from './legacy-client.ts'
export { ModernClient, type ModernClientOptions } from './modern-client.ts'
export { type Crossing, LEGACY_VERSIONS, MODERN_VERSION, type Translator } from './rows.ts'
