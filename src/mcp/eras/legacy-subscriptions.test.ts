// What a client of a revision with sessions is told of, before a server without.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  C,
  type Row,
  rpc,
  run,
  type Said,
  SUB,
  say,
  shown,
  V,
} from '../../../test/support/era-rows.ts'
import { LegacyClient } from './legacy-client.ts'

const META = `"_meta":{${V},${C}{}}`
const HELLO: readonly Said[] = [
  ['c', rpc('"id":"h","method":"initialize","params":{"protocolVersion":"2025-06-18"}')],
  [
    's',
    rpc(
      '"id":1,"result":{"supportedVersions":["2026-07-28"],"capabilities":{"tools":{"listChanged":true},"resources":{"subscribe":true}}}',
    ),
  ],
]

const subscribing = (id: number, uri: string): string =>
  rpc(`"id":${id},"method":"resources/subscribe","params":{"uri":"${uri}"}`)
const listening = (id: number, ...uris: readonly string[]): string =>
  `server {"jsonrpc":"2.0","id":${id},"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true,"resourceSubscriptions":${JSON.stringify(uris)}},${META}}}`
const acknowledging = (id: number): string =>
  rpc(`"method":"notifications/subscriptions/acknowledged","params":{"_meta":{${SUB}${id}}}`)
const left = (id: number): string =>
  `server {"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":${id}}}`
const untold = (id: number): string =>
  `client {"jsonrpc":"2.0","id":${id},"error":{"code":-32602,"message":"The server does not tell when this resource changes."}}`

const subscriptions: readonly Row[] = [
  {
    row: 'GET stream and resources/subscribe → subscriptions/listen',
    steps: [
      [
        'c',
        rpc('"method":"notifications/initialized"'),
        [
          `server {"jsonrpc":"2.0","id":2,"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true},${META}}}`,
        ],
      ],
      [
        's',
        rpc(
          `"method":"notifications/subscriptions/acknowledged","params":{"notifications":{"toolsListChanged":true},"_meta":{${SUB}2}}`,
        ),
        [],
      ],
      [
        's',
        rpc(`"method":"notifications/tools/list_changed","params":{"_meta":{${SUB}2}}`),
        ['client {"jsonrpc":"2.0","method":"notifications/tools/list_changed"}'],
      ],
      [
        'c',
        rpc('"id":8,"method":"resources/subscribe","params":{"uri":"a://1"}'),
        [
          `server {"jsonrpc":"2.0","id":3,"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true,"resourceSubscriptions":["a://1"]},${META}}}`,
        ],
      ],
      [
        's',
        rpc(
          `"method":"notifications/subscriptions/acknowledged","params":{"notifications":{"toolsListChanged":true,"resourceSubscriptions":["a://1"]},"_meta":{${SUB}3}}`,
        ),
        [
          'server {"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":2}}',
          'client {"jsonrpc":"2.0","id":8,"result":{}}',
        ],
      ],
      [
        's',
        rpc(
          `"method":"notifications/resources/updated","params":{"uri":"a://1","_meta":{"x":1.0,${SUB}3}}`,
        ),
        [
          'client {"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"a://1","_meta":{"x":1.0}}}',
        ],
      ],
      ['s', rpc(`"method":"notifications/tools/list_changed","params":{"_meta":{${SUB}2}}`), []],
      [
        'c',
        rpc('"id":9,"method":"resources/subscribe","params":{"uri":"a://1"}'),
        ['client {"jsonrpc":"2.0","id":9,"result":{}}'],
      ],
      [
        'c',
        rpc('"id":10,"method":"resources/unsubscribe","params":{"uri":"a://1"}'),
        [
          `server {"jsonrpc":"2.0","id":4,"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true},${META}}}`,
        ],
      ],
      [
        's',
        rpc('"id":4,"error":{"code":-32603,"message":"Subscription limit reached"}'),
        [
          'client {"jsonrpc":"2.0","id":10,"error":{"code":-32603,"message":"Subscription limit reached"}}',
        ],
      ],
    ],
  },
  {
    row: 'a resource that the server does not tell of is not subscribed to',
    steps: [
      [
        'c',
        rpc('"id":8,"method":"resources/subscribe","params":{"uri":"a://none"}'),
        [
          `server {"jsonrpc":"2.0","id":2,"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true,"resourceSubscriptions":["a://none"]},${META}}}`,
        ],
      ],
      [
        's',
        rpc(
          `"method":"notifications/subscriptions/acknowledged","params":{"notifications":{"toolsListChanged":true},"_meta":{${SUB}2}}`,
        ),
        [
          'client {"jsonrpc":"2.0","id":8,"error":{"code":-32602,"message":"The server does not tell when this resource changes."}}',
        ],
      ],
      [
        'c',
        rpc('"id":9,"method":"resources/subscribe","params":{"uri":"a://1"}'),
        [
          `server {"jsonrpc":"2.0","id":3,"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true,"resourceSubscriptions":["a://1"]},${META}}}`,
        ],
      ],
    ],
  },
  {
    row: 'resources that are subscribed to one right after the other are both answered for',
    steps: [
      [
        'c',
        rpc('"id":8,"method":"resources/subscribe","params":{"uri":"a://1"}'),
        [
          `server {"jsonrpc":"2.0","id":2,"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true,"resourceSubscriptions":["a://1"]},${META}}}`,
        ],
      ],
      [
        'c',
        rpc('"id":9,"method":"resources/subscribe","params":{"uri":"a://2"}'),
        [
          `server {"jsonrpc":"2.0","id":3,"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true,"resourceSubscriptions":["a://1","a://2"]},${META}}}`,
        ],
      ],
      // Each listens on a connection of its own: the later one may be there first.
      [
        's',
        rpc(
          `"method":"notifications/subscriptions/acknowledged","params":{"notifications":{"toolsListChanged":true,"resourceSubscriptions":["a://1","a://2"]},"_meta":{${SUB}3}}`,
        ),
        [
          'server {"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":2}}',
          'client {"jsonrpc":"2.0","id":8,"result":{}}',
          'client {"jsonrpc":"2.0","id":9,"result":{}}',
        ],
      ],
    ],
  },
  {
    row: 'a refused subscription takes nothing of those before',
    steps: [
      [
        'c',
        rpc('"method":"notifications/initialized"'),
        [
          `server {"jsonrpc":"2.0","id":2,"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true},${META}}}`,
        ],
      ],
      [
        's',
        rpc(`"method":"notifications/subscriptions/acknowledged","params":{"_meta":{${SUB}2}}`),
        [],
      ],
      [
        'c',
        rpc('"id":8,"method":"resources/subscribe","params":{"uri":"a://1"}'),
        [
          `server {"jsonrpc":"2.0","id":3,"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true,"resourceSubscriptions":["a://1"]},${META}}}`,
        ],
      ],
      [
        's',
        rpc('"id":3,"error":{"code":-32602,"message":"no"}'),
        ['client {"jsonrpc":"2.0","id":8,"error":{"code":-32602,"message":"no"}}'],
      ],
      [
        's',
        rpc(`"method":"notifications/tools/list_changed","params":{"_meta":{${SUB}2}}`),
        ['client {"jsonrpc":"2.0","method":"notifications/tools/list_changed"}'],
      ],
      [
        'c',
        rpc('"id":9,"method":"resources/subscribe","params":{"uri":"a://2"}'),
        [
          `server {"jsonrpc":"2.0","id":4,"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true,"resourceSubscriptions":["a://2"]},${META}}}`,
        ],
      ],
    ],
  },
  {
    row: 'a server that ends before it says what it tells has not heard',
    steps: [
      ['c', subscribing(8, 'a://1'), [listening(2, 'a://1')]],
      ['s', rpc('"id":2,"result":{"resultType":"complete"}'), [untold(8)]],
      ['c', subscribing(9, 'a://2'), [listening(3, 'a://2')]],
    ],
  },
  {
    row: 'what is refused is not asked for with what came behind it',
    steps: [
      ['c', subscribing(8, 'a://none'), [listening(2, 'a://none')]],
      ['c', subscribing(9, 'a://1'), [listening(3, 'a://none', 'a://1')]],
      [
        's',
        rpc('"id":2,"error":{"code":-32602,"message":"no"}'),
        [
          'client {"jsonrpc":"2.0","id":8,"error":{"code":-32602,"message":"no"}}',
          left(3),
          listening(4, 'a://1'),
        ],
      ],
      ['s', acknowledging(4), ['client {"jsonrpc":"2.0","id":9,"result":{}}']],
    ],
  },
]
for (const { row, steps } of subscriptions)
  test(`legacy client: ${row}`, () => run(new LegacyClient(), HELLO, steps))

test('legacy client: a stream of notifications that ended is opened anew, a refused one is not', () => {
  const one = new LegacyClient()
  run(one, HELLO, [
    [
      'c',
      rpc('"method":"notifications/initialized"'),
      [
        `server {"jsonrpc":"2.0","id":2,"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true},${META}}}`,
      ],
    ],
    [
      's',
      rpc(`"method":"notifications/subscriptions/acknowledged","params":{"_meta":{${SUB}2}}`),
      [],
    ],
  ])
  assert.deepEqual(one.tidy(0), [])
  assert.deepEqual(one.failed('n2', 'lost', 'gone'), [])
  assert.deepEqual(one.tidy(500), [])
  assert.deepEqual(one.tidy(1_499), [])
  assert.equal(one.tidy(1_500).length, 1)
  assert.deepEqual(say(one, ['s', rpc('"id":3,"error":{"code":-32601,"message":"no"}')]), [])
  assert.deepEqual([...one.tidy(9_000), ...one.tidy(99_000)], [])
})

test('legacy client: a server that does not say whether it tells of a resource is not waited for', () => {
  const one = new LegacyClient()
  run(one, HELLO, [
    ['c', subscribing(8, 'a://silent'), [listening(2, 'a://silent')]],
    ['c', subscribing(9, 'a://1'), [listening(3, 'a://silent', 'a://1')]],
  ])
  assert.deepEqual([...one.tidy(1_000), ...one.tidy(10_999)], [])
  assert.deepEqual(one.tidy(11_000).map(shown), [
    left(2),
    untold(8),
    left(3),
    listening(4, 'a://1'),
  ])
  assert.deepEqual(say(one, ['s', acknowledging(4)]), [
    'client {"jsonrpc":"2.0","id":9,"result":{}}',
  ])
  // It says so too late.
  assert.deepEqual(say(one, ['s', acknowledging(2)]), [])
  assert.deepEqual([...one.tidy(12_000), ...one.tidy(99_000)], [])
  run(one, [], [['c', subscribing(10, 'a://2'), [listening(5, 'a://1', 'a://2')]]])
})

test('legacy client: what is refused takes nothing of all that came behind it', () => {
  for (const refuse of [
    (one: LegacyClient) => say(one, ['s', rpc('"id":2,"error":{"code":-32602,"message":"no"}')]),
    (one: LegacyClient) => [...one.tidy(0), ...one.tidy(10_000)].map(shown),
  ]) {
    const one = new LegacyClient()
    run(one, HELLO, [
      ['c', subscribing(8, 'a://none'), [listening(2, 'a://none')]],
      ['c', subscribing(9, 'a://1'), [listening(3, 'a://none', 'a://1')]],
      ['c', subscribing(10, 'a://2'), [listening(4, 'a://none', 'a://1', 'a://2')]],
    ])
    const [first, ...then] = refuse(one).filter((text) => !text.includes('notifications/cancelled'))
    assert.match(first ?? '', /^client {"jsonrpc":"2.0","id":8,"error"/)
    assert.deepEqual(then, [listening(5, 'a://1'), listening(6, 'a://1', 'a://2')])
    assert.deepEqual(say(one, ['s', acknowledging(5)]), [
      'client {"jsonrpc":"2.0","id":9,"result":{}}',
    ])
    assert.ok(
      say(one, ['s', acknowledging(6)]).includes('client {"jsonrpc":"2.0","id":10,"result":{}}'),
    )
  }
})

test('legacy client: nobody waits for what a server says of its lists', () => {
  const one = new LegacyClient()
  run(one, HELLO, [])
  say(one, ['c', rpc('"method":"notifications/initialized"')])
  assert.deepEqual([...one.tidy(0), ...one.tidy(99_000)], [])
  run(
    one,
    [],
    [
      [
        's',
        rpc(`"method":"notifications/tools/list_changed","params":{"_meta":{${SUB}2}}`),
        ['client {"jsonrpc":"2.0","method":"notifications/tools/list_changed"}'],
      ],
    ],
  )
})
