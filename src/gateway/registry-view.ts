import type { Db } from '../core/db-port.ts'
import { asFault, type Fault } from '../core/faults.ts'
import type { ServerInfo } from '../core/gateway-port.ts'
import type { Log } from '../core/log.ts'
import { monotonicMs } from '../core/time.ts'
import { rightsRevision } from '../keys/index.ts'
import {
  type PolicyProblem,
  type ToolPolicy,
  toolPolicyOf,
  warnedPolicyOf,
} from '../policy/tool-policy/index.ts'
import type { AppliedPolicy, PoliciesNow } from './applied-policies.ts'
import { revisionOfText } from './policies.ts'
import { warnOf } from './policy-warnings.ts'
import { type RegistryTables, serverInfo, type ToolPolicyRow } from './registry-rows.ts'

/** Commits come by the thousand a second; so often, at most, is it asked whether one of them changed a right. */
const LOOK_MS = 200

const NOTHING = '{"version":"1","default":"deny"}'

interface Held {
  readonly revision: number
  readonly servers: ReadonlyMap<string, ServerInfo>
  readonly policies: ReadonlyMap<string, AppliedPolicy>
}

export interface RegistryViewParts {
  readonly db: Db
  readonly tables: RegistryTables
  readonly log: Log
  /** Of whose policies it is logged what they may not mean: those of all, or of one server; left out: of none. */
  readonly warnsOf?: 'all' | { readonly server: string }
}

/**
 * The registry as calls are judged by it: in memory, and within a second of what any process changed. What cannot be
 * read judges nothing: every call is denied until it can.
 */
export class RegistryView {
  readonly #parts: RegistryViewParts
  /** Denies whatever is judged by it: it stands for a policy that is named and not there. */
  readonly #nothing: ToolPolicy
  #held: Held
  #problem: Fault | null = null
  /** By the names that are named beside those of a server: calls are judged by the same again and again. */
  readonly #applying = new WeakMap<
    readonly string[],
    { readonly held: Held; readonly server: string; readonly policies: PoliciesNow }
  >()
  #endWatch: () => void = () => {}
  #timer: NodeJS.Timeout | null = null
  #lookedAt = Number.NEGATIVE_INFINITY
  #reading: Promise<void> | null = null
  #isStale = false
  #isClosed = false
  readonly #listeners = new Set<() => void>()
  /** By the policy's name, until it was logged. */
  readonly #warnings = new Map<string, readonly PolicyProblem[]>()

  private constructor(parts: RegistryViewParts, nothing: ToolPolicy, held: Held) {
    this.#parts = parts
    this.#nothing = nothing
    this.#held = held
  }

  /** @throws {Fault} `STORE_UNAVAILABLE`, `STORE_TAMPERED` */
  static async open(parts: RegistryViewParts): Promise<RegistryView> {
    const nothing = await toolPolicyOf('(no policy)', Buffer.from(NOTHING))
    const view = new RegistryView(parts, nothing, {
      revision: -1,
      servers: new Map(),
      policies: new Map(),
    })
    // Watched before it is read: what is changed in between is seen.
    view.#endWatch = parts.db.watch(() => view.#changed())
    try {
      view.#held = await view.#read()
      view.#warn()
      return view
    } catch (error) {
      view.close()
      throw error
    }
  }

  /** @throws {Fault} when the registry cannot be read */
  server(name: string): ServerInfo | null {
    if (this.#problem !== null) throw this.#problem
    return this.#held.servers.get(name) ?? null
  }

  /** By name. @throws {Fault} when the registry cannot be read */
  servers(): readonly ServerInfo[] {
    if (this.#problem !== null) throw this.#problem
    return [...this.#held.servers.values()]
  }

  /**
   * What calls at a server are judged by: its own policies and then those named beside them. One that is named and not
   * there denies.
   */
  policiesAt(server: string, named: readonly string[] = []): PoliciesNow {
    const held = this.#held
    const own = held.servers.get(server)
    if (this.#problem !== null || own === undefined) return [this.#denying('(unreadable)')]
    const before = this.#applying.get(named)
    if (before?.held === held && before.server === server) return before.policies
    const policies = [...new Set([...own.policies, ...named])].map(
      (name) => held.policies.get(name) ?? this.#denying(name),
    )
    this.#applying.set(named, { held, server, policies })
    return policies
  }

  /** Those that calls at a server are judged by and that are not there. */
  missingAt(server: string, named: readonly string[] = []): readonly string[] {
    const own = this.#held.servers.get(server)?.policies ?? []
    return [...own, ...named].filter((name) => !this.#held.policies.has(name))
  }

  /** As `server`, as of now: what was added a moment ago is there. */
  async serverNow(name: string): Promise<ServerInfo | null> {
    const known = this.server(name)
    if (known !== null) return known
    await this.#refreshed()
    return this.server(name)
  }

  /** As `servers`, with what this process changed a moment ago. */
  async serversNow(): Promise<readonly ServerInfo[]> {
    if (this.#isStale) await this.#refreshed()
    else await this.#reading
    return this.servers()
  }

  /** Calls back when servers, policies or what is attached may have changed. @returns ends it */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
    }
  }

  close(): void {
    this.#isClosed = true
    this.#endWatch()
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#listeners.clear()
  }

  #denying(name: string): AppliedPolicy {
    return { name, policy: this.#nothing, revision: 'missing' }
  }

  #changed(): void {
    this.#isStale = true
    if (this.#timer !== null || this.#reading !== null || this.#isClosed) return
    const sinceMs = monotonicMs() - this.#lookedAt
    this.#timer = setTimeout(
      () => {
        this.#timer = null
        void this.#refreshed()
      },
      Math.max(0, LOOK_MS - sinceMs),
    )
    this.#timer.unref()
  }

  /** One reads at a time; whoever comes meanwhile wants what changed since, too. */
  async #refreshed(): Promise<void> {
    await this.#reading
    this.#reading ??= this.#refresh().finally(() => {
      this.#reading = null
      if (this.#isStale) this.#changed()
    })
    await this.#reading
  }

  async #refresh(): Promise<void> {
    this.#lookedAt = monotonicMs()
    this.#isStale = false
    const { db, log } = this.#parts
    try {
      const revision = await db.read((reader) => rightsRevision(reader))
      if (revision !== this.#held.revision || this.#problem !== null) {
        this.#held = await this.#read()
        this.#problem = null
        this.#warn()
        for (const listener of this.#listeners) listener()
      }
    } catch (error) {
      if (this.#isClosed) return
      const fault = asFault(error)
      if (this.#problem === null)
        log.error('servers and policies cannot be read: every call is denied', { code: fault.code })
      this.#problem = fault
      // Nobody may commit while the store is away.
      this.#isStale = true
    }
  }

  async #read(): Promise<Held> {
    const { db, tables } = this.#parts
    const { revision, servers, rows } = await db.read(async (reader) => ({
      revision: await rightsRevision(reader),
      servers: await tables.servers.select(reader, '1 = 1 order by name', []),
      rows: await tables.policies.select(reader, '1 = 1 order by name', []),
    }))
    return {
      revision,
      servers: new Map(servers.map((row) => [row.name, serverInfo(row)])),
      policies: await this.#applied(rows),
    }
  }

  /** Once for each text of a policy. */
  #warn(): void {
    const { log, warnsOf } = this.#parts
    if (warnsOf === undefined) return
    const own = warnsOf === 'all' ? null : this.#held.servers.get(warnsOf.server)?.policies
    for (const [name, warnings] of this.#warnings) {
      if (own !== null && own?.includes(name) !== true) continue
      this.#warnings.delete(name)
      warnOf(log, { policy: name }, warnings)
    }
  }

  async #applied(rows: readonly ToolPolicyRow[]): Promise<ReadonlyMap<string, AppliedPolicy>> {
    const applied = new Map<string, AppliedPolicy>()
    for (const { name, document } of rows) {
      const revision = revisionOfText(document)
      const known = this.#held.policies.get(name)
      if (known?.revision === revision) {
        applied.set(name, known)
        continue
      }
      try {
        const { policy, warnings } = await warnedPolicyOf(name, Buffer.from(document))
        applied.set(name, { name, policy, revision })
        this.#warnings.set(name, warnings)
      } catch (error) {
        // It was valid when it was kept, so another version of this program reads it otherwise.
        const reason = asFault(error).message
        this.#parts.log.error('a policy is not valid here: what it judges is denied', { reason })
        applied.set(name, this.#denying(name))
      }
    }
    return applied
  }
}
