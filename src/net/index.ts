export { asFetch, type Fetch, type FetchRules } from './as-fetch.ts'
export { authoritiesIn } from './authorities.ts'
export { bareWriter, pieceOf, readBare } from './bare-io.ts'
export { decompressor } from './body-chunks.ts'
export type { Lookup, Resolved } from './dial.ts'
export { Leaving } from './leaving.ts'
export {
  type Outgoing,
  type OutgoingAnswer,
  type OutgoingEars,
  type OutgoingOptions,
  type OutgoingRequest,
  type OutgoingStream,
  type OutgoingStreamRequest,
  outgoing,
} from './outgoing.ts'
export type { OutgoingPieces } from './redirects.ts'
export type { Audience } from './rules.ts'
export { isSignedWebhook, type SignatureHeaders, signWebhook } from './webhook-signature.ts'
