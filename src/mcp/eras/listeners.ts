import { META, memberOf, type Notification, type Request, withMembers } from '../wire/index.ts'
import {
  type Crossing,
  type Fields,
  fieldsOf,
  LISTS,
  notification,
  partText,
  result,
} from './rows.ts'

interface Listener {
  readonly idText: string
  readonly methods: ReadonlySet<string>
  readonly uris: ReadonlySet<string>
}

/** The streams of notifications that a modern client opened, over the one session of a legacy server. */
export class Listeners {
  readonly #listeners = new Map<string, Listener>()
  /** How many of them want to hear of a resource. */
  readonly #subscribed = new Map<string, number>()
  /** Asks the server something whose answer changes nothing. */
  readonly #ask: (method: string, paramsText: string) => Crossing

  constructor(ask: (method: string, paramsText: string) => Crossing) {
    this.#ask = ask
  }

  has(idKey: string): boolean {
    return this.#listeners.has(idKey)
  }

  /** Row: `subscriptions/listen` → what the session hears anyway, and `resources/subscribe`. */
  listen(message: Request, capabilities: Fields): readonly Crossing[] {
    const { notifications } = fieldsOf(message.params?.value)
    const wanted = fieldsOf(notifications)
    const has = (capability: string, what: string): boolean =>
      fieldsOf(capabilities[capability])[what] === true
    const lists = LISTS.filter(
      ([kind, capability]) => wanted[kind] === true && has(capability, 'listChanged'),
    )
    const asked = wanted['resourceSubscriptions']
    const uris = has('resources', 'subscribe') && Array.isArray(asked) ? asked : []
    const texts = [...new Set(uris.filter((uri) => typeof uri === 'string'))]
    const honored = {
      ...Object.fromEntries(lists.map(([kind]) => [kind, true])),
      ...(texts.length > 0 ? { resourceSubscriptions: texts } : {}),
    }
    const { idText, idKey } = message
    const meta = withMembers('{}', { [META.subscription]: idText })
    const acknowledged: Crossing = {
      to: 'client',
      text: notification(
        'notifications/subscriptions/acknowledged',
        withMembers('{}', { notifications: JSON.stringify(honored), _meta: meta }),
      ),
      about: idKey,
    }
    if (Object.keys(honored).length === 0) {
      const text = withMembers('{}', { resultType: '"complete"', _meta: meta })
      return [acknowledged, { to: 'client', text: result(idText, text), about: idKey }]
    }
    this.#listeners.set(idKey, {
      idText,
      methods: new Set(lists.map(([, , method]) => method)),
      uris: new Set(texts),
    })
    return [
      acknowledged,
      ...texts.flatMap((uri) => {
        const before = this.#subscribed.get(uri) ?? 0
        this.#subscribed.set(uri, before + 1)
        return before > 0 ? [] : [this.#ask('resources/subscribe', JSON.stringify({ uri }))]
      }),
    ]
  }

  leave(idKey: string): readonly Crossing[] {
    const listener = this.#listeners.get(idKey)
    this.#listeners.delete(idKey)
    return [...(listener?.uris ?? [])].flatMap((uri) => {
      const left = (this.#subscribed.get(uri) ?? 1) - 1
      if (left > 0) {
        this.#subscribed.set(uri, left)
        return []
      }
      this.#subscribed.delete(uri)
      return [this.#ask('resources/unsubscribe', JSON.stringify({ uri }))]
    })
  }

  /** @returns null for what is not told by subscription */
  heard(message: Notification): readonly Crossing[] | null {
    const { method, params } = message
    if (method === 'notifications/resources/updated') {
      const { uri } = fieldsOf(params?.value)
      return this.#publish(message, ({ uris }) => typeof uri === 'string' && uris.has(uri))
    }
    if (!LISTS.some(([, , list]) => list === method)) return null
    return this.#publish(message, ({ methods }) => methods.has(method))
  }

  /** Row: what a session hears → what listeners asked for, with the id of each. */
  #publish(message: Notification, isFor: (listener: Listener) => boolean): readonly Crossing[] {
    const params = message.params === null ? '{}' : partText(message, message.params)
    const meta = memberOf(params, '_meta') ?? '{}'
    return [...this.#listeners]
      .filter(([, listener]) => isFor(listener))
      .map(([about, { idText }]) => ({
        to: 'client',
        text: notification(
          message.method,
          withMembers(params, { _meta: withMembers(meta, { [META.subscription]: idText }) }),
        ),
        about,
      }))
  }
}
