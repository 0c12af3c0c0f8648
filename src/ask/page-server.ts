import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { Readable } from 'node:stream'

export interface PageServer {
  /** `http://127.0.0.1:PORT` */
  readonly url: string
  close(): Promise<void>
  /** Like `close`, after what is being answered, if that is soon. */
  finish(): Promise<void>
}

const FINISH_MS = 2_000

type Answer = (
  request: Request,
  from: { readonly remoteAddress: string | null },
) => Promise<Response | null>

/**
 * Serves `answer` on a port of 127.0.0.1, a free one unless it is named. The server alone doesn't keep the process running.
 *
 * @throws the error of `listen`
 */
export async function servePages(answer: Answer, port = 0): Promise<PageServer> {
  const server = createServer(
    { requestTimeout: 30_000, maxHeaderSize: 16_384 },
    (request, response) => {
      reply(request, response, answer).catch(() => response.destroy())
    },
  )
  server.maxConnections = 64
  const listening = Promise.withResolvers<void>()
  server.once('error', listening.reject)
  server.listen({ host: '127.0.0.1', port, exclusive: true }, () => listening.resolve())
  await listening.promise
  server.unref()
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the page has no port')
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  return {
    url: `http://127.0.0.1:${address.port}`,
    close,
    async finish() {
      const late = setTimeout(() => server.closeAllConnections(), FINISH_MS)
      await new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeIdleConnections()
      })
      clearTimeout(late)
    },
  }
}

async function reply(
  request: IncomingMessage,
  response: ServerResponse,
  answer: Answer,
): Promise<void> {
  const answered = await answer(asRequest(request), {
    remoteAddress: request.socket.remoteAddress ?? null,
  })
  response.writeHead(answered?.status ?? 404, {
    ...Object.fromEntries(answered?.headers ?? []),
    // One page, one connection: nothing lingers that would keep the port busy.
    connection: 'close',
  })
  response.end(answered === null ? 'Not found' : Buffer.from(await answered.arrayBuffer()))
}

function asRequest(request: IncomingMessage): Request {
  const headers = new Headers()
  for (let at = 0; at + 1 < request.rawHeaders.length; at += 2)
    headers.append(request.rawHeaders[at] ?? '', request.rawHeaders[at + 1] ?? '')
  const method = request.method ?? 'GET'
  const hasBody = method !== 'GET' && method !== 'HEAD'
  // The address is only for its path: who was meant is judged by the Host header.
  const path = request.url?.startsWith('/') === true ? request.url : '/'
  return new Request(`http://127.0.0.1${path}`, {
    method,
    headers,
    ...(hasBody
      ? { body: Readable.toWeb(request) as ReadableStream, duplex: 'half' as const }
      : {}),
  })
}
