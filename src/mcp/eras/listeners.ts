import {
  isWithin,
  META,
  memberOf,
  type Notification,
  type Request,
  withMembers,
} from '../wire/index.ts'
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
  readonly lists: typeof LISTS
  readonly uris: Set<string>
  /** Of these the server has not said yet whether it tells; once there is none, the client hears what it is told. */
  readonly unsure: Set<string>
  isAcknowledged: boolean
  /** Since when it waits for that, by the clock of `tidy`; null until that looked. */
  since: number | null
}

/** A resource of which the server was asked to tell. */
interface Subscription {
  /** Who wants to hear of it, by `idKey`. */
  readonly listeners: Set<string>
  isSure: boolean
}

/** Asks the server something. @param then told whether it does it */
type AskServer = (
  method: string,
  paramsText: string,
  then: (isDone: boolean) => readonly Crossing[],
) => Crossing

/** A server that does not say for so long whether it tells of a resource is taken not to. */
export const ANSWER_MS = 10_000

/** The streams of notifications that a modern client opened, over the one session of a legacy server. */
export class Listeners {
  readonly #listeners = new Map<string, Listener>()
  readonly #subscribed = new Map<string, Subscription>()
  readonly #ask: AskServer

  constructor(ask: AskServer) {
    this.#ask = ask
  }

  has(idKey: string): boolean {
    return this.#listeners.has(idKey)
  }

  /**
   * Row: `subscriptions/listen` → what the session hears anyway, and `resources/subscribe`. What the server refuses to
   * tell of is not acknowledged.
   */
  listen(message: Request, capabilities: Fields): readonly Crossing[] {
    const { notifications } = fieldsOf(message.params?.value)
    const wanted = fieldsOf(notifications)
    const has = (capability: string, what: string): boolean =>
      fieldsOf(capabilities[capability])[what] === true
    const asked = wanted['resourceSubscriptions']
    const uris = has('resources', 'subscribe') && Array.isArray(asked) ? asked : []
    const { idText, idKey } = message
    const listener: Listener = {
      idText,
      lists: LISTS.filter(
        ([kind, capability]) => wanted[kind] === true && has(capability, 'listChanged'),
      ),
      uris: new Set(uris.filter((uri) => typeof uri === 'string')),
      unsure: new Set(),
      isAcknowledged: false,
      since: null,
    }
    this.#listeners.set(idKey, listener)
    const asking = [...listener.uris].flatMap((uri) => this.#subscribe(idKey, listener, uri))
    return [...asking, ...this.#acknowledged(idKey, listener)]
  }

  #subscribe(idKey: string, listener: Listener, uri: string): readonly Crossing[] {
    const known = this.#subscribed.get(uri)
    const subscription = known ?? { listeners: new Set(), isSure: false }
    subscription.listeners.add(idKey)
    if (!subscription.isSure) listener.unsure.add(uri)
    if (known !== undefined) return []
    this.#subscribed.set(uri, subscription)
    return [
      this.#ask('resources/subscribe', JSON.stringify({ uri }), (isDone) =>
        this.#answered(uri, subscription, isDone),
      ),
    ]
  }

  #answered(uri: string, subscription: Subscription, isDone: boolean): readonly Crossing[] {
    // Everybody left meanwhile, and the server was told.
    if (this.#subscribed.get(uri) !== subscription) return []
    subscription.isSure = true
    if (!isDone) this.#subscribed.delete(uri)
    return [...subscription.listeners].flatMap((idKey) => {
      const listener = this.#listeners.get(idKey)
      if (listener === undefined) return []
      listener.unsure.delete(uri)
      if (!isDone) listener.uris.delete(uri)
      return this.#acknowledged(idKey, listener)
    })
  }

  /** The client hears what it is told, once that is known. */
  #acknowledged(about: string, listener: Listener): readonly Crossing[] {
    const { idText, lists, uris, unsure } = listener
    if (unsure.size > 0 || listener.isAcknowledged) return []
    listener.isAcknowledged = true
    const honored = {
      ...Object.fromEntries(lists.map(([kind]) => [kind, true])),
      ...(uris.size > 0 ? { resourceSubscriptions: [...uris] } : {}),
    }
    const meta = withMembers('{}', { [META.subscription]: idText })
    const acknowledged: Crossing = {
      to: 'client',
      text: notification(
        'notifications/subscriptions/acknowledged',
        withMembers('{}', { notifications: JSON.stringify(honored), _meta: meta }),
      ),
      about,
    }
    if (lists.length + uris.size > 0) return [acknowledged]
    this.#listeners.delete(about)
    const text = withMembers('{}', { resultType: '"complete"', _meta: meta })
    return [acknowledged, { to: 'client', text: result(idText, text), about }]
  }

  leave(idKey: string): readonly Crossing[] {
    const listener = this.#listeners.get(idKey)
    this.#listeners.delete(idKey)
    return [...(listener?.uris ?? [])].flatMap((uri) => this.#unsubscribe(idKey, uri))
  }

  #unsubscribe(idKey: string, uri: string): readonly Crossing[] {
    const listeners = this.#subscribed.get(uri)?.listeners
    if (listeners?.delete(idKey) !== true || listeners.size > 0) return []
    this.#subscribed.delete(uri)
    return [this.#ask('resources/unsubscribe', JSON.stringify({ uri }), () => [])]
  }

  /** Nobody waits for ever for what the server does not answer. @param now milliseconds of any clock that only moves forward */
  tidy(now: number): readonly Crossing[] {
    const out: Crossing[] = []
    for (const [idKey, listener] of this.#listeners) {
      if (listener.isAcknowledged) continue
      listener.since ??= now
      if (now - listener.since < ANSWER_MS) continue
      for (const uri of listener.unsure) {
        listener.uris.delete(uri)
        out.push(...this.#unsubscribe(idKey, uri))
      }
      listener.unsure.clear()
      out.push(...this.#acknowledged(idKey, listener))
    }
    return out
  }

  /** @returns null for what is not told by subscription */
  heard(message: Notification): readonly Crossing[] | null {
    const { method, params } = message
    if (method === 'notifications/resources/updated') {
      const { uri } = fieldsOf(params?.value)
      return typeof uri === 'string' ? this.#publish(message, this.#whoseIs(uri)) : []
    }
    if (!LISTS.some(([, , list]) => list === method)) return null
    return this.#publish(message, ({ lists }) => lists.some(([, , list]) => list === method))
  }

  /**
   * Who is told that a resource changed: whoever listens to it, or to what it is a part of. Some servers name parts
   * otherwise; what is nobody's by its address is told where only one could mean it, for nobody hears of what only
   * others listen to.
   */
  #whoseIs(uri: string): (listener: Listener) => boolean {
    const all = [...this.#listeners.values()].filter(({ uris }) => uris.size > 0)
    const named = all.filter(({ uris }) => isWithin(uri, uris))
    const told = named.length > 0 || all.length > 1 ? named : all
    return (listener) => told.includes(listener)
  }

  /** Row: what a session hears → what listeners asked for, with the id of each. */
  #publish(message: Notification, isFor: (listener: Listener) => boolean): readonly Crossing[] {
    const params = message.params === null ? '{}' : partText(message, message.params)
    const meta = memberOf(params, '_meta') ?? '{}'
    return [...this.#listeners]
      .filter(([, listener]) => listener.isAcknowledged && isFor(listener))
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
