import assert from 'node:assert/strict'
import { type IncomingMessage } from 'node:http'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { ask, bodyOf, refusal, serve, textOf, way } from '../../test/support/outgoing.ts'
import { asFetch } from './as-fetch.ts'

test('redirects: without leave a redirect is the answer', async () => {
  const port = await serve((_request, response) => {
    response.writeHead(302, { location: '/there' }).end()
  })
  const answer = await way([]).request(ask(`http://127.0.0.1:${port}/`))
  assert.equal(answer.status, 302)
  assert.equal(answer.headers.get('location'), '/there')
})

for (const location of [
  'http://169.254.169.254/latest/meta-data/hidden',
  'https://169.254.169.254/latest/meta-data/hidden',
  'https://[::ffff:a9fe:a9fe]/hidden',
  'https://metadata.example/hidden',
  'https://10.0.0.1/hidden',
  '//10.0.0.1/hidden',
  'file:///etc/hidden',
])
  test(`redirects: to ${location} is refused, whoever named the first URL`, async () => {
    const port = await serve((_request, response) => {
      response.writeHead(307, { location }).end()
    })
    const out = way([], { 'metadata.example': ['169.254.169.254'] })
    await refusal(out.request(ask(`http://127.0.0.1:${port}/`, { redirects: 5 })), 'NET_REFUSED')
  })

test('redirects: another origin gets neither credentials nor a private address', async () => {
  const seen: IncomingMessage['headers'][] = []
  const other = await serve((request, response) => {
    seen.push(request.headers)
    response.end('there')
  })
  const port = await serve((request, response) => {
    const location = request.url === '/own' ? '/again' : `http://localhost:${other}/`
    response.writeHead(302, { location }).end()
  })
  const headers = {
    authorization: 'Bearer hidden',
    cookie: 'hidden',
    'x-api-key': 'hidden',
    accept: 'text/plain',
  }
  const asked = ask(`http://127.0.0.1:${port}/own`, { redirects: 5, headers })
  const table = { localhost: ['127.0.0.1'] }
  await refusal(way([], table).request(asked), 'NET_REFUSED')
  const answer = await way([`http://localhost:${other}`], table).request(asked)
  assert.equal(answer.body.toString(), 'there')
  assert.equal(answer.url.href, `http://localhost:${other}/`)
  assert.equal(seen.length, 1)
  const { connection: _connection, ...got } = seen[0] ?? {}
  assert.deepEqual(got, {
    host: `localhost:${other}`,
    accept: 'text/plain',
    'accept-encoding': 'gzip, br, deflate',
    'user-agent': 'sallyport',
  })
})

test('redirects: credentials that were dropped do not come back with the first origin', async () => {
  const authorized: (string | undefined)[] = []
  const other = await serve((_request, response) => {
    response.writeHead(302, { location: `http://127.0.0.1:${port}/end` }).end()
  })
  const port = await serve((request, response) => {
    authorized.push(request.headers.authorization)
    if (request.url === '/end') response.end('end')
    else response.writeHead(302, { location: `http://127.0.0.1:${other}/` }).end()
  })
  const out = way([`http://127.0.0.1:${other}`])
  const asked = ask(`http://127.0.0.1:${port}/`, { redirects: 5, headers: { authorization: 'x' } })
  assert.equal(await textOf(out, asked), 'end')
  assert.deepEqual(authorized, ['x', undefined])
})

test('redirects: five are followed, the sixth is not', async () => {
  const port = await serve((request, response) => {
    const left = Number(request.url?.slice(1))
    if (left === 0) response.end('end')
    else response.writeHead(301, { location: `/${left - 1}` }).end()
  })
  const out = way([])
  assert.equal(await textOf(out, ask(`http://127.0.0.1:${port}/5`, { redirects: 5 })), 'end')
  assert.equal(
    await refusal(out.request(ask(`http://127.0.0.1:${port}/6`, { redirects: 99 })), 'NET_FAILED'),
    `http://127.0.0.1:${port} redirects more than 5 times.`,
  )
})

const REWRITES: readonly [status: number, method: string, became: string, body: string][] = [
  [301, 'POST', 'GET', ''],
  [302, 'POST', 'GET', ''],
  [303, 'POST', 'GET', ''],
  [303, 'PUT', 'GET', ''],
  [307, 'POST', 'POST', 'text'],
  [308, 'PUT', 'PUT', 'text'],
]
for (const [status, method, became, body] of REWRITES)
  test(`redirects: ${method} after ${status} becomes ${became}`, async () => {
    const port = await serve(async (request, response) => {
      const text = await bodyOf(request)
      if (request.url === '/') response.writeHead(status, { location: '/next' }).end()
      else response.end(`${request.method} ${request.headers['content-type']} ${text}`)
    })
    const headers = { 'content-type': 'text/plain' }
    const asked = ask(`http://127.0.0.1:${port}/`, { method, body: 'text', redirects: 1, headers })
    const type = body === '' ? undefined : 'text/plain'
    assert.equal(await textOf(way([]), asked), `${became} ${type} ${body}`)
  })

test('redirects: a body is not carried to another origin', async () => {
  let requests = 0
  const other = await serve((_request, response) => {
    requests += 1
    response.end()
  })
  const port = await serve((_request, response) => {
    response.writeHead(307, { location: `http://127.0.0.1:${other}/hidden` }).end()
  })
  const out = way([`http://127.0.0.1:${other}`])
  await refusal(
    out.request(ask(`http://127.0.0.1:${port}/`, { method: 'POST', body: 'hidden', redirects: 5 })),
    'NET_REFUSED',
  )
  assert.equal(requests, 0)
})

test('deadline: over all redirects together', async () => {
  const port = await serve((_request, response) => {
    setTimeout(() => response.writeHead(302, { location: '/hidden' }).end(), 60)
  })
  await refusal(
    way([]).request(ask(`http://127.0.0.1:${port}/`, { deadlineMs: 150, redirects: 5 })),
    'NET_TIMED_OUT',
  )
})

test('asFetch: libraries get a Response, forms are sent as forms', async () => {
  const port = await serve(async (request, response) => {
    if (request.url === '/none') response.writeHead(204).end()
    else if (request.url === '/moved') response.writeHead(302, { location: '/' }).end()
    else {
      response.setHeader('content-encoding', 'gzip')
      response.end(
        gzipSync(
          JSON.stringify([
            request.method,
            request.headers['content-type'],
            request.headers['x-a'],
            await bodyOf(request),
          ]),
        ),
      )
    }
  })
  const limits = { audience: 'configured', deadlineMs: 5_000, maxResponseBytes: 1_000 } as const
  const fetched = asFetch(way([]), { ...limits, redirects: 5 })
  const at = `http://127.0.0.1:${port}`
  const response = await fetched(new URL(at), {
    method: 'POST',
    headers: new Headers({ 'x-a': 'b', 'content-type': 'application/x-www-form-urlencoded' }),
    body: new URLSearchParams({ a: 'b c' }),
  })
  assert.deepEqual(await response.json(), [
    'POST',
    'application/x-www-form-urlencoded',
    'b',
    'a=b+c',
  ])
  assert.equal((await fetched(`${at}/none`)).status, 204)
  assert.equal((await fetched(`${at}/moved`)).status, 200)
  assert.equal((await fetched(`${at}/moved`, { redirect: 'manual' })).status, 302)
  await assert.rejects(fetched(at, { signal: AbortSignal.abort(new Error('stop')) }), /stop/)
})
