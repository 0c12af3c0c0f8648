// Servers of 2024-11-05 over HTTP whose one stream ends while nobody asks them anything.
import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { describe, test } from 'node:test'
import { sleep } from '../../src/core/time.ts'
import {
  events,
  eventually,
  type Got,
  INITIALIZED,
  scripted,
  upstreamAt,
} from '../support/http-upstream.ts'

interface OldWay {
  /** By number of the stream. True: it was answered otherwise. */
  readonly onOpen?: (n: number, response: ServerResponse) => boolean
  /** Of each stream, behind the handshake. */
  readonly holdMs?: number
  readonly onMessage?: (got: Got, n: number, say: (text: string) => void) => boolean
}

async function oldWay({ onOpen, onMessage, holdMs }: OldWay = {}) {
  const streams: ServerResponse[] = []
  const closed: number[] = []
  let opens = 0
  const server = await scripted((got, response) => {
    if (got.method === 'POST' && got.url === '/mcp') return response.writeHead(405).end()
    if (got.method === 'GET') {
      opens += 1
      if (onOpen?.(opens, response) === true) return undefined
      const n = streams.push(response)
      response.once('close', () => closed.push(n))
      return events(response, `event: endpoint\ndata: /messages?stream=${n}\n\n`)
    }
    response.writeHead(202).end()
    const n = Number(new URL(got.url, server.url).searchParams.get('stream'))
    const say = (text: string): void => void streams[n - 1]?.write(`data: ${text}\n\n`)
    if (onMessage?.(got, n, say) === true) return undefined
    const { id, method } = got.rpc
    if (method === 'notifications/initialized' && holdMs !== undefined)
      setTimeout(() => streams[n - 1]?.end(), holdMs)
    const result = method === 'initialize' ? INITIALIZED : { stream: n }
    if (id !== undefined) say(JSON.stringify({ jsonrpc: '2.0', id, result }))
    return undefined
  })
  const end = upstreamAt(server.url)
  await end.begin('2024-11-05')
  await server.reached(({ rpc }) => rpc.method === 'notifications/initialized')
  return {
    end,
    server,
    closed,
    opens: () => opens,
    drop: () => streams.at(-1)?.end(),
    /** What the server was told on one of its streams. */
    told: (n: number) =>
      server.got
        .filter(({ method, url }) => method === 'POST' && url === `/messages?stream=${n}`)
        .map(({ rpc }) =>
          [rpc.method, rpc.params?.['uri'] ?? rpc.params?.['level']].join(' ').trim(),
        ),
    opened: (n: number) =>
      eventually(
        () => (opens >= n ? true : undefined),
        () => `${opens} streams`,
      ),
  }
}

const UPDATED =
  '{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"a://1"}}'

// Each waits for seconds that are the server's.
describe('streams of the old way', { concurrency: 8 }, () => {
  test('a stream of the old way that ends is opened anew while the client only listens', async () => {
    const { end, drop, told, opens } = await oldWay({
      onMessage: ({ rpc }, n, say) => {
        if (n === 2 && rpc.method === 'resources/subscribe') say(UPDATED)
        return false
      },
    })
    await end.ask(1, 'logging/setLevel', { level: 'info' })
    await end.ask(2, 'resources/subscribe', { uri: 'a://1' })
    drop()
    await end.hears('notifications/resources/updated')
    assert.ok(end.heard.includes(`- ${UPDATED}`))
    assert.deepEqual(told(2), [
      'initialize',
      'notifications/initialized',
      'logging/setLevel info',
      'resources/subscribe a://1',
    ])
    assert.equal(end.heard.filter((one) => one.includes('serverInfo')).length, 1)
    assert.equal(opens(), 2)
    assert.deepEqual((await end.ask(3, 'tools/list')).result, { stream: 2 })
  })

  test('it is opened again and again until it is there', async () => {
    const { end, drop, opened, opens, told } = await oldWay({
      onOpen: (n, response) => {
        if (n === 2) response.destroy()
        if (n === 3) response.writeHead(503).end()
        return n === 2 || n === 3
      },
    })
    drop()
    await opened(4)
    const answers = await Promise.all([1, 2, 3].map((id) => end.ask(id, 'tools/list')))
    for (const { result } of answers) assert.deepEqual(result, { stream: 2 })
    assert.equal(opens(), 4)
    assert.equal(told(2).filter((one) => one === 'initialize').length, 1)
  })

  test('a request opens it at once, and then nobody else does', async () => {
    const { end, drop, opens, server } = await oldWay({
      onMessage: ({ rpc }) => rpc.method === 'tools/call',
    })
    end.send({ id: 9, method: 'tools/call', params: { name: 'a' } })
    await server.reached(({ rpc }) => rpc.id === 9)
    drop()
    await end.fails('9 lost')
    const answers = await Promise.all([1, 2].map((id) => end.ask(id, 'tools/list')))
    for (const { result } of answers) assert.deepEqual(result, { stream: 2 })
    await sleep(1_300)
    assert.equal(opens(), 2)
  })

  test('it is not opened anew behind a client that left', async () => {
    const leaves = await oldWay()
    await leaves.end.upstream.close()
    const left = await oldWay()
    left.drop()
    await sleep(300)
    await left.end.upstream.close()
    await sleep(1_300)
    assert.deepEqual([leaves.opens(), left.opens()], [1, 1])
  })

  test('one that never holds is opened less and less often', async () => {
    const { opens } = await oldWay({ holdMs: 10 })
    await sleep(5_000)
    assert.equal(opens(), 3)
  })

  const unlike: readonly [what: string, answer: object, opens: number][] = [
    ['another promise', { result: { ...INITIALIZED, capabilities: {} } }, 2],
    ['an error', { error: { code: -32603, message: 'not yet' } }, 3],
  ]
  for (const [what, answer, most] of unlike)
    test(`a stream on which the server answers with ${what} is closed`, async () => {
      const { drop, closed, opened, opens } = await oldWay({
        onMessage: ({ rpc }, n, say) => {
          const isOurs = n > 1 && rpc.method === 'initialize'
          if (isOurs) say(JSON.stringify({ jsonrpc: '2.0', id: rpc.id, ...answer }))
          return isOurs
        },
      })
      drop()
      await opened(2)
      await eventually(
        () => (closed.includes(2) ? true : undefined),
        () => closed.join(' '),
      )
      await sleep(2_500)
      assert.equal(opens(), most)
    })
})
