import type { ServerInfo } from '../core/gateway-port.ts'
import type { Caller } from '../core/principals.ts'
import type { EpochMs } from '../core/time.ts'
import type { PoliciesNow } from './applied-policies.ts'
import type { CallPath } from './call-path.ts'
import type { HttpDoorOptions } from './http-door.ts'
import type { KnownServer } from './known-servers.ts'
import { MadeTasks } from './made-tasks.ts'
import type { MessageInspection } from './message-inspection.ts'
import { MeteredPath } from './metrics.ts'
import { Rounds } from './rounds.ts'

/** Whose request it is, and what it is judged by beside the policies of the server. */
export interface Admitted {
  readonly caller: Caller
  /** Sessions belong to it: a grant, a local bearer. */
  readonly owner: string
  /** Id of the grant, or null for the local agent. */
  readonly grant: string | null
  readonly policies: readonly string[]
  /** When he counts no longer, even if nothing changes, as far as is known. */
  readonly until: EpochMs | null
  /** SHA-256 of the body, in Base64url, where another process let it in and sent it here: then it is this one's to answer. */
  readonly sentOn?: string
}

/** What is said of somebody who was admitted earlier. */
export interface MayComeBack {
  /** The token that he came with has ended, and nothing else: he may go on once he shows another. */
  readonly isOut: boolean
}

/** What the requests of one client at one server are judged by. */
export interface Standing {
  readonly held: Held
  readonly policiesNow: () => PoliciesNow
  readonly inspection: MessageInspection
  readonly path: CallPath
}

export interface Held {
  /** With what its client came last: tokens are exchanged anew while a session lasts. */
  admitted: Admitted
  /** As it was when the client came: one of the same name that was added since is another one. */
  readonly server: ServerInfo
  /** Names of the grant's policies, as of now. */
  named: readonly string[]
}

/** Owners at servers, of requests that stand alone. */
const MAX_KNOWN = 1_024

/** By what it is judged who came to a server: its policies and those of the grant, the server's state, inspection. */
export class Standings {
  readonly #options: HttpDoorOptions
  /** The rounds of a call come as requests of their own. */
  readonly #rounds: Rounds
  readonly #tasks: MadeTasks
  readonly #inspections = new Map<string, MessageInspection>()
  /** Of requests that stand alone. */
  readonly #known = new Map<string, Standing & { readonly known: KnownServer }>()

  constructor(options: HttpDoorOptions) {
    this.#options = options
    this.#rounds = options.rounds ?? new Rounds()
    this.#tasks = options.tasks ?? new MadeTasks()
  }

  /** Requests that stand alone are judged by the same as the one before of their owner, while nothing changed. */
  ofRequest(server: ServerInfo, admitted: Admitted): Standing {
    const { name, createdAt } = server
    const key = `${name} ${createdAt} ${admitted.owner}`
    const known = this.#options.servers.of(name)
    const found = this.#known.get(key)
    if (
      found?.known === known &&
      found.held.admitted.grant === admitted.grant &&
      areSame(found.held.named, admitted.policies)
    ) {
      found.held.admitted = admitted
      return found
    }
    const made = { ...this.ofSession(server, admitted, admitted.owner), known }
    const oldest = this.#known.keys().next()
    if (this.#known.size >= MAX_KNOWN && oldest.done !== true) this.#known.delete(oldest.value)
    this.#known.set(key, made)
    return made
  }

  /** @param session what `scope: session` counts by */
  ofSession(server: ServerInfo, admitted: Admitted, session: string): Standing {
    const { name } = server
    const held: Held = { admitted, server, named: admitted.policies }
    const policiesNow = (): PoliciesNow => this.#options.view.policiesAt(name, held.named)
    const inspection = this.#inspectionOf(name)
    const path = this.#pathOf(name, held, inspection, policiesNow, session)
    return { held, policiesNow, inspection, path }
  }

  #pathOf(
    server: string,
    { admitted }: Held,
    inspection: MessageInspection,
    policiesNow: () => PoliciesNow,
    session: string,
  ): CallPath {
    const options = {
      server,
      isShadow: false,
      policiesNow,
      inspection,
      record: this.#options.record,
      recorder: this.#options.recorder,
      session,
      ...(admitted.grant !== null && { grant: admitted.grant }),
      rounds: this.#rounds,
      tasks: this.#tasks,
      ...(this.#options.people !== undefined && { people: this.#options.people }),
      log: this.#options.log,
      ...this.#options.servers.of(server),
    }
    return new MeteredPath(options, this.#options.metrics)
  }

  #inspectionOf(server: string): MessageInspection {
    const known = this.#inspections.get(server)
    if (known !== undefined) return known
    const made = this.#options.inspectionOf(server)
    this.#inspections.set(server, made)
    return made
  }
}

function areSame(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((name, index) => name === other[index])
}
