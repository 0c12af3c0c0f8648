import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { test } from 'node:test'
import { ask, bodyOf, listening, refusal, serve, textOf, way } from '../../test/support/outgoing.ts'

test('request: method, path, query, headers and body arrive, status, headers and body come back', async () => {
  const port = await serve(async (request, response) => {
    const { method, url, headers } = request
    const { host, 'x-thing': thing, 'user-agent': agent } = headers
    const seen = { method, url, host, thing, agent, body: await bodyOf(request) }
    response.writeHead(418, { 'x-answer': 'a', 'set-cookie': ['b=1', 'c=2'] })
    response.end(JSON.stringify(seen))
  })
  const answer = await way([]).request(
    ask(`http://127.0.0.1:${port}/a%2Fb?c=d#e`, {
      method: 'POST',
      headers: { 'X-Thing': 'one' },
      body: 'text',
    }),
  )
  assert.equal(answer.status, 418)
  assert.equal(answer.headers.get('x-answer'), 'a')
  assert.deepEqual(answer.headers.getSetCookie(), ['b=1', 'c=2'])
  assert.deepEqual(JSON.parse(answer.body.toString()), {
    method: 'POST',
    url: '/a%2Fb?c=d',
    host: `127.0.0.1:${port}`,
    thing: 'one',
    agent: 'sallyport',
    body: 'text',
  })
})

const DISGUISES: readonly string[] = [
  'https://127.0.0.1',
  'https://2130706433',
  'https://0x7f000001',
  'https://017700000001',
  'https://127.1',
  'https://0177.0.0.1',
  'https://%31%32%37.0.0.1',
  'https://１２７.0.0.1',
  'https://[::1]',
  'https://[::]',
  'https://0.0.0.0',
  'https://0',
  'https://[::ffff:127.0.0.1]',
  'https://[::ffff:7f00:1]',
  'https://[64:ff9b::7f00:1]',
  'https://[2002:7f00:1::]',
  'https://169.254.169.254',
  'https://0xa9fea9fe',
  'https://[::ffff:169.254.169.254]',
  'https://[fd00:ec2::254]',
  'https://10.0.0.1',
  'https://100.64.0.1',
  'https://[fc00::1]',
  'https://[fe80::1]',
  'https://224.0.0.1',
]
for (const url of DISGUISES)
  test(`request: ${url} is not public, however it is written`, async () => {
    const port = await serve((_request, response) => response.end('in'))
    await refusal(
      way([]).request(ask(`${url}:${port}/hidden`, { audience: 'public' })),
      'NET_REFUSED',
    )
  })

test('request: a name is resolved once, and the connection goes to what was judged', async () => {
  const port = await serve((_request, response) => response.end('first'))
  await serve((_request, response) => response.end('second'), '127.0.0.2', port)
  const out = way([`http://rebind.example:${port}`], {
    'rebind.example': ['127.0.0.1', '127.0.0.2'],
  })
  assert.equal(
    await textOf(out, ask(`http://rebind.example:${port}/`, { audience: 'public' })),
    'first',
  )
  assert.deepEqual(out.asked, ['rebind.example'])
})

test('request: a name that turns private after its first answer gets no second connection', async () => {
  const port = await serve((_request, response) => {
    response.setHeader('connection', 'close')
    response.end('first')
  })
  const at = `http://rebind.example:${port}`
  const out = way([at], { 'rebind.example': ['127.0.0.1', '169.254.169.254'] })
  const asked = ask(`${at}/hidden`, { audience: 'public' })
  assert.equal(await textOf(out, asked), 'first')
  assert.equal(
    await refusal(out.request(asked), 'NET_REFUSED'),
    `${at} is at the metadata service of the machine.`,
  )
})

test('request: one private address among public ones refuses the name', async () => {
  const out = way([], { 'mixed.example': ['8.8.8.8 10.0.0.1'] })
  assert.equal(
    await refusal(
      out.request(ask('https://mixed.example/hidden', { audience: 'public' })),
      'NET_REFUSED',
    ),
    'https://mixed.example is at a private address.',
  )
})

test('request: of several addresses one that answers is enough', async () => {
  const port = await serve((_request, response) => response.end('here'), '127.0.0.2')
  const out = way([], { 'two.example': ['127.0.0.3 127.0.0.2'] })
  assert.equal(await textOf(out, ask(`http://two.example:${port}/`)), 'here')
})

test('request: a name without addresses', async () => {
  const out = way([], {})
  const asked = ask('https://none.example/hidden?hidden')
  assert.equal(
    await refusal(out.request(asked), 'NET_FAILED'),
    'https://none.example has no address.',
  )
})

test('request: nobody listens', async () => {
  const server = createServer()
  const port = await listening(server)
  server.close()
  await once(server, 'close')
  assert.equal(
    await refusal(way([]).request(ask(`http://127.0.0.1:${port}/hidden`)), 'NET_FAILED'),
    `http://127.0.0.1:${port} could not be reached (ECONNREFUSED).`,
  )
})

for (const name of ['Host', 'content-length', 'Transfer-Encoding', 'Proxy-Authorization', 'TE'])
  test(`headers: ${name} is not for callers`, async () => {
    const asked = ask('http://127.0.0.1:1/', { headers: { [name]: 'hidden' } })
    await refusal(way([]).request(asked), 'BAD_INPUT')
  })

test('headers: a line break is no header', async () => {
  const asked = ask('http://127.0.0.1:1/', { headers: { 'x-a': 'b\r\nhidden: c' } })
  await refusal(way([]).request(asked), 'BAD_INPUT')
})

test('an answer to HEAD has the encoding of no body', async () => {
  const port = await serve((_request, response) => {
    response.writeHead(200, { 'content-encoding': 'gzip', 'content-length': '4000000' }).end()
  })
  const answer = await way([]).request(ask(`http://127.0.0.1:${port}/`, { method: 'HEAD' }))
  assert.equal(answer.body.byteLength, 0)
})

test('a proxy of the environment is not asked', async () => {
  const port = await serve((_request, response) => response.end('itself'))
  for (const name of ['HTTP_PROXY', 'http_proxy', 'ALL_PROXY'])
    process.env[name] = 'http://127.0.0.1:1'
  try {
    assert.equal(await textOf(way([]), ask(`http://127.0.0.1:${port}/`)), 'itself')
  } finally {
    for (const name of ['HTTP_PROXY', 'http_proxy', 'ALL_PROXY']) delete process.env[name]
  }
})

test('connections are kept and used again for the same audience only', async () => {
  const sockets = new Set<unknown>()
  const port = await serve((request, response) => {
    sockets.add(request.socket)
    response.end()
  })
  const out = way([`http://kept.example:${port}`], { 'kept.example': ['127.0.0.1'] })
  for (let i = 0; i < 9; i++) await out.request(ask(`http://kept.example:${port}/`))
  // One that has just answered may not be free yet.
  const kept = sockets.size
  assert.ok(kept <= 2, String(kept))
  assert.equal(out.asked.length, kept)
  await out.request(ask(`http://kept.example:${port}/`, { audience: 'public' }))
  assert.equal(sockets.size, kept + 1)
})

test('open: chunks come as they are sent, and cancelling closes the connection', async () => {
  let gone: Promise<unknown> = Promise.resolve()
  const port = await serve((request, response) => {
    gone = once(request.socket, 'close')
    response.write('one')
  })
  const { status, body, cancel } = await way([]).open({
    ...ask(`http://127.0.0.1:${port}/`),
    idleMs: null,
    maxResponseBytes: null,
  })
  assert.equal(status, 200)
  for await (const chunk of body) {
    assert.equal(chunk.toString(), 'one')
    break
  }
  cancel()
  await gone
})

test('open: an answer that nobody reads is closed by cancelling it', async () => {
  let gone: Promise<unknown> = Promise.resolve()
  const port = await serve((request, response) => {
    gone = once(request.socket, 'close')
    response.write('one')
  })
  const { cancel } = await way([]).open({
    ...ask(`http://127.0.0.1:${port}/`),
    idleMs: null,
    maxResponseBytes: null,
  })
  cancel()
  await gone
})
