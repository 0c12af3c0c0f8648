import { asFault, Fault } from '../core/faults.ts'
import type { ServerInfo } from '../core/gateway-port.ts'
import type { Log } from '../core/log.ts'
import type { Caller } from '../core/principals.ts'
import { monotonicMs } from '../core/time.ts'
import { memberOf, type Request, withMembers } from '../mcp/wire/index.ts'
import { Member, type MemberOptions } from './member.ts'
import { isObject } from './tool-call.ts'

/** One server that a caller may reach, and under which grant. */
export interface Reach {
  readonly server: ServerInfo
  /** Id of the grant, or null for the local agent. */
  readonly grant: string | null
  /** Policies of the grant, beside those of the server. */
  readonly policies: readonly string[]
}

/** A server that is passed over, and why. */
export interface PassedOver {
  readonly server: string
  readonly reason: string
}

export interface AllTools {
  readonly tools: readonly Readonly<Record<string, unknown>>[]
  readonly passedOver: readonly PassedOver[]
}

export type MemberParts = Omit<MemberOptions, 'onOver' | 'caller'>

/** The revision of 2026-07-28 lets names of tools be so long. */
const MAX_NAME = 128
const MAX_PAGES = 100
/** A server that does not list its tools in that time is passed over. */
const LIST_MS = 20_000
/** A server that failed is not asked again before. */
const REST_MS = 5_000

interface Held {
  readonly member: Member
  readonly key: string
  lastUsed: number
}

/**
 * Every server that one caller may reach, as one: its tools are called by `SERVER.TOOL`. Each server is started when it
 * is first needed, and one that is dead takes nothing from the others.
 */
export class AllServers {
  readonly #partsOf: (reach: () => Reach) => MemberParts
  readonly #log: Log
  readonly #held = new Map<string, Held>()
  readonly #reaches = new Map<string, Reach>()
  readonly #failed = new Map<string, { readonly reason: string; readonly at: number }>()

  /** @param partsOf how a server is reached and judged; what it is judged by may change */
  constructor(partsOf: (reach: () => Reach) => MemberParts, log: Log) {
    this.#partsOf = partsOf
    this.#log = log
  }

  get size(): number {
    return this.#held.size
  }

  /** What the caller may reach now; servers that are no longer among it are ended. */
  reach(reaches: readonly Reach[]): void {
    const now = new Map(reaches.map((one) => [one.server.name, one]))
    for (const [name, { member, key }] of this.#held) {
      const one = now.get(name)
      if (one === undefined || keyOf(one) !== key) member.close()
    }
    this.#reaches.clear()
    for (const [name, one] of now) this.#reaches.set(name, one)
  }

  /** @throws {Fault} `CONFLICT` when two tools would have one name */
  async list(caller: Caller): Promise<AllTools> {
    const names = [...this.#reaches.keys()].toSorted()
    const lists = await Promise.all(names.map((name) => this.#toolsOf(name, caller)))
    const tools: Readonly<Record<string, unknown>>[] = []
    const passedOver: PassedOver[] = []
    const owners = new Map<string, string>()
    for (const [index, server] of names.entries()) {
      const listed = lists[index] ?? { reason: 'it was not asked' }
      if ('reason' in listed) {
        passedOver.push({ server, reason: listed.reason })
        continue
      }
      for (const tool of listed.tools) {
        const name = `${server}.${String(tool['name'])}`
        if (name.length > MAX_NAME) {
          passedOver.push({
            server,
            reason: `the name of a tool would have more than ${MAX_NAME} characters`,
          })
          continue
        }
        const other = owners.get(name)
        if (other !== undefined)
          throw new Fault(
            'CONFLICT',
            `The servers '${other}' and '${server}' both have a tool '${name}' here.`,
          )
        owners.set(name, server)
        tools.push({ ...tool, name })
      }
    }
    return { tools, passedOver }
  }

  /**
   * @param name `SERVER.TOOL`
   * @returns the answer, with the id of the request; null when no server has this name before its dot
   * @throws {Fault} when the server is not there, `CONFLICT` when two could be meant
   */
  async call(
    request: Request,
    name: string,
    caller: Caller,
    event: (text: string) => void,
    signal: AbortSignal,
  ): Promise<string | null> {
    const meant = [...this.#reaches.keys()].filter((server) => name.startsWith(`${server}.`))
    const [server, ...others] = meant
    if (server === undefined) return null
    if (others.length > 0 && (await this.#areBoth(name, meant, caller)))
      throw new Fault('CONFLICT', `Several servers have a tool '${name.slice(0, 200)}' here.`)
    const owner = others.length === 0 ? server : await this.#ownerOf(name, meant, caller)
    const tool = name.slice(owner.length + 1)
    const params = memberOf(request.text, 'params') ?? '{}'
    const renamed = withMembers(request.text, {
      params: withMembers(params, { name: JSON.stringify(tool) }),
    })
    return this.#memberOf(owner, caller).ask(request, renamed, caller, event, signal)
  }

  /** Ends those that nobody used since. @param before monotonic milliseconds */
  endIdle(before: number): void {
    for (const { member, lastUsed } of this.#held.values())
      if (member.isIdle && lastUsed < before) member.close()
  }

  close(): void {
    for (const { member } of this.#held.values()) member.close()
  }

  async #areBoth(name: string, servers: readonly string[], caller: Caller): Promise<boolean> {
    return (await this.#having(name, servers, caller)).length > 1
  }

  async #ownerOf(name: string, servers: readonly string[], caller: Caller): Promise<string> {
    const [owner] = await this.#having(name, servers, caller)
    // No list has it: the longest name of a server leaves the shortest name of a tool.
    return owner ?? servers.toSorted((a, b) => b.length - a.length)[0] ?? ''
  }

  async #having(
    name: string,
    servers: readonly string[],
    caller: Caller,
  ): Promise<readonly string[]> {
    const lists = await Promise.all(servers.map((server) => this.#toolsOf(server, caller)))
    return servers.filter((server, index) => {
      const listed = lists[index]
      return (
        listed !== undefined &&
        'tools' in listed &&
        listed.tools.some((tool) => `${server}.${String(tool['name'])}` === name)
      )
    })
  }

  async #toolsOf(
    name: string,
    caller: Caller,
  ): Promise<
    { readonly tools: readonly Readonly<Record<string, unknown>>[] } | { readonly reason: string }
  > {
    const failed = this.#failed.get(name)
    if (failed !== undefined && monotonicMs() - failed.at < REST_MS)
      return { reason: failed.reason }
    try {
      const member = this.#memberOf(name, caller)
      const signal = AbortSignal.timeout(LIST_MS)
      const tools = new Map<unknown, Readonly<Record<string, unknown>>>()
      let cursor: unknown
      for (let page = 0; page < MAX_PAGES; page += 1) {
        const params = cursor === undefined ? {} : { cursor }
        const result = await member.result('tools/list', params, signal)
        const listed: unknown = isObject(result) ? result['tools'] : undefined
        // Servers that repeat themselves from page to page are known.
        for (const tool of Array.isArray(listed) ? (listed as readonly unknown[]) : [])
          if (isObject(tool) && typeof tool['name'] === 'string' && !tools.has(tool['name']))
            tools.set(tool['name'], tool)
        const next = isObject(result) ? result['nextCursor'] : undefined
        if (typeof next !== 'string' || next === cursor) break
        cursor = next
      }
      this.#failed.delete(name)
      return { tools: [...tools.values()] }
    } catch (error) {
      const reason = asFault(error).message
      this.#failed.set(name, { reason, at: monotonicMs() })
      this.#log.warn('a server is passed over', { server: name, reason })
      return { reason }
    }
  }

  /** @throws {Fault} `NOT_FOUND` */
  #memberOf(name: string, caller: Caller): Member {
    const reach = this.#reaches.get(name)
    if (reach === undefined) throw new Fault('NOT_FOUND', `There is no server '${name}'.`)
    const known = this.#held.get(name)
    if (known !== undefined) {
      known.lastUsed = monotonicMs()
      return known.member
    }
    const member = new Member({
      ...this.#partsOf(() => this.#reaches.get(name) ?? { ...reach, policies: ['(gone)'] }),
      caller,
      onOver: () => {
        if (this.#held.get(name)?.member === member) this.#held.delete(name)
      },
    })
    this.#held.set(name, { member, key: keyOf(reach), lastUsed: monotonicMs() })
    return member
  }
}

function keyOf({ server, grant }: Reach): string {
  return `${server.createdAt} ${grant}`
}
