// First words of clients, and what servers that are not like others make of them.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { silentLog } from '../../src/core/log.ts'
import { sleep } from '../../src/core/time.ts'
import { EraBridge, type KnownEra } from '../../src/gateway/era-bridge.ts'
import { META, readMessage } from '../../src/mcp/wire/index.ts'
import { eventually } from '../support/http-upstream.ts'

interface Bridged {
  readonly bridge: EraBridge
  readonly toServer: readonly string[]
  readonly toClient: readonly string[]
  client(message: object): void
  server(message: object): Promise<void>
}

function bridged(
  startMs = 60_000,
  onSilent = (): void => {},
  more: { readonly known?: KnownEra; readonly silenceMs?: number } = {},
): Bridged {
  const toServer: string[] = []
  const toClient: string[] = []
  const bridge = new EraBridge({
    toServer: (text) => void toServer.push(text),
    hear: async (message) => void toClient.push('text' in message ? message.text : 'refused'),
    failed: (idKey, end) => void toClient.push(`failed ${idKey} ${end}`),
    log: silentLog,
    startMs,
    onSilent,
    ...more,
  })
  const text = (message: object): string => JSON.stringify({ jsonrpc: '2.0', ...message })
  return {
    bridge,
    toServer,
    toClient,
    client: (message) => bridge.fromClient(text(message), null),
    server: async (message) => bridge.heard(readMessage(text(message)), null),
  }
}

const _meta = { [META.version]: '2026-07-28', [META.capabilities]: {} }
const hello = {
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {} },
}
const welcome = {
  protocolVersion: '2025-11-25',
  capabilities: {},
  serverInfo: { name: 's', version: '1' },
}
const methods = ({ toServer }: Bridged): readonly string[] =>
  toServer.map((one) => String((JSON.parse(one) as { method?: string }).method))

test('both of one era: nothing is touched', async () => {
  for (const [first, answer] of [
    [hello, { id: 1, result: welcome }],
    [
      { id: 1, method: 'server/discover', params: { _meta } },
      { id: 1, result: { supportedVersions: ['2026-07-28'] } },
    ],
    [
      { id: 1, method: 'server/discover', params: { _meta } },
      { id: 1, error: { code: -32022, message: 'no' } },
    ],
  ] as const) {
    const one = bridged()
    one.client(first)
    await one.server(answer)
    one.client({ id: 2, method: 'vendor/x' })
    assert.equal(one.bridge.isAcross, false)
    assert.deepEqual(methods(one), [first.method, 'vendor/x'])
    assert.equal(one.toClient.length, 1)
  }
})

test('a client that asks before it discovers is not answered before the era is known', async () => {
  const one = bridged()
  one.client({ id: 7, method: 'tools/list', params: { _meta } })
  one.client({ id: 8, method: 'prompts/list', params: { _meta } })
  assert.deepEqual(methods(one), ['server/discover'])
  await one.server({ id: 'sallyport-probe', result: { supportedVersions: ['2026-07-28'] } })
  assert.deepEqual(methods(one), ['server/discover', 'tools/list', 'prompts/list'])
  assert.deepEqual(one.toClient, [])
})

test('a client that names its revision begins nothing by initialize and ends nothing that others use', async () => {
  const again = { id: 8, method: 'initialize', params: { _meta } }
  const older = bridged()
  older.client({ id: 7, method: 'tools/list', params: { _meta } })
  await older.server({ id: 'sallyport-probe', error: { code: -32601, message: 'no' } })
  await older.server({ id: 1, result: welcome })
  older.client(again)
  older.client({ id: 9, method: 'prompts/list', params: { _meta } })
  assert.deepEqual(methods(older).slice(1), [
    'initialize',
    'notifications/initialized',
    'tools/list',
    'prompts/list',
  ])
  await eventually(
    () => older.toClient[0],
    () => 'an answer',
  )
  assert.deepEqual(older.toClient, [
    '{"jsonrpc":"2.0","id":8,"error":{"code":-32601,"message":"Method not found"}}',
  ])

  const same = bridged()
  same.client({ id: 7, method: 'tools/list', params: { _meta } })
  await same.server({ id: 'sallyport-probe', result: { supportedVersions: ['2026-07-28'] } })
  same.client(again)
  same.client({ id: 9, method: 'prompts/list', params: { _meta } })
  assert.deepEqual(methods(same).slice(1), ['tools/list', 'initialize', 'prompts/list'])

  const first = bridged()
  first.client(again)
  assert.deepEqual(methods(first), ['server/discover'])
})

test('a server that says nothing to what it does not know: the client begins in the older way', async () => {
  const one = bridged()
  one.client({ id: 'probe', method: 'server/discover', params: { _meta } })
  one.client(hello)
  await one.server({ id: 1, result: welcome })
  one.client({ id: 2, method: 'tools/list' })
  assert.deepEqual(methods(one), ['server/discover', 'initialize', 'tools/list'])
  assert.equal(one.toClient.length, 1)
})

test('a client that a server of neither era refuses hears what it would have heard', async () => {
  const one = bridged()
  one.client(hello)
  await one.server({ id: 1, error: { code: -32000, message: 'not for you' } })
  await eventually(
    () => (one.toServer.length === 2 ? true : undefined),
    () => methods(one).join(' '),
  )
  await one.server({ id: 1, error: { code: -32601, message: 'no such method' } })
  await eventually(
    () => (one.toClient.length === 1 ? true : undefined),
    () => one.toClient.join('\n'),
  )
  assert.match(one.toClient[0] ?? '', /"id":1,"error":\{"code":-32000,"message":"not for you"\}/)
  // It may try again.
  one.client({ ...hello, id: 2 })
  assert.deepEqual(methods(one), ['initialize', 'server/discover', 'initialize'])
})

test('a status that means that nothing was understood counts, others do not', async () => {
  const discover = { id: 1, method: 'server/discover', params: { _meta } }
  for (const status of [400, 404, 405, 406, 415, 422, 499]) {
    const crossed = bridged()
    crossed.client(discover)
    crossed.bridge.failed('n1', 'lost', `HTTP ${status}`, status)
    await eventually(
      () => (crossed.bridge.isAcross ? true : undefined),
      () => `no translation after ${status}`,
    )
    assert.deepEqual(methods(crossed), ['server/discover', 'initialize'])
    crossed.bridge.close()
  }
  for (const status of [307, 401, 403, 407, 408, 425, 429, 500, null]) {
    const one = bridged()
    one.client(discover)
    one.bridge.failed('n1', 'lost', 'no', status)
    assert.deepEqual(one.toClient, ['failed n1 lost'])
    assert.deepEqual(methods(one), ['server/discover'])
  }
})

test('when our own question is answered by nobody, those who waited hear why, and the next asks anew', () => {
  const one = bridged()
  for (let round = 1; round <= 2; round += 1) {
    one.client({ id: `a${round}`, method: 'tools/list', params: { _meta } })
    one.client({ id: `b${round}`, method: 'prompts/list', params: { _meta } })
    one.client({ method: 'notifications/cancelled', params: { requestId: 'a' } })
    assert.deepEqual(
      methods(one),
      Array.from({ length: round }, () => 'server/discover'),
    )
    one.bridge.failed('ssallyport-probe', 'refused-by-server', 'not you', 401)
  }
  assert.deepEqual(
    one.toClient,
    ['a1', 'b1', 'a2', 'b2'].map((id) => `failed s${id} never-sent`),
  )
})

test('a server that says nothing is waited for as long as one may take to start, and is asked again by the next', async () => {
  const one = bridged(50)
  const list = (id: number): void => one.client({ id, method: 'tools/list', params: { _meta } })
  list(1)
  list(2)
  await eventually(
    () => (one.toClient.length === 2 ? true : undefined),
    () => one.toClient.join('\n'),
  )
  assert.deepEqual(one.toClient, ['failed n1 never-sent', 'failed n2 never-sent'])
  assert.deepEqual(methods(one), ['server/discover'])
  list(3)
  const probe = JSON.parse(one.toServer.at(-1) ?? '') as { id: string; method: string }
  assert.equal(probe.method, 'server/discover')
  await one.server({ id: probe.id, result: { supportedVersions: ['2026-07-28'] } })
  assert.deepEqual(methods(one), ['server/discover', 'server/discover', 'tools/list'])
  // What takes long from then on is no start.
  await sleep(120)
  await one.server({ id: 3, result: { tools: [] } })
  assert.match(one.toClient.at(-1) ?? '', /"id":3,"result"/)
})

test('a legacy server that never begins a session is waited for no longer', async () => {
  const one = bridged(50)
  one.client({ id: 1, method: 'tools/list', params: { _meta } })
  const { id } = JSON.parse(one.toServer[0] ?? '') as { id: string }
  one.bridge.failed(`s${id}`, 'refused-by-server', 'HTTP 404', 404)
  await eventually(
    () => (one.toClient.length === 1 ? true : undefined),
    () => methods(one).join(' '),
  )
  assert.deepEqual(methods(one), ['server/discover', 'initialize'])
  assert.deepEqual(one.toClient, ['failed n1 never-sent'])
})

const firstWords: readonly [what: string, first: object, behindIt: string][] = [
  ['server/discover', { method: 'server/discover', params: { _meta } }, 'never-sent'],
  ['initialize', { method: 'initialize', params: hello.params }, 'never-sent'],
  ['a list', { method: 'resources/list' }, 'timed-out'],
]
for (const [what, first, behindIt] of firstWords)
  test(`a server that says nothing to ${what}: all who wait are told, and the next asks again`, async () => {
    let silences = 0
    const one = bridged(50, () => {
      silences += 1
    })
    for (const turn of [1, 2]) {
      const before = one.toClient.length
      one.client({ id: 'a', ...first })
      one.client({ id: 'b', method: 'tools/list' })
      await eventually(
        () => (silences === turn ? true : undefined),
        () => one.toClient.join('\n'),
      )
      const failed = one.toClient.slice(before).toSorted()
      assert.deepEqual(failed, ['failed sa timed-out', `failed sb ${behindIt}`])
    }
  })

test('a server that answered a call has started, and has its time for a list', async () => {
  const one = bridged(50)
  one.client({ id: 1, method: 'tools/call', params: { name: 'x' } })
  await one.server({ id: 1, result: { content: [] } })
  one.client({ id: 2, method: 'tools/list' })
  await sleep(120)
  assert.equal(one.toClient.length, 1)
})

test('a word that is no answer is a start, but not where the server was asked for its era', async () => {
  const word = { method: 'notifications/message', params: { level: 'info', data: 'up' } }
  const untouched = bridged(50)
  untouched.client({ id: 1, method: 'tools/list' })
  const asked = bridged(50)
  asked.client({ id: 1, method: 'tools/call', params: { name: 'x', _meta } })
  for (const one of [untouched, asked]) await one.server(word)
  await sleep(120)
  assert.equal(untouched.toClient.length, 1)
  assert.deepEqual(asked.toClient.slice(1), ['failed n1 never-sent'])
})

test('a call has its own time, also as the first word, and who asks for a list behind it does not wait as long', async () => {
  let silences = 0
  const one = bridged(50, () => {
    silences += 1
  })
  one.client({ id: 1, method: 'tools/call', params: { name: 'x' } })
  await sleep(120)
  assert.deepEqual([one.toClient, silences], [[], 0])
  one.client({ id: 2, method: 'tools/list' })
  await eventually(
    () => (silences === 1 ? true : undefined),
    () => one.toClient.join('\n'),
  )
  assert.deepEqual(one.toClient, ['failed n2 timed-out'])
})

/** Resolves once so many messages went to the server. */
const sent = (one: Bridged, count: number): Promise<true> =>
  eventually(
    () => (one.toServer.length === count ? true : undefined),
    () => methods(one).join(' '),
  )

test('a server that ended on the first word of a newer era is asked in the older way, and so is the next one', async () => {
  const known = { isOld: false }
  const one = bridged(60_000, undefined, { known })
  one.client({ id: 7, method: 'tools/list', params: { _meta } })
  assert.equal(one.bridge.mayBeOlder(), true)
  // Nobody hears this yet.
  one.client({ id: 8, method: 'prompts/list', params: { _meta } })
  assert.deepEqual(methods(one), ['server/discover'])
  one.bridge.startedAgain()
  await sent(one, 2)
  await one.server({ id: 1, result: welcome })
  assert.deepEqual(methods(one).slice(1), [
    'initialize',
    'notifications/initialized',
    'tools/list',
    'prompts/list',
  ])
  assert.equal(one.bridge.mayBeOlder(), false)
  const next = bridged(60_000, undefined, { known })
  next.client({ id: 7, method: 'server/discover', params: { _meta } })
  await sent(next, 1)
  assert.deepEqual(methods(next), ['initialize'])
  // Another program by now: it is asked for its era again.
  await next.server({ id: 1, error: { code: -32601, message: 'no' } })
  assert.deepEqual(known, { isOld: false })
  next.client({ id: 8, method: 'server/discover', params: { _meta } })
  assert.deepEqual(methods(next), ['initialize', 'server/discover'])
})

test('a client that begins in the older way while its server is started again is heard by the new one', () => {
  const one = bridged()
  one.client({ id: 1, method: 'server/discover', params: { _meta } })
  assert.equal(one.bridge.mayBeOlder(), true)
  one.client({ ...hello, id: 2 })
  assert.equal(one.toServer.length, 1)
  one.bridge.startedAgain()
  assert.deepEqual(methods(one), ['server/discover', 'initialize'])
})

const ends: readonly [what: string, before: (one: Bridged) => unknown][] = [
  ['before it was asked anything', () => {}],
  ['on the first word of an older era', (one) => one.client(hello)],
  [
    'behind a request that nobody answers any more',
    (one) => {
      one.client({ id: 1, method: 'tools/call', params: { name: 'x' } })
      one.client({ id: 2, method: 'server/discover', params: { _meta } })
    },
  ],
  [
    'behind an answer',
    async (one) => {
      one.client({ id: 1, method: 'ping' })
      await one.server({ id: 1, result: {} })
      one.client({ id: 2, method: 'server/discover', params: { _meta } })
    },
  ],
  [
    'a second time',
    async (one) => {
      one.client({ id: 1, method: 'server/discover', params: { _meta } })
      one.bridge.mayBeOlder()
      one.bridge.startedAgain()
      await sent(one, 2)
    },
  ],
]
for (const [what, before] of ends)
  test(`a server is not started again that ended ${what}`, async () => {
    const known = { isOld: false }
    const one = bridged(60_000, undefined, { known })
    await before(one)
    assert.equal(one.bridge.mayBeOlder(), false)
    assert.deepEqual(known, { isOld: false })
  })

/** Both questions that a server gets which said nothing to the first. */
const OLDER = 'sallyport-1'
const asking: readonly [who: string, first: object, id: string | number, heard: RegExp[]][] = [
  [
    'its client',
    { id: 2, method: 'server/discover', params: { _meta } },
    2,
    [/"id":2,"result":\{.*"supportedVersions"/],
  ],
  ['us', { id: 2, method: 'prompts/list', params: { _meta } }, 'sallyport-probe', []],
]
for (const [who, first, id, heard] of asking) {
  const silent = async (): Promise<Bridged> => {
    const one = bridged(60_000, undefined, { silenceMs: 20 })
    one.client(first)
    await sent(one, 2)
    assert.deepEqual(methods(one), ['server/discover', 'initialize'])
    return one
  }
  const isLegacy = async (one: Bridged): Promise<void> => {
    one.client({ id: 3, method: 'tools/list', params: { _meta } })
    const { id: asked, method } = JSON.parse(one.toServer.at(-1) ?? '') as {
      readonly id: string
      readonly method: string
    }
    assert.equal(method, 'tools/list')
    await one.server({ id: asked, result: { tools: [] } })
    const answers = [...heard, /"id":3,"result":\{"tools":\[\]/]
    assert.equal(one.toClient.length, answers.length)
    for (const [at, answer] of answers.entries()) assert.match(one.toClient[at] ?? '', answer)
    assert.equal(methods(one).filter((method) => method === 'initialize').length, 1)
    one.bridge.close()
  }

  test(`a server that says nothing to server/discover of ${who} is asked in the older way too`, async () => {
    const one = await silent()
    await one.server({ id: OLDER, result: welcome })
    // By now nobody waits for that.
    await one.server({ id, error: { code: -32601, message: 'no' } })
    await isLegacy(one)
  })

  test(`a slow legacy server that refuses server/discover of ${who} first is begun with once`, async () => {
    for (const refuse of [
      (one: Bridged) => one.server({ id, error: { code: -32601, message: 'no' } }),
      async (one: Bridged) =>
        one.bridge.failed(typeof id === 'number' ? `n${id}` : `s${id}`, 'lost', 'no', 404),
    ]) {
      const one = await silent()
      await refuse(one)
      await one.server({ id: OLDER, result: welcome })
      await isLegacy(one)
    }
  })

  test(`a slow server of the newer era that answers server/discover of ${who} late stays one`, async () => {
    const discovered = { id, result: { supportedVersions: ['2026-07-28'] } }
    const no = { id: OLDER, error: { code: -32601, message: 'no' } }
    const orders: readonly ((one: Bridged) => unknown)[] = [
      () => {},
      (one) => one.server(no),
      (one) => one.bridge.failed(`s${OLDER}`, 'refused-by-server', 'no', 404),
    ]
    for (const before of orders) {
      const one = await silent()
      await before(one)
      assert.deepEqual(one.toClient, [])
      await one.server(discovered)
      one.client({ id: 3, method: 'tools/list', params: { _meta } })
      assert.equal(one.bridge.isAcross, false)
      assert.equal(one.toServer.at(-1)?.includes('"id":3,"method":"tools/list"'), true)
      assert.equal(one.toClient.length, heard.length)
    }
  })

  test(`a server that refuses server/discover of ${who} and the older way is neither`, async () => {
    const one = await silent()
    await one.server({ id, error: { code: -32601, message: 'no' } })
    one.bridge.failed(`s${OLDER}`, 'refused-by-server', 'no', 404)
    // Whoever comes next is one more reason to ask.
    one.client({ id: 3, method: 'tools/list', params: { _meta } })
    await sent(one, 3)
    assert.equal(methods(one)[2], 'initialize')
    const { id: again } = JSON.parse(one.toServer[2] ?? '') as { readonly id: string }
    await one.server({ id: again, error: { code: -32000, message: 'no' } })
    assert.deepEqual(
      one.toClient.map((text) => /"id":(\d),"error"/.exec(text)?.[1]),
      ['2', '3'],
    )
    one.bridge.close()
  })
}

test('one that ends when it reads both is started again, and begun with once', async () => {
  const one = bridged(60_000, undefined, { silenceMs: 20 })
  one.client({ id: 1, method: 'server/discover', params: { _meta } })
  await sent(one, 2)
  assert.equal(one.bridge.mayBeOlder(), true)
  one.bridge.startedAgain()
  await sent(one, 3)
  await one.server({ id: 1, result: welcome })
  assert.match(one.toClient[0] ?? '', /"supportedVersions"/)
  one.bridge.close()
})
