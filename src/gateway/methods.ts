import { foldedName } from '../core/folded-name.ts'

/** First words of a client, which a server answers as soon as it runs. */
export const GREETINGS: ReadonlySet<string> = new Set(['initialize', 'server/discover'])

/** Requests of a client that say nothing to the server but what the protocol has them say. */
export const PLAIN_REQUESTS: ReadonlySet<string> = new Set([
  'initialize',
  'ping',
  'server/discover',
  'tools/list',
  'resources/list',
  'resources/templates/list',
  'prompts/list',
  'logging/setLevel',
])

/** Requests of a client that carry what an agent wrote. */
export const INSPECTED_REQUESTS: ReadonlySet<string> = new Set([
  'resources/read',
  'resources/subscribe',
  'resources/unsubscribe',
  'subscriptions/listen',
  'prompts/get',
  'completion/complete',
  'tasks/get',
  'tasks/list',
  'tasks/result',
  'tasks/cancel',
  'tasks/update',
])

/** Notifications of a client that carry nothing. */
export const PLAIN_NOTIFICATIONS: ReadonlySet<string> = new Set([
  'notifications/initialized',
  'notifications/cancelled',
  'notifications/progress',
  'notifications/roots/list_changed',
])

const REQUESTS: ReadonlySet<string> = new Set([
  ...PLAIN_REQUESTS,
  ...INSPECTED_REQUESTS,
  'tools/call',
])

/** What is left of a method where a careless reader looks at it. */
function bare(method: string): string {
  return foldedName(method).replaceAll(/[^a-z]+/g, '')
}

const BARE: ReadonlySet<string> = new Set([...REQUESTS, ...PLAIN_NOTIFICATIONS].map(bare))

/**
 * Whether a server may take a message of a client for something that it is not judged as: a request of the protocol
 * that comes without an id, or under a name that differs only in case, blanks or slashes.
 */
export function isMistakable(kind: 'request' | 'notification', method: string): boolean {
  const own = kind === 'request' ? REQUESTS : PLAIN_NOTIFICATIONS
  return !own.has(method) && BARE.has(bare(method))
}
