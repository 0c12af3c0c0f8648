import { AsyncLocalStorage } from 'node:async_hooks'
import type { ServerEventBus } from '@modelcontextprotocol/server'
import { ChangeWatch } from './change-watch.ts'
import type { ServerDefinition } from './definition.ts'
import type { Peer } from './server.ts'

type Listener = Parameters<ServerEventBus['subscribe']>[0]

/** Who opens a subscription, and what of each resource was there for him before he did. */
interface Opening<S> {
  readonly peer: Peer<S>
  readonly seen: ReadonlyMap<string, string>
}

/**
 * Where the streams of `subscriptions/listen` hear of changes. Each belongs to whoever opened it: it hears of what he may
 * see, and of nothing else.
 */
export class ChangeBus<S> implements ServerEventBus {
  readonly #definition: Pick<ServerDefinition<S>, 'resources'>
  readonly #opening = new AsyncLocalStorage<Opening<S>>()
  readonly #streams = new Map<Listener, ReadonlyMap<string, ChangeWatch>>()

  constructor(definition: Pick<ServerDefinition<S>, 'resources'>) {
    this.#definition = definition
  }

  /** Runs what opens a subscription. What is there by then is not news. */
  async opened<T>(peer: Peer<S>, open: () => Promise<T>): Promise<T> {
    const seen = new Map<string, string>()
    for (const { uri, glimpse } of this.#definition.resources)
      try {
        seen.set(uri, await glimpse(await peer.session()))
      } catch {
        // He sees nothing of it yet; the stream itself is opened or refused by what serves it.
      }
    return this.#opening.run({ peer, seen }, open)
  }

  subscribe(listener: Listener): () => void {
    const opening = this.#opening.getStore()
    const watches = new Map<string, ChangeWatch>()
    if (opening !== undefined)
      for (const { uri, glimpse } of this.#definition.resources) {
        const look = async (): Promise<string> => glimpse(await opening.peer.session())
        const tell = (): void => {
          listener({ kind: 'resource_updated', uri })
          listener({ kind: 'resources_list_changed' })
        }
        watches.set(uri, new ChangeWatch(look, tell, opening.seen.get(uri) ?? null))
      }
    this.#streams.set(listener, watches)
    return () => {
      for (const watch of this.#streams.get(listener)?.values() ?? []) watch.end()
      this.#streams.delete(listener)
    }
  }

  /** What is the same for everybody. */
  publish(event: Parameters<Listener>[0]): void {
    for (const listener of this.#streams.keys()) listener(event)
  }

  /** A resource changed, for somebody. */
  changed(uri: string): void {
    for (const watches of this.#streams.values()) watches.get(uri)?.changed()
  }
}
