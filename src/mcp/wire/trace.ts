import type { Notification, Request } from './envelope.ts'
import { memberOf, withMembers } from './members.ts'

/** Where a request belongs in a trace (W3C Trace Context). In messages it stands in `_meta`, over HTTP in headers. */
export interface Trace {
  readonly traceparent: string
  readonly tracestate: string | null
}

const PARENT =
  /^(?!ff)[\da-f]{2}-(?!0{32})([\da-f]{32})-(?!0{16})[\da-f]{16}-[\da-f]{2}(?:-[\x21-\x7e]{1,200})?$/
const STATE = /^[\x20-\x7e]{1,512}$/

/** @returns null for what is none, or none that others would take up */
export function traceFrom(traceparent: unknown, tracestate: unknown): Trace | null {
  if (typeof traceparent !== 'string' || !PARENT.test(traceparent)) return null
  const state = typeof tracestate === 'string' && STATE.test(tracestate) ? tracestate : null
  return { traceparent, tracestate: state }
}

/** What a message says of itself. */
export function traceOf({ params }: Request | Notification): Trace | null {
  const meta = metaIn(params?.value)
  return meta === null ? null : traceFrom(meta['traceparent'], meta['tracestate'])
}

/** The id of the trace that parameters name, 32 hex digits; undefined where they name none. */
export function traceIdIn(params: unknown): string | undefined {
  const meta = metaIn(params)
  const parent = meta === null ? undefined : meta['traceparent']
  return typeof parent === 'string' ? PARENT.exec(parent)?.[1] : undefined
}

/**
 * A request with a trace in `_meta`, where a server finds it whatever carries the message. What stands there already
 * stays.
 *
 * @param text of a request whose parameters, if it has any, are an object
 */
export function withTrace(text: string, { traceparent, tracestate }: Trace): string {
  const params = memberOf(text, 'params') ?? '{}'
  if (!params.startsWith('{')) return text
  const meta = memberOf(params, '_meta') ?? '{}'
  if (!meta.startsWith('{') || memberOf(meta, 'traceparent') !== null) return text
  const traced = withMembers(meta, {
    traceparent: JSON.stringify(traceparent),
    ...(tracestate !== null && { tracestate: JSON.stringify(tracestate) }),
  })
  return withMembers(text, { params: withMembers(params, { _meta: traced }) })
}

function metaIn(params: unknown): Readonly<Record<string, unknown>> | null {
  if (typeof params !== 'object' || params === null || !('_meta' in params)) return null
  const meta = params._meta
  return typeof meta === 'object' && meta !== null
    ? (meta as Readonly<Record<string, unknown>>)
    : null
}
