import type { ServerInfo } from '../core/gateway-port.ts'
import type { OwnLimits, ServerLimits } from '../core/server-limits.ts'
import type { CallPathOptions } from './call-path-options.ts'
import type { KnownEra } from './era-bridge.ts'
import type { RegistryView } from './registry-view.ts'
import { ServerHealth } from './server-health.ts'

/** What is known of a server, whoever asks it, and at whichever address. */
export interface KnownServer extends Pick<Required<CallPathOptions>, 'health'> {
  /** Its own limits, by which it was made. */
  readonly own: OwnLimits | undefined
}

/** How each server bears what it is asked: one that does not answer rests for all who ask it. */
export class KnownServers {
  readonly #view: Pick<RegistryView, 'server'>
  readonly #limits: ServerLimits
  readonly #servers = new Map<string, KnownServer>()
  readonly #eras = new Map<string, KnownEra & { readonly createdAt: number }>()

  /** @param limits of servers that have none of their own */
  constructor(view: Pick<RegistryView, 'server'>, limits: ServerLimits) {
    this.#view = view
    this.#limits = limits
  }

  /** Another one when its limits were changed. */
  of(server: string): KnownServer {
    const known = this.#servers.get(server)
    const own = this.#ownOf(server)
    if (known !== undefined && known.own === own) return known
    const health = new ServerHealth({ ...this.#limits, ...own })
    const made = { own, health }
    this.#servers.set(server, made)
    return made
  }

  /** Another one when it was added anew. */
  eraOf({ name, createdAt }: ServerInfo): KnownEra {
    const known = this.#eras.get(name)
    if (known?.createdAt === createdAt) return known
    const made = { createdAt, isOld: false }
    this.#eras.set(name, made)
    return made
  }

  /** How long nobody may use it before it is ended, milliseconds. */
  idleMs(server: string): number {
    return this.#ownOf(server)?.idleMs ?? this.#limits.idleMs
  }

  /** Undefined where it has none. */
  #ownOf(server: string): OwnLimits | undefined {
    try {
      return this.#view.server(server)?.target.limits
    } catch {
      // The registry cannot be read right now: no call passes, and nothing waits for one.
      return undefined
    }
  }
}
