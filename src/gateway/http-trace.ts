import type { IncomingMessage } from 'node:http'
import { type Message, readMessage, traceFrom, traceOf, withTrace } from '../mcp/wire/index.ts'

interface Sent {
  readonly message: Message
  readonly frame: Buffer
}

/** A request with the trace that its headers name, where its body names none: on pipes there are no headers. */
export function traced({ headers }: Pick<IncomingMessage, 'headers'>, sent: Sent): Sent {
  const { traceparent, tracestate } = headers
  const { message } = sent
  if (traceparent === undefined || message.kind !== 'request') return sent
  const trace = traceFrom(traceparent, tracestate)
  const text = trace === null ? message.text : withTrace(message.text, trace)
  if (text === message.text) return sent
  const read = readMessage(text)
  return read.kind === 'request' ? { message: read, frame: Buffer.from(text, 'utf8') } : sent
}

/** What a server over HTTP is told of the trace of a message. */
export function traceHeaders(message: Message): Readonly<Record<string, string>> {
  const trace = message.kind === 'response' ? null : traceOf(message)
  if (trace === null) return {}
  const { traceparent, tracestate } = trace
  return { traceparent, ...(tracestate !== null && { tracestate }) }
}
