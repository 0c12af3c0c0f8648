import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { test } from 'node:test'
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib'
import { sleep } from '../../src/core/time.ts'
import { META } from '../../src/mcp/wire/index.ts'
import {
  events,
  eventually,
  gone,
  INITIALIZED,
  json,
  scripted,
  upstreamAt,
  withSession,
} from '../support/http-upstream.ts'

const ODD =
  ' {"result" : {"n":12345678901234567890,"m":1.0,"e":"\\u00e9","x":1e3,"content":[]} ,"id":7,"jsonrpc":"2.0","trace":1}'
const modernMeta = { [META.version]: '2026-07-28', [META.capabilities]: {} }

test('a message goes as it was written, and so does its answer', async () => {
  const sent =
    ' {"id":7 ,"jsonrpc":"2.0","method":"vendor/x","params":{"n":12345678901234567890,"e":"\\u00e9","m":1.0}} '
  const server = await scripted((_got, response) => json(response, ODD))
  const end = upstreamAt(server.url)
  end.send(sent)
  await end.hears('12345678901234567890')
  assert.deepEqual(end.heard, [`n7 ${ODD}`])
  assert.equal(server.got[0]?.body, sent)
  assert.equal(server.got[0]?.headers.accept, 'application/json, text/event-stream')
  assert.equal(server.got[0]?.headers['content-type'], 'application/json')
  assert.equal(server.got[0]?.headers['mcp-session-id'], undefined)
})

test('a session: its id and version go with all that follows, and it is ended', async () => {
  const server = await scripted(
    withSession(({ rpc }, response) => json(response, { id: rpc.id, result: {} })),
  )
  const end = upstreamAt(server.url)
  await end.begin()
  await end.ask(1, 'tools/list')
  await end.upstream.close()
  await server.reached(({ method }) => method === 'DELETE')
  assert.deepEqual(
    server.got
      .map(({ method, rpc, headers }) =>
        [method, rpc.method, headers['mcp-session-id'], headers['mcp-protocol-version']].join(' '),
      )
      .toSorted(),
    [
      'DELETE  session-1 2025-11-25',
      'GET  session-1 2025-11-25',
      'POST initialize  ',
      'POST notifications/initialized session-1 2025-11-25',
      'POST tools/list session-1 2025-11-25',
    ],
  )
})

test('nothing overtakes the notice that the client is ready', async () => {
  let isReady = false
  const server = await scripted((got, response) => {
    if (got.rpc.method === 'notifications/initialized')
      setTimeout(() => {
        isReady = true
        response.writeHead(202).end()
      }, 60)
    else if (got.rpc.method === 'tools/list')
      json(response, { id: got.rpc.id, result: { isReady } })
    else withSession(() => {})(got, response)
  })
  const end = upstreamAt(server.url)
  await end.begin()
  assert.deepEqual((await end.ask(1, 'tools/list')).result, { isReady: true })
})

test('modern messages: no session, no GET, and headers that say what the body says', async () => {
  const server = await scripted(({ rpc }, response) => {
    response.setHeader('mcp-session-id', 'not-for-this-revision')
    if (rpc.method === 'tools/list')
      json(response, {
        id: rpc.id,
        result: {
          tools: [
            {
              name: 'search',
              inputSchema: {
                type: 'object',
                properties: { region: { type: 'string', 'x-mcp-header': 'Region' } },
              },
            },
          ],
        },
      })
    else json(response, { id: rpc.id, result: { resultType: 'complete' } })
  })
  const end = upstreamAt(server.url)
  await end.ask(1, 'server/discover', { _meta: modernMeta })
  await end.ask(2, 'tools/list', { _meta: modernMeta })
  await end.ask(3, 'tools/call', {
    name: 'search',
    arguments: { region: 'süd', q: 'x' },
    _meta: modernMeta,
  })
  await end.upstream.close()
  const names = ['mcp-protocol-version', 'mcp-method', 'mcp-name', 'mcp-param-region']
  assert.deepEqual(
    server.got.map(({ method, headers }) => [
      method,
      headers['mcp-session-id'],
      ...names.map((name) => headers[name]),
    ]),
    [
      ['POST', undefined, '2026-07-28', 'server/discover', undefined, undefined],
      ['POST', undefined, '2026-07-28', 'tools/list', undefined, undefined],
      ['POST', undefined, '2026-07-28', 'tools/call', 'search', '=?base64?c8O8ZA==?='],
    ],
  )
})

test('a tool that wants headers which no list told of yet is asked about once', async () => {
  const server = await scripted(({ rpc, headers }, response) => {
    if (rpc.method === 'tools/list')
      json(
        response,
        rpc.params?.['cursor'] === undefined
          ? { id: rpc.id, result: { tools: [], nextCursor: 'two' } }
          : {
              id: rpc.id,
              result: {
                tools: [
                  {
                    name: 'search',
                    inputSchema: {
                      type: 'object',
                      properties: { a: { type: 'integer', 'x-mcp-header': 'A' } },
                    },
                  },
                ],
              },
            },
      )
    else if (headers['mcp-param-a'] === '5') json(response, { id: rpc.id, result: { ok: true } })
    else json(response, { id: rpc.id, error: { code: -32020, message: 'mismatch' } }, 400)
  })
  const end = upstreamAt(server.url)
  const call = (id: number, name: string) =>
    end.ask(id, 'tools/call', { name, arguments: { a: 5 }, _meta: modernMeta })
  assert.deepEqual((await call(1, 'search')).result, { ok: true })
  assert.equal((await call(2, 'other')).error?.code, -32020)
  assert.deepEqual(
    server.got.map(({ rpc }) => rpc.method),
    [
      'tools/call',
      'tools/list',
      'tools/list',
      'tools/call',
      'tools/call',
      'tools/list',
      'tools/list',
    ],
  )
  assert.equal(
    end.heard.some((one) => one.includes('nextCursor')),
    false,
  )
})

test('requests run beside each other, and each is heard on its own stream', async () => {
  const waiting: (() => void)[] = []
  const server = await scripted(({ rpc }, response) => {
    waiting.push(() => {
      events(
        response,
        `data: {"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":${rpc.id},"progress":1}}\n\n` +
          `data: {"jsonrpc":"2.0","id":${rpc.id},\ndata: "result":{}}\n\n`,
      ).end()
    })
    if (waiting.length === 40) for (const go of waiting.toReversed()) go()
  })
  const end = upstreamAt(server.url)
  for (let id = 1; id <= 40; id += 1) end.send({ id, method: 'tools/call', params: { name: 'a' } })
  await eventually(
    () => (end.heard.length === 80 ? true : undefined),
    () => String(end.heard.length),
  )
  for (const one of end.heard) {
    const about = /^n(\d+) /.exec(one)?.[1]
    assert.match(one, new RegExp(`"(?:progressToken|id)":${about}\\b`))
  }
  assert.equal(end.upstream.open, 0)
})

const compressed: readonly [encoding: string, bytes: (text: string) => Buffer][] = [
  ['gzip', gzipSync],
  ['br', brotliCompressSync],
  ['deflate', deflateSync],
  ['deflate', deflateRawSync],
]
for (const [index, [encoding, compress]] of compressed.entries())
  test(`a body in ${encoding} is read (${index})`, async () => {
    const server = await scripted((_got, response) => {
      response
        .writeHead(200, { 'content-type': 'application/json', 'content-encoding': encoding })
        .end(compress(ODD))
    })
    const end = upstreamAt(server.url)
    end.send({ id: 7, method: 'tools/list' })
    await end.hears('"m":1.0')
    assert.deepEqual(end.heard, [`n7 ${ODD}`])
  })

for (const [index, [encoding, compress]] of compressed.entries())
  test(`a bomb in ${encoding} is not unpacked (${index})`, async () => {
    const bomb = compress(`"${'0'.repeat(50_000_000)}"`)
    const server = await scripted((_got, response) => {
      response
        .writeHead(200, { 'content-type': 'application/json', 'content-encoding': encoding })
        .end(bomb)
    })
    const end = upstreamAt(server.url, { maxMessageBytes: 100_000 })
    end.send({ id: 7, method: 'tools/list' })
    assert.match(await end.fails('7'), /^7 lost .*more than 100000 bytes/)
  })

const refusals: readonly [
  what: string,
  status: number,
  body: string,
  type: string,
  failed: RegExp,
][] = [
  ['401', 401, 'no', 'text/plain', /^7 refused-by-server .*HTTP 401\. It wants credentials/],
  ['403', 403, '', 'text/plain', /^7 refused-by-server .*HTTP 403/],
  ['404', 404, '{}', 'application/json', /^7 refused-by-server .*HTTP 404/],
  ['429', 429, '', 'text/plain', /^7 refused-by-server .*HTTP 429/],
  ['500', 500, 'a secret trace', 'text/plain', /^7 lost The server answered with HTTP 500\.$/],
  ['a redirect', 307, '', 'text/plain', /^7 lost .*HTTP 307\. It is at another address/],
  ['202', 202, '', 'text/plain', /^7 lost .*answered nothing/],
  ['a page', 200, '<html>', 'text/html', /^7 lost .*answered nothing/],
  ['an empty stream', 200, '', 'text/event-stream', /^7 lost .*ended before the answer/],
  ['no JSON', 200, '{', 'application/json', /^7 lost The server did not answer/],
  [
    'the answer to another',
    200,
    '{"jsonrpc":"2.0","id":8,"result":{}}',
    'application/json',
    /^7 lost The server did not answer/,
  ],
]
for (const [what, status, body, type, failed] of refusals)
  test(`a request without an answer: ${what}`, async () => {
    const server = await scripted((_got, response) => {
      response.writeHead(status, { 'content-type': type, location: '/elsewhere' }).end(body)
    })
    const end = upstreamAt(server.url)
    end.send({ id: 7, method: 'tools/call', params: { name: 'a' } })
    assert.match(await end.fails('7'), failed)
    assert.equal(server.got.length, 1)
  })

test('a server that is not there never got it', async () => {
  const server = await scripted(() => {})
  const port = Number(new URL(server.url).port)
  const end = upstreamAt(`http://127.0.0.1:${port === 65_535 ? 1 : 9}/mcp`)
  end.send({ id: 7, method: 'tools/call', params: { name: 'a' } })
  assert.match(await end.fails('7'), /^7 never-sent/)
})

test('a server that breaks off, or is silent, may have run it', async () => {
  const server = await scripted((got, response) => {
    if (got.rpc.id === 1) response.destroy()
  })
  const end = upstreamAt(server.url, { answerMs: 80 })
  end.send({ id: 1, method: 'tools/call', params: { name: 'a' } })
  assert.match(await end.fails('1 '), /^1 lost .*broke the connection off/)
  end.send({ id: 2, method: 'tools/call', params: { name: 'a' } })
  assert.match(await end.fails('2 '), /^2 lost .*did not answer within 80 ms/)
})

test('an error of the protocol is an answer, whatever its status', async () => {
  const ids = [null, 'server-error', 9, 3, undefined, undefined, undefined]
  const statuses = [400, 400, 500, 404, 400, 500, 200]
  const server = await scripted(({ rpc }, response) => {
    const error = { code: -32601, message: `no ${rpc.id}` }
    json(response, { id: ids[Number(rpc.id)], error }, statuses[Number(rpc.id)])
  })
  const end = upstreamAt(server.url)
  for (const id of ids.keys())
    assert.deepEqual((await end.ask(id, 'vendor/x')).error, { code: -32601, message: `no ${id}` })
  assert.deepEqual(end.failed, [])
})

test('an error without an id on the stream of a call is its answer', async () => {
  const server = await scripted((_got, response) => {
    events(response, 'data: {"jsonrpc":"2.0","error":{"code":-32602,"message":"bad"}}\n\n').end()
  })
  const end = upstreamAt(server.url)
  assert.deepEqual((await end.ask('a', 'vendor/x')).error, { code: -32602, message: 'bad' })
})

const MARK = Buffer.from([0xef, 0xbb, 0xbf])
const JSON_TYPE = { 'content-type': 'application/json' }
const MARKED: readonly [what: string, send: (response: ServerResponse, body: Buffer) => void][] = [
  [
    'of a known length',
    (response, body) =>
      response.writeHead(200, { ...JSON_TYPE, 'content-length': body.length }).end(body),
  ],
  ['of no length', (response, body) => response.writeHead(200, JSON_TYPE).end(body)],
  [
    'compressed',
    (response, body) =>
      response.writeHead(200, { ...JSON_TYPE, 'content-encoding': 'gzip' }).end(gzipSync(body)),
  ],
  [
    'cut within the mark',
    async (response, body) => {
      response.writeHead(200, JSON_TYPE).write(body.subarray(0, 1))
      await sleep(20)
      response.end(body.subarray(1))
    },
  ],
]
for (const [what, send] of MARKED)
  test(`one byte order mark before an answer counts for nothing: ${what}`, async () => {
    const server = await scripted(({ rpc }, response) => {
      const pad = rpc.method === 'large' ? 'x'.repeat(3_000_000) : ''
      const answer = Buffer.from(`{"jsonrpc":"2.0","id":${rpc.id},"result":{"pad":"${pad}"}}`)
      send(response, Buffer.concat([...(rpc.method === 'two' ? [MARK] : []), MARK, answer]))
    })
    const end = upstreamAt(server.url)
    await end.ask(1, 'one')
    assert.equal(end.heard[0], 'n1 {"jsonrpc":"2.0","id":1,"result":{"pad":""}}')
    // The second is taken up as what is too large for memory.
    for (const id of [2, 3]) await end.ask(id, 'large')
    end.send({ id: 4, method: 'two' })
    await end.fails('4 lost')
  })

test('an error behind a byte order mark has its words, whatever its status', async () => {
  const server = await scripted((_got, response) => {
    const error = '{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"bad"}}'
    response.writeHead(400, JSON_TYPE).end(Buffer.concat([MARK, Buffer.from(error)]))
  })
  const end = upstreamAt(server.url)
  assert.equal((await end.ask(1, 'vendor/x')).error?.message, 'bad')
})

test('what a server asks on the stream of a call is answered by a POST of its own', async () => {
  let finish = (): void => {}
  const server = await scripted(
    withSession(({ rpc }, response) => {
      if (rpc.method === 'tools/call') {
        events(response, 'data: {"jsonrpc":"2.0","id":"q","method":"roots/list"}\n\n')
        finish = () =>
          response.end(`data: {"jsonrpc":"2.0","id":${String(rpc.id)},"result":{}}\n\n`)
      } else {
        response.writeHead(202).end()
        finish()
      }
    }),
  )
  const end = upstreamAt(server.url)
  await end.begin()
  end.send({ id: 3, method: 'tools/call', params: { name: 'a' } })
  await end.hears('roots/list')
  end.send({ id: 'q', result: { roots: [] } })
  await end.hears('"id":3')
  assert.deepEqual(end.heard.slice(1), [
    'n3 {"jsonrpc":"2.0","id":"q","method":"roots/list"}',
    'n3 {"jsonrpc":"2.0","id":3,"result":{}}',
  ])
  const answer = server.got.find(({ rpc }) => rpc.result !== undefined)
  assert.equal(answer?.body, '{"jsonrpc":"2.0","id":"q","result":{"roots":[]}}')
  assert.equal(answer.headers['mcp-session-id'], 'session-1')
})

test('a stream that ends before its answer is resumed where it ended', async () => {
  let resumed = 0
  const server = await scripted(
    withSession(({ method, headers }, response) => {
      if (method === 'POST') events(response, 'id: e1\nretry: 10\ndata:\n\n').end()
      else {
        resumed += 1
        assert.equal(headers['last-event-id'], `e${resumed}`)
        assert.equal(headers['mcp-session-id'], 'session-1')
        events(
          response,
          resumed < 3
            ? `id: e${resumed + 1}\ndata: {"jsonrpc":"2.0","method":"notifications/message","params":{"data":${resumed}}}\n\n`
            : 'data: {"jsonrpc":"2.0","id":5,"result":{"late":true}}\n\n',
        ).end()
      }
    }),
  )
  const end = upstreamAt(server.url)
  await end.begin()
  assert.deepEqual((await end.ask(5, 'tools/call', { name: 'a' })).result, { late: true })
  assert.deepEqual(
    end.heard.slice(1).map((one) => one.slice(0, 2)),
    ['n5', 'n5', 'n5'],
  )
})

test('a stream that ends behind its last line has said it, and one that ends within a message has not', async () => {
  const server = await scripted(({ rpc }, response) => {
    const answer = `data: {"jsonrpc":"2.0","id":${rpc.id},"result":{"said":true}}`
    events(response, rpc.id === 1 ? answer : answer.slice(0, -1)).end()
  })
  const end = upstreamAt(server.url)
  assert.deepEqual((await end.ask(1, 'vendor/x')).result, { said: true })
  end.send({ id: 2, method: 'vendor/x' })
  assert.match(await end.fails('2 '), /^2 lost .*ended before the answer/)
})

test('a stream without ids is not resumed', async () => {
  const server = await scripted(
    withSession((_got, response) => {
      events(response, 'data: {"jsonrpc":"2.0","method":"notifications/x"}\n\n').end()
    }),
  )
  const end = upstreamAt(server.url)
  await end.begin()
  end.send({ id: 5, method: 'tools/call', params: { name: 'a' } })
  assert.match(await end.fails('5 '), /^5 lost .*ended before the answer/)
})

test('the stream of what a server says of its own accord is opened anew', async () => {
  let opened = 0
  const server = await scripted((got, response) => {
    if (got.method !== 'GET') return withSession(() => {})(got, response)
    opened += 1
    assert.equal(got.headers['last-event-id'], opened === 1 ? undefined : `g${opened - 1}`)
    const stream = events(
      response,
      `id: g${opened}\nretry: 5\ndata: {"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{"n":${opened}}}\n\n`,
    )
    if (opened < 3) stream.end()
    return undefined
  })
  const end = upstreamAt(server.url)
  await end.begin()
  await end.hears('"n":3')
  assert.deepEqual(
    end.heard.slice(1).map((one) => `${one[0]} ${/"n":(\d)/.exec(one)?.[1]}`),
    ['- 1', '- 2', '- 3'],
  )
})

test('a modern call is cancelled by closing its stream', async () => {
  let isClosed = false
  const server = await scripted(async (_got, response) => {
    events(response, ': here\n\n')
    await gone(response)
    isClosed = true
  })
  const end = upstreamAt(server.url)
  end.send({ id: 'a', method: 'tools/call', params: { name: 'a', _meta: modernMeta } })
  await server.reached(() => true)
  end.send({ method: 'notifications/cancelled', params: { requestId: 'a' } })
  await eventually(
    () => (isClosed ? true : undefined),
    () => 'the end of the stream',
  )
  assert.equal(server.got.length, 1)
  assert.deepEqual(end.failed, [])
})

test('a legacy call is cancelled by a notification', async () => {
  const server = await scripted(
    withSession((got, response) => {
      if (got.rpc.method === 'notifications/cancelled') response.writeHead(202).end()
    }),
  )
  const end = upstreamAt(server.url)
  await end.begin()
  end.send({ id: 4, method: 'tools/call', params: { name: 'a' } })
  await server.reached(({ rpc }) => rpc.id === 4)
  end.send({ method: 'notifications/cancelled', params: { requestId: 4 } })
  await server.reached(({ rpc }) => rpc.method === 'notifications/cancelled')
})

test('credentials go with every request, and are renewed once when they are refused', async () => {
  let token = 'old'
  let renewals = 0
  const server = await scripted((got, response) => {
    if (got.headers.authorization !== 'Bearer new')
      response.writeHead(401, { 'www-authenticate': 'Bearer scope="a"' }).end()
    else json(response, { id: got.rpc.id, result: {} })
  })
  const credentials = {
    headers: async () => ({ authorization: `Bearer ${token}` }),
    renew: async (challenge: string | null, refused: Readonly<Record<string, string>>) => {
      assert.equal(challenge, 'Bearer scope="a"')
      assert.equal(refused['authorization'], `Bearer ${token}`)
      renewals += 1
      if (renewals === 1) token = 'new'
    },
  }
  const end = upstreamAt(server.url, { credentials })
  assert.deepEqual((await end.ask(1, 'tools/list')).result, {})
  token = 'revoked'
  end.send({ id: 2, method: 'tools/list' })
  assert.match(await end.fails('2 '), /HTTP 401/)
  assert.equal(server.got.length, 3)
})

test('the way of 2024-11-05: a stream that names where to send', async () => {
  let say: (text: string) => void = () => {}
  const server = await scripted((got, response) => {
    if (got.method === 'POST' && got.url === '/mcp') response.writeHead(405).end()
    else if (got.method === 'GET') {
      const stream = events(response, 'event: endpoint\ndata: /messages?session=1\n\n')
      say = (text) => void stream.write(`event: message\ndata: ${text}\n\n`)
    } else {
      assert.equal(got.url, '/messages?session=1')
      response.writeHead(202).end('Accepted')
      if (got.rpc.method === 'initialize')
        say(JSON.stringify({ jsonrpc: '2.0', id: got.rpc.id, result: INITIALIZED }))
      else if (got.rpc.id === 7) say(ODD)
    }
  })
  const end = upstreamAt(server.url)
  await end.begin('2024-11-05')
  end.send({ id: 7, method: 'tools/list' })
  await end.hears('1e3')
  assert.equal(end.heard.at(-1), `n7 ${ODD}`)
  say('{"jsonrpc":"2.0","method":"notifications/x"}')
  await end.hears('notifications/x')
  assert.equal(end.heard.at(-1), '- {"jsonrpc":"2.0","method":"notifications/x"}')
})

test('a stream of the old way that ends behind its last line has said it', async () => {
  let close = (): void => {}
  const server = await scripted((got, response) => {
    if (got.method === 'POST' && got.url === '/mcp') response.writeHead(422).end()
    else if (got.method === 'GET') {
      const stream = events(response, 'event: endpoint\ndata: /messages\n\n')
      close = () =>
        stream.end(`data: ${JSON.stringify({ jsonrpc: '2.0', id: 0, result: INITIALIZED })}`)
    } else {
      response.writeHead(202).end()
      close()
    }
  })
  const end = upstreamAt(server.url)
  assert.deepEqual((await end.ask(0, 'initialize')).result, INITIALIZED)
})

test('a stream that names another origin is no server', async () => {
  const server = await scripted((got, response) => {
    if (got.method === 'POST') response.writeHead(405).end()
    else events(response, 'event: endpoint\ndata: http://127.0.0.1:1/messages\n\n')
  })
  const end = upstreamAt(server.url)
  end.send({ id: 1, method: 'initialize', params: {} })
  assert.match(await end.fails('1 '), /HTTP 405/)
  assert.equal(server.got.length, 2)
})

test('a stream of the old way that ends loses what was open, and is begun again for what follows', async () => {
  let streams = 0
  let drop: () => void = () => {}
  let say: (text: string) => void = () => {}
  const server = await scripted((got, response) => {
    if (got.method === 'POST' && got.url === '/mcp') response.writeHead(404).end()
    else if (got.method === 'GET') {
      streams += 1
      const stream = events(response, `event: endpoint\ndata: ?s=${streams}\n\n`)
      say = (text) => void stream.write(`data: ${text}\n\n`)
      drop = () => stream.end()
    } else {
      response.writeHead(202).end()
      const { id, method } = got.rpc
      if (method === 'initialize') say(JSON.stringify({ jsonrpc: '2.0', id, result: INITIALIZED }))
      else if (method === 'tools/list')
        say(JSON.stringify({ jsonrpc: '2.0', id, result: { at: got.url } }))
    }
  })
  const end = upstreamAt(server.url)
  await end.begin('2024-11-05')
  end.send({ id: 1, method: 'tools/call', params: { name: 'a' } })
  await server.reached(({ rpc }) => rpc.id === 1)
  drop()
  assert.match(await end.fails('1 '), /^1 lost/)
  assert.deepEqual((await end.ask(2, 'tools/list')).result, { at: '/mcp?s=2' })
})
