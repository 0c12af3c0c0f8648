import type { Response } from '../mcp/wire/index.ts'
import type { OutgoingStream } from '../net/index.ts'
import type { EventLink } from './http-event-link.ts'
import { isObject } from './tool-call.ts'

/** What the server gave a legacy client at `initialize`. */
export interface Session {
  readonly id: string | null
  readonly version: string | null
  /** Where the server speaks HTTP with server-sent events, as before 2025-03-26. */
  readonly link: EventLink | null
  readonly promise: ServerPromise
}

/** What a client may count on for as long as its session lasts. */
export interface ServerPromise {
  readonly version: unknown
  readonly capabilities: unknown
}

export function headersOfSession(session: Session | null): Readonly<Record<string, string>> {
  if (session === null) return {}
  return {
    ...(session.id === null ? {} : { 'mcp-session-id': session.id }),
    ...(session.version === null ? {} : { 'mcp-protocol-version': session.version }),
  }
}

/** A session id is visible ASCII; anything else is no header. */
function isHeaderText(text: string): boolean {
  return /^[\x20-\x7e]{1,2048}$/.test(text)
}

export function sessionOf(
  response: Response,
  headers: OutgoingStream['headers'] | null,
  link: EventLink | null,
): Session {
  const id = headers?.get('mcp-session-id') ?? null
  const result = response.body.value as Readonly<Record<string, unknown>> | null
  const { protocolVersion, capabilities } = result ?? {}
  return {
    id: id !== null && isHeaderText(id) ? id : null,
    version:
      typeof protocolVersion === 'string' && isHeaderText(protocolVersion) ? protocolVersion : null,
    link,
    promise: { version: protocolVersion ?? null, capabilities: capabilities ?? null },
  }
}

/** Whether who was promised the one misses nothing under the other. */
export function keepsPromise(now: ServerPromise, before: ServerPromise): boolean {
  return now.version === before.version && hasAllOf(now.capabilities, before.capabilities)
}

function hasAllOf(now: unknown, before: unknown): boolean {
  if (!isObject(before)) return now === before
  if (!isObject(now)) return false
  return Object.entries(before).every(
    ([name, one]) => Object.hasOwn(now, name) && hasAllOf(now[name], one),
  )
}
