// Streams of servers over HTTP that end, break off or are refused, and what is opened in their place.
import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { test } from 'node:test'
import { monotonicMs, sleep } from '../../src/core/time.ts'
import {
  events,
  eventually,
  INITIALIZED,
  json,
  scripted,
  upstreamAt,
  withSession,
} from '../support/http-upstream.ts'

const changed = (n: number): string =>
  `data: {"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{"n":${n}}}\n\n`

/** A server whose stream of its own ends at once and asks to be opened anew; the rest is told by the number of the GET. */
async function listenedTo(open: (n: number, response: ServerResponse) => unknown) {
  const opened: number[] = []
  let sessions = 0
  const server = await scripted((got, response) => {
    if (got.method !== 'GET') {
      const answered = withSession(
        ({ rpc }) => json(response, { id: rpc.id, result: {} }),
        () => {
          sessions += 1
          return `session-${sessions}`
        },
      )
      return answered(got, response)
    }
    opened.push(monotonicMs())
    return open(opened.length, response)
  })
  return { server, opened, sessions: () => sessions }
}

const passing: readonly [
  what: string,
  status: number,
  headers: Record<string, string>,
  ms: number,
][] = [
  ['409', 409, {}, 1_000],
  ['429', 429, {}, 1_000],
  ['400', 400, {}, 1_000],
  ['503', 503, {}, 1_000],
  ['409 for two seconds', 409, { 'retry-after': '2' }, 2_000],
  ['503 for two seconds', 503, { 'retry-after': '2' }, 2_000],
  ['429 for no time', 429, { 'retry-after': '0' }, 1_000],
  ['429 until a time that is past', 429, { 'retry-after': new Date(0).toUTCString() }, 1_000],
  ['a page', 200, { 'content-type': 'text/html' }, 1_000],
]
test('the stream of what a server says of its own accord outlives a refusal', async () => {
  await Promise.all(
    passing.map(async ([what, status, headers, ms]) => {
      const { server, opened } = await listenedTo((n, response) => {
        if (n === 2) response.writeHead(status, headers).end()
        else {
          const stream = events(response, `id: g${n}\nretry: 5\n${changed(n)}`)
          if (n === 1) stream.end()
        }
      })
      const end = upstreamAt(server.url)
      await end.begin()
      await end.hears('"n":3')
      const [, refused = 0, again = 0] = opened
      assert.ok(again - refused > ms - 5, `${what}: ${again - refused}`)
      const last = server.got.findLast(({ method }) => method === 'GET')
      assert.equal(last?.headers['last-event-id'], status === 400 ? undefined : 'g1', what)
    }),
  )
})

test('a stream that a server does not have is not asked for again', async () => {
  await Promise.all(
    [400, 401, 403, 404, 405, 406, 409].map(async (status) => {
      const { server, opened, sessions } = await listenedTo((_n, response) => {
        response.writeHead(status).end()
      })
      const end = upstreamAt(server.url)
      await end.begin()
      await server.reached(({ method }) => method === 'GET')
      await sleep(1_300)
      assert.deepEqual([opened.length, sessions()], [1, 1], String(status))
    }),
  )
})

test('a stream that a server has no more is not asked for again', async () => {
  await Promise.all(
    [401, 403, 405].map(async (status) => {
      const { server, opened } = await listenedTo((n, response) => {
        if (n === 1) events(response, `retry: 5\n${changed(n)}`).end()
        else response.writeHead(status).end()
      })
      const end = upstreamAt(server.url)
      await end.begin()
      await server.reached(({ method }) => method === 'GET')
      await sleep(1_300)
      assert.equal(opened.length, 2, String(status))
    }),
  )
})

test('a server that wants its stream opened anew at once is not asked in a loop', async () => {
  const { server, opened } = await listenedTo((n, response) => {
    events(response, `id: g${n}\nretry: 0\n\n`).end()
  })
  const end = upstreamAt(server.url)
  await end.begin()
  await server.reached(({ method }) => method === 'GET')
  await sleep(600)
  assert.ok(opened.length > 2 && opened.length < 14, String(opened.length))
})

test('a stream goes on behind the last id that can stand in a header, in the bytes that it came in', async () => {
  const bytes = (text: string): Buffer => Buffer.from(text, 'utf8')
  const shown = (text: string): string => bytes(text).toString('latin1')
  const cases: readonly [streams: readonly Buffer[], asked: readonly (string | undefined)[]][] = [
    [
      [bytes('id: 1\n\nid: é2 😀\n\n'), bytes('id: 3\n\n')],
      [shown('é2 😀'), '3'],
    ],
    [[Buffer.from('id: \xff\xe92\n\n', 'latin1')], ['\xff\xe92']],
    [
      [bytes('id: 1\n\nid: a\u0001b\n\nid: a\u007f\n\n'), bytes('id: \u001b\n\n')],
      ['1', '1'],
    ],
    [
      [bytes('id: 1\n\n'), bytes('id\n\n')],
      ['1', undefined],
    ],
  ]
  await Promise.all(
    cases.map(async ([streams, asked]) => {
      const got: (string | undefined)[] = []
      const server = await scripted((one, response) => {
        if (one.method !== 'GET') return withSession(() => {})(one, response)
        if (got.length <= streams.length) got.push(one.headers['last-event-id'] as string)
        const stream = events(response, 'retry: 5\n\n')
        const ending = streams[got.length - 1]
        if (ending !== undefined) stream.end(ending)
        return undefined
      })
      await upstreamAt(server.url).begin()
      await eventually(
        () => (got.length > streams.length ? true : undefined),
        () => got.join(' '),
      )
      assert.deepEqual(got, [undefined, ...asked])
    }),
  )
})

const LOST: readonly [what: string, refuse: (response: ServerResponse) => unknown][] = [
  ['404', (response) => response.writeHead(404).end()],
  ['400 in words', (response) => response.writeHead(400).end('No valid session ID provided')],
  [
    '400 with an error without an id',
    (response) => json(response, { error: { code: -32_000, message: 'No valid session' } }, 400),
  ],
]
for (const [what, refuse] of LOST)
  test(`a lost session that cannot be begun again at once is begun again later, unasked: ${what}`, async () => {
    let begun = 0
    let opened = 0
    const server = await scripted((got, response) => {
      if (got.method === 'GET') {
        opened += 1
        if (got.headers['mcp-session-id'] === 'session-3') return events(response, changed(3))
        if (opened === 1) return events(response, 'retry: 5\n\n').end()
        return refuse(response)
      }
      if (got.rpc.method === 'initialize') begun += 1
      if (got.rpc.method === 'initialize' && begun === 2) return response.writeHead(503).end()
      return withSession(
        () => {},
        () => `session-${begun}`,
      )(got, response)
    })
    const end = upstreamAt(server.url)
    await end.begin()
    await end.hears('"n":3')
    assert.equal(begun, 3)
  })

test('a lost session in place of which there is another one is not begun again and again', async () => {
  let begun = 0
  const server = await scripted((got, response) => {
    if (got.method === 'GET')
      return begun === 1 && got.headers['mcp-session-id'] === 's1' && server.got.length < 4
        ? events(response, 'retry: 5\n\n').end()
        : response.writeHead(404).end()
    if (got.rpc.method !== 'initialize') return withSession(() => {})(got, response)
    begun += 1
    response.setHeader('mcp-session-id', `s${begun}`)
    const capabilities = begun === 1 ? {} : { tools: {} }
    return json(response, { id: got.rpc.id, result: { ...INITIALIZED, capabilities } })
  })
  const end = upstreamAt(server.url)
  await end.begin()
  await eventually(
    () => (begun === 2 ? true : undefined),
    () => String(begun),
  )
  await sleep(1_300)
  assert.equal(begun, 2)
})

/** A server that ends the stream of every call before its answer. @param poll answers who comes back, by number */
async function polled(poll: (n: number, response: ServerResponse) => unknown, begins = PRIMED) {
  const polls: number[] = []
  const server = await scripted(
    withSession((got, response) => {
      if (got.method === 'GET') {
        polls.push(monotonicMs())
        return poll(polls.length, response)
      }
      if (got.rpc.method === 'tools/call') return events(response, begins).end()
      return response.writeHead(202).end()
    }),
  )
  const end = upstreamAt(server.url)
  await end.begin()
  return { server, end, polls, ask: () => end.ask(5, 'tools/call', { name: 'a' }) }
}

const PRIMED = 'id: e1\nretry: 110\ndata:\n\n'
const DONE = 'data: {"jsonrpc":"2.0","id":5,"result":{"done":true}}\n\n'

test('a call is asked after for as long as the server wants, and as often', async () => {
  const { server, polls, ask } = await polled((n, response) => {
    const stream = events(response, n === 10 ? DONE : n % 2 === 0 ? 'retry: 110\n\n' : undefined)
    stream.end()
  })
  const from = monotonicMs()
  assert.deepEqual((await ask()).result, { done: true })
  assert.equal(polls.length, 10)
  const pauses = polls.map((at, index) => at - (polls[index - 1] ?? from))
  assert.ok(Math.min(...pauses) > 100, pauses.join(' '))
  // They do not grow.
  assert.ok(Math.min(...pauses.slice(-5)) < 200, pauses.join(' '))
  for (const { method, headers } of server.got.slice(-10))
    assert.deepEqual([method, headers['last-event-id']], ['GET', 'e1'])
})

test('a server that wants to be asked again at once is not asked in a loop', async () => {
  const ended = (response: ServerResponse): void => void events(response, 'retry: 0\n\n').end()
  const { server, polls, end } = await polled((_n, response) => ended(response))
  end.send({ id: 5, method: 'tools/call', params: { name: 'a' } })
  await server.reached(({ method, headers }) => method === 'GET' && 'last-event-id' in headers)
  await sleep(600)
  assert.ok(polls.length > 2 && polls.length < 14, String(polls.length))
})

test('a call is lost when its stream is not given five times in a row', async () => {
  const refusing = await polled((n, response) => {
    if (n === 4) events(response).end()
    else response.writeHead(503).end()
  })
  refusing.end.send({ id: 5, method: 'tools/call', params: { name: 'a' } })
  assert.match(await refusing.end.fails('5 '), /^5 lost .*ended before the answer/)
  assert.equal(refusing.polls.length, 9)
})

for (const [what, refuse] of LOST)
  test(`a call is lost with the session that it is asked after in: ${what}`, async () => {
    const { end, polls } = await polled((_n, response) => refuse(response))
    end.send({ id: 5, method: 'tools/call', params: { name: 'a' } })
    assert.equal(await end.fails('5 '), '5 lost The server lost the session.')
    assert.equal(polls.length, 1)
  })

test('a server that says when to come again for an answer is asked then', async () => {
  const { polls, ask } = await polled((n, response) => {
    if (n === 1) response.writeHead(429, { 'retry-after': '1' }).end()
    else events(response, DONE).end()
  })
  assert.deepEqual((await ask()).result, { done: true })
  const [first = 0, second = 0] = polls
  assert.ok(second - first > 995, String(second - first))
})

const CANCEL = { method: 'notifications/cancelled', params: { requestId: 5 } }
test('a call that is cancelled is not asked after any more', async () => {
  const waiting = await polled((_n, response) => events(response, 'retry: 200\n\n').end())
  let isLeft = false
  const listening = await polled((_n, response) => {
    response.once('close', () => {
      isLeft = true
    })
    events(response, ': here\n\n')
  })
  for (const { end, server, polls } of [waiting, listening]) {
    end.send({ id: 5, method: 'tools/call', params: { name: 'a' } })
    await eventually(
      () => polls[0],
      () => 'the first poll',
    )
    end.send(CANCEL)
    await server.reached(({ rpc }) => rpc.method === 'notifications/cancelled')
  }
  await sleep(600)
  assert.deepEqual([waiting.polls.length, listening.polls.length, isLeft], [1, 1, true])
  assert.deepEqual([waiting.end.upstream.open, listening.end.upstream.open], [0, 0])
})

test('a call that was cancelled before its stream ended is not asked after', async () => {
  let finish: () => void = () => {}
  let polls = 0
  const server = await scripted(
    withSession(({ rpc, method }, response) => {
      if (method === 'GET') polls += 1
      if (rpc.method === 'tools/call') {
        events(response, PRIMED)
        finish = () => response.end()
      } else response.writeHead(202).end()
    }),
  )
  const end = upstreamAt(server.url)
  await end.begin()
  end.send({ id: 5, method: 'tools/call', params: { name: 'a' } })
  await server.reached(({ rpc }) => rpc.id === 5)
  end.send(CANCEL)
  await server.reached(({ rpc }) => rpc.method === 'notifications/cancelled')
  finish()
  await sleep(300)
  assert.deepEqual([polls, end.upstream.open], [0, 0])
})
