import type { Request } from '../mcp/wire/index.ts'
import { isObject } from './tool-call.ts'

/** What a client asked of a server for as long as its session lasts. A server that takes its place is told again. */
export class StandingRequests {
  readonly #requests = new Map<string, Request>()

  keep(request: Request): void {
    const { method, params } = request
    if (method === 'logging/setLevel') this.#requests.set('level', request)
    const isSubscribing = method === 'resources/subscribe'
    if (!isSubscribing && method !== 'resources/unsubscribe') return
    const uri = isObject(params?.value) ? params.value['uri'] : undefined
    if (typeof uri !== 'string') return
    if (isSubscribing) this.#requests.set(`resource ${uri}`, request)
    else this.#requests.delete(`resource ${uri}`)
  }

  clear(): void {
    this.#requests.clear()
  }

  all(): Iterable<Request> {
    return this.#requests.values()
  }
}
