// A door of its own: whoever only reads and writes frames does not load the SDK.
export {
  errorAnswer,
  refusalAnswer,
  resultAnswer,
  UNLIKE_ID,
  unlikeKey,
  withId,
  withPart,
} from './answers.ts'
export { askedDigest } from './asked-digest.ts'
export {
  type Extra,
  extrasOf,
  type Frames,
  type JudgedParams,
  type JudgedPart,
  judgedParams,
  judgedPart,
  MAX_ID_LENGTH,
  type Message,
  type Notification,
  type Part,
  type Refused,
  type Request,
  type Response,
  RPC_ERRORS,
  readFrame,
  readFrames,
  readMessage,
  refusedBatch,
  searchable,
} from './envelope.ts'
export {
  askedLevel,
  ERA_ERRORS,
  headerMismatch,
  headerValue,
  LOG_LEVELS,
  META,
  mirroredHeaders,
  type ParamHeader,
  paramHeadersOf,
  ToolHeaders,
  versionNamedBy,
} from './http-headers.ts'
export { elementsOf, membersIn, parseExactly, surveyed, writeExactly } from './json-text.ts'
export {
  LARGE_BYTES,
  type LargeLine,
  LineReader,
  type LineReaderOptions,
  tooLarge,
} from './line-reader.ts'
export { memberOf, onOneLine, sortedMembers, withMembers, withoutMark } from './members.ts'
export { renamed } from './renamed.ts'
export { isWithin } from './resource-addresses.ts'
export { type SseEvent, SseReader, type SseReaderOptions, sseEvent } from './sse-reader.ts'
export { type Trace, traceFrom, traceIdIn, traceOf, withTrace } from './trace.ts'
