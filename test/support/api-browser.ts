import type { OpenedSession } from '../../src/core/people-port.ts'
import type { ApiReply, TestApi } from './api.ts'

export type Fields = Readonly<Record<string, string | null>>

/** Scripts of a page of ours in a browser where somebody is signed in: they keep the cookie and send what browsers do. */
export class ApiBrowser {
  readonly #api: TestApi
  /** `sallyport-session=…`, or empty once it was taken away. */
  cookie: string
  #token: string | null = null

  constructor(api: TestApi, { cookie }: Pick<OpenedSession, 'cookie'>) {
    this.#api = api
    this.cookie = `sallyport-session=${cookie}`
  }

  /** The token of the session, asked for once. */
  async token(): Promise<string> {
    if (this.#token !== null) return this.#token
    const { status, body } = await this.send('GET', '/v1/auth/session')
    if (status !== 200) throw new Error(`the session answered ${status}`)
    this.#token = (body as { csrf_token: string }).csrf_token
    return this.#token
  }

  /** @param headers instead of what a script of ours sends; null: without the field */
  async call(
    method: string,
    target: string,
    body?: unknown,
    headers: Fields = {},
  ): Promise<ApiReply> {
    return this.send(method, target, body, { 'x-csrf-token': await this.token(), ...headers })
  }

  /** Without the token. */
  async send(
    method: string,
    target: string,
    body?: unknown,
    headers: Fields = {},
  ): Promise<ApiReply> {
    const all: Fields = {
      'sec-fetch-site': 'same-origin',
      'sec-fetch-mode': 'cors',
      'sec-fetch-dest': 'empty',
      'user-agent': 'Test/1',
      ...(method === 'GET' ? {} : { origin: this.#api.baseUrl }),
      ...(this.cookie === '' ? {} : { cookie: this.cookie }),
      ...headers,
    }
    const sent = Object.entries(all).filter((one): one is [string, string] => one[1] !== null)
    const reply = await this.#api.ask(target, { method, body, headers: Object.fromEntries(sent) })
    const set = reply.headers.get('set-cookie')
    if (set !== null) {
      const [pair = ''] = set.split(';')
      this.cookie = pair.endsWith('=') ? '' : pair
      this.#token = null
    }
    return reply
  }
}
