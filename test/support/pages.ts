import { createServer } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import { openPages } from '../../src/app/open-pages.ts'
import type { OidcSettings } from '../../src/core/config.ts'
import { silentLog } from '../../src/core/log.ts'
import type { From, Pages } from '../../src/pages/index.ts'
import type { TestVault } from './vault.ts'

export interface ServedPages {
  readonly pages: Pages
  /** `http://localhost:PORT` */
  readonly site: string
  stop(): Promise<void>
}

/** The pages of a test's vault on a real listener of loopback. */
export async function servePages(
  vault: TestVault,
  oidc: OidcSettings | null = null,
): Promise<ServedPages> {
  const served: { pages: Pages | null } = { pages: null }
  const listener = getRequestListener(async (request, { incoming }) => {
    const address = incoming.socket.remoteAddress ?? null
    const page = await served.pages?.fetch(request, { peer: address, address, isSecure: false })
    return page ?? new Response('Not found.\n', { status: 404 })
  })
  const server = createServer((incoming, outgoing) => void listener(incoming, outgoing))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const settings = { ...vault.settings, oidc }
  served.pages = await openPages(vault, settings, `http://127.0.0.1:${port}`, silentLog)
  return {
    pages: served.pages,
    site: `http://localhost:${port}`,
    stop: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}

export const LOCAL: From = { peer: '127.0.0.1', address: '127.0.0.1', isSecure: false }

/** A browser without a window: it keeps cookies and sends forms as a browser does. */
export class FormBrowser {
  readonly #pages: Pages
  readonly #site: string
  readonly #from: From
  readonly cookies = new Map<string, string>()

  constructor(pages: Pages, site: string, from: From = LOCAL) {
    this.#pages = pages
    this.#site = site
    this.#from = from
  }

  get(path: string, headers: Readonly<Record<string, string | null>> = {}): Promise<Response> {
    return this.#send(path, {
      'sec-fetch-site': 'none',
      'sec-fetch-mode': 'navigate',
      'sec-fetch-dest': 'document',
      ...headers,
    })
  }

  /** Sends fields; `csrf` is taken from the page at the same path when it is not named. */
  async post(
    path: string,
    fields: Readonly<Record<string, string>>,
    headers: Readonly<Record<string, string | null>> = {},
    formAt: string = path,
  ): Promise<Response> {
    const csrf = fields['csrf'] ?? (await this.formToken(formAt))
    return this.#send(
      path,
      {
        'content-type': 'application/x-www-form-urlencoded',
        origin: this.#site,
        'sec-fetch-site': 'same-origin',
        'sec-fetch-mode': 'navigate',
        'sec-fetch-dest': 'document',
        ...headers,
      },
      new URLSearchParams({ ...fields, csrf }).toString(),
    )
  }

  /** What the script of the pages sends, with the form token of the sign-in page unless one is named. */
  async json(
    path: string,
    body: Readonly<Record<string, unknown>>,
    headers: Readonly<Record<string, string | null>> = {},
  ): Promise<Response> {
    const csrf = body['csrf'] ?? (await this.formToken('/sign-in'))
    return this.#send(
      path,
      {
        'content-type': 'application/json',
        origin: this.#site,
        'sec-fetch-site': 'same-origin',
        'sec-fetch-mode': 'cors',
        'sec-fetch-dest': 'empty',
        ...headers,
      },
      JSON.stringify({ ...body, csrf }),
    )
  }

  async formToken(path: string): Promise<string> {
    const body = await (await this.get(path)).text()
    return /name="csrf" value="([^"]*)"/.exec(body)?.[1] ?? ''
  }

  async #send(
    path: string,
    headers: Readonly<Record<string, string | null>>,
    body?: string,
  ): Promise<Response> {
    const all = { host: new URL(this.#site).host, 'user-agent': 'Test/1', ...headers }
    const sent = new Headers()
    for (const [name, value] of Object.entries(all)) if (value !== null) sent.set(name, value)
    if (!sent.has('cookie') && this.cookies.size > 0)
      sent.set('cookie', [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; '))
    const request = new Request(`${this.#site}${path}`, {
      headers: sent,
      ...(body === undefined ? {} : { method: 'POST', body }),
    })
    const response = await this.#pages.fetch(request, this.#from)
    if (response === null) throw new Error(`${path} is no page`)
    for (const line of response.headers.getSetCookie()) {
      const [pair = ''] = line.split(';')
      const [name = '', value = ''] = pair.split('=')
      if (value === '') this.cookies.delete(name)
      else this.cookies.set(name, value)
    }
    return response
  }
}

export async function titleOf(response: Response): Promise<string> {
  return /<h1>([^<]*)<\/h1>/.exec(await response.text())?.[1] ?? ''
}
