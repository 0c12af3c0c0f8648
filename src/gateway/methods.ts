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
