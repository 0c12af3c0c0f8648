import assert from 'node:assert/strict'
import { test } from 'node:test'
import { C, type Row, rpc, run, type Said, say, shown, V } from '../../../test/support/era-rows.ts'
import { LegacyClient } from './legacy-client.ts'

// A client with sessions before a server without.
const CAPS = `{"roots":{},"sampling":{},"elicitation":{"form":{},"url":{}}}`
const META = `"_meta":{${V},${C}${CAPS},"io.modelcontextprotocol/clientInfo":{"name":"old","version":"1"}}`
const HELLO: readonly Said[] = [
  [
    'c',
    rpc(
      `"id":"h","method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{"roots":{"listChanged":true},"sampling":{},"elicitation":{"form":{},"url":{}},"tasks":{}},"clientInfo":{"name":"old","version":"1"}}`,
    ),
  ],
  [
    's',
    rpc(
      `"id":1,"result":{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{"listChanged":true},"resources":{"subscribe":true}},"instructions":"Be kind.","ttlMs":5,"cacheScope":"public","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"new","version":"2"}}}`,
    ),
  ],
]

const towardsModern: readonly Row[] = [
  {
    row: 'initialize → server/discover',
    steps: [
      [
        ...(HELLO[0] as Said),
        [`server {"jsonrpc":"2.0","id":1,"method":"server/discover","params":{${META}}}`],
      ],
      [
        ...(HELLO[1] as Said),
        [
          'client {"jsonrpc":"2.0","id":"h","result":{"protocolVersion":"2025-06-18","capabilities":{"tools":{"listChanged":true},"resources":{"subscribe":true}},"serverInfo":{"name":"new","version":"2"},"instructions":"Be kind."}}',
        ],
      ],
    ],
  },
  {
    row: 'a revision nobody knows is answered with the newest one of sessions',
    steps: [
      [
        'c',
        rpc('"id":1,"method":"initialize","params":{"protocolVersion":"2031-01-01"}'),
        [
          `server {"jsonrpc":"2.0","id":1,"method":"server/discover","params":{"_meta":{${V},${C}{}}}}`,
        ],
      ],
      [
        's',
        rpc('"id":1,"result":{"supportedVersions":["2026-07-28"],"capabilities":{}}'),
        [
          'client {"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"server","version":"0"}}}',
        ],
      ],
    ],
  },
  {
    row: 'the oldest revision that clients speak is agreed on',
    steps: [
      [
        'c',
        rpc('"id":1,"method":"initialize","params":{"protocolVersion":"2024-10-07"}'),
        [
          `server {"jsonrpc":"2.0","id":1,"method":"server/discover","params":{"_meta":{${V},${C}{}}}}`,
        ],
      ],
      [
        's',
        rpc('"id":1,"result":{"supportedVersions":["2026-07-28"],"capabilities":{}}'),
        [
          'client {"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2024-10-07","capabilities":{},"serverInfo":{"name":"server","version":"0"}}}',
        ],
      ],
    ],
  },
  {
    row: 'a server of a later revision is none that is known',
    steps: [
      [
        'c',
        rpc('"id":1,"method":"initialize","params":{}'),
        [
          `server {"jsonrpc":"2.0","id":1,"method":"server/discover","params":{"_meta":{${V},${C}{}}}}`,
        ],
      ],
      [
        's',
        rpc('"id":1,"result":{"supportedVersions":["2031-01-01"],"capabilities":{}}'),
        [
          'client {"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"The server speaks no revision known here."}}',
        ],
      ],
    ],
  },
]
for (const { row, steps } of towardsModern)
  test(`legacy client: ${row}`, () => run(new LegacyClient(), [], steps))

const inSession: readonly Row[] = [
  {
    row: 'what the session has → _meta of each request; the result without what is new',
    steps: [
      [
        'c',
        rpc(
          '"id":7,"method":"tools/call","params":{"name":"a","arguments":{"n":12345678901234567890,"e":"\\u00e9"},"_meta":{"progressToken":"p"}}',
        ),
        [
          `server {"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"a","arguments":{"n":12345678901234567890,"e":"\\u00e9"},"_meta":{"progressToken":"p",${META.slice(9)}}}`,
        ],
      ],
      [
        's',
        rpc('"method":"notifications/progress","params":{"progressToken":"p","progress":1}'),
        [
          'client {"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"p","progress":1}}',
        ],
      ],
      [
        's',
        rpc(
          '"id":2,"result":{"resultType":"complete","content":[],"ttlMs":1,"cacheScope":"public","n":1.0}',
        ),
        ['client {"jsonrpc":"2.0","id":7,"result":{"content":[],"n":1.0}}'],
      ],
    ],
  },
  {
    row: 'ping is answered here',
    steps: [['c', rpc('"id":7,"method":"ping"'), ['client {"jsonrpc":"2.0","id":7,"result":{}}']]],
  },
  {
    row: 'logging/setLevel → _meta log level',
    steps: [
      [
        'c',
        rpc('"id":7,"method":"logging/setLevel","params":{"level":"warning"}'),
        ['client {"jsonrpc":"2.0","id":7,"result":{}}'],
      ],
      [
        'c',
        rpc('"id":8,"method":"prompts/list"'),
        [
          `server {"jsonrpc":"2.0","id":2,"method":"prompts/list","params":{${META.slice(0, -1)},"io.modelcontextprotocol/logLevel":"warning"}}}`,
        ],
      ],
    ],
  },
  {
    row: '−32602 of a resource that is not there → −32002',
    steps: [
      [
        'c',
        rpc('"id":7,"method":"resources/read","params":{"uri":"a://b"}'),
        [
          `server {"jsonrpc":"2.0","id":2,"method":"resources/read","params":{"uri":"a://b",${META}}}`,
        ],
      ],
      [
        's',
        rpc('"id":2,"error":{"code":-32602,"message":"no","data":{"uri":"a://b"}}'),
        [
          'client {"jsonrpc":"2.0","id":7,"error":{"code":-32002,"message":"no","data":{"uri":"a://b"}}}',
        ],
      ],
    ],
  },
  {
    row: 'other −32602 stay',
    steps: [
      [
        'c',
        rpc('"id":7,"method":"resources/read","params":{"uri":"a://b"}'),
        [
          `server {"jsonrpc":"2.0","id":2,"method":"resources/read","params":{"uri":"a://b",${META}}}`,
        ],
      ],
      [
        's',
        rpc('"id":2,"error":{"code":-32602,"message":"no"}'),
        ['client {"jsonrpc":"2.0","id":7,"error":{"code":-32602,"message":"no"}}'],
      ],
    ],
  },
  {
    row: 'input_required → requests, and the next try',
    steps: [
      [
        'c',
        rpc('"id":7,"method":"tools/call","params":{"name":"a"}'),
        [`server {"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"a",${META}}}`],
      ],
      [
        's',
        rpc(
          '"id":2,"result":{"resultType":"input_required","requestState":"st\\u0041te","inputRequests":{"one":{"method":"elicitation/create","params":{"message":"Name?","requestedSchema":{"n":1.0}}},"two":{"method":"roots/list"}}}',
        ),
        [
          'client {"jsonrpc":"2.0","id":"sallyport-3","method":"elicitation/create","params":{"message":"Name?","requestedSchema":{"n":1.0}}}',
          'client {"jsonrpc":"2.0","id":"sallyport-4","method":"roots/list"}',
        ],
      ],
      ['c', rpc('"id":"sallyport-4","result":{"roots":[]}'), []],
      [
        'c',
        rpc('"id":"sallyport-3","result":{"action":"accept","content":{"n":1e3}}'),
        [
          `server {"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"a",${META},"inputResponses":{"two":{"roots":[]},"one":{"action":"accept","content":{"n":1e3}}},"requestState":"st\\u0041te"}}`,
        ],
      ],
      [
        's',
        rpc('"id":5,"result":{"content":[]}'),
        ['client {"jsonrpc":"2.0","id":7,"result":{"content":[]}}'],
      ],
    ],
  },
  {
    row: 'elicitationId is made, and retired with the call',
    steps: [
      [
        'c',
        rpc('"id":7,"method":"prompts/get","params":{"name":"a"}'),
        [`server {"jsonrpc":"2.0","id":2,"method":"prompts/get","params":{"name":"a",${META}}}`],
      ],
      [
        's',
        rpc(
          '"id":2,"result":{"resultType":"input_required","inputRequests":{"k":{"method":"elicitation/create","params":{"mode":"url","url":"https://a.example/","message":"Go."}}}}',
        ),
        [
          'client {"jsonrpc":"2.0","id":"sallyport-3","method":"elicitation/create","params":{"mode":"url","url":"https://a.example/","message":"Go.","elicitationId":"sallyport-4"}}',
        ],
      ],
      [
        'c',
        rpc('"id":"sallyport-3","result":{"action":"accept"}'),
        [
          `server {"jsonrpc":"2.0","id":5,"method":"prompts/get","params":{"name":"a",${META},"inputResponses":{"k":{"action":"accept"}}}}`,
        ],
      ],
      [
        's',
        rpc('"id":5,"result":{"messages":[]}'),
        [
          'client {"jsonrpc":"2.0","method":"notifications/elicitation/complete","params":{"elicitationId":"sallyport-4"}}',
          'client {"jsonrpc":"2.0","id":7,"result":{"messages":[]}}',
        ],
      ],
    ],
  },
  {
    row: 'a client that does not answer ends its call',
    steps: [
      [
        'c',
        rpc('"id":7,"method":"tools/call","params":{"name":"a"}'),
        [`server {"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"a",${META}}}`],
      ],
      [
        's',
        rpc(
          '"id":2,"result":{"resultType":"input_required","inputRequests":{"a":{"method":"roots/list"},"b":{"method":"roots/list"}}}',
        ),
        [
          'client {"jsonrpc":"2.0","id":"sallyport-3","method":"roots/list"}',
          'client {"jsonrpc":"2.0","id":"sallyport-4","method":"roots/list"}',
        ],
      ],
      [
        'c',
        rpc('"id":"sallyport-3","error":{"code":-32601,"message":"no roots"}'),
        [
          'client {"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"sallyport-4"}}',
          'failed n7 lost',
        ],
      ],
      ['c', rpc('"id":"sallyport-4","result":{}'), []],
    ],
  },
  {
    row: 'a question that no client knows ends the call',
    steps: [
      [
        'c',
        rpc('"id":7,"method":"tools/call","params":{"name":"a"}'),
        [`server {"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"a",${META}}}`],
      ],
      [
        's',
        rpc(
          '"id":2,"result":{"resultType":"input_required","inputRequests":{"a":{"method":"shell/run"}}}',
        ),
        ['failed n7 lost'],
      ],
    ],
  },
  {
    row: 'a call is cancelled at the server, or while its client is asked',
    steps: [
      [
        'c',
        rpc('"id":7,"method":"tools/call","params":{"name":"a"}'),
        [`server {"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"a",${META}}}`],
      ],
      [
        'c',
        rpc('"method":"notifications/cancelled","params":{"requestId":7,"reason":"r"}'),
        [
          'server {"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":2,"reason":"r"}}',
        ],
      ],
      [
        'c',
        rpc('"id":8,"method":"tools/call","params":{"name":"a"}'),
        [`server {"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"a",${META}}}`],
      ],
      [
        's',
        rpc(
          '"id":3,"result":{"resultType":"input_required","inputRequests":{"a":{"method":"roots/list"}}}',
        ),
        ['client {"jsonrpc":"2.0","id":"sallyport-4","method":"roots/list"}'],
      ],
      [
        'c',
        rpc('"method":"notifications/cancelled","params":{"requestId":8}'),
        [
          'client {"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"sallyport-4"}}',
        ],
      ],
    ],
  },
  {
    row: 'a level that no log has goes with no request',
    steps: [
      [
        'c',
        rpc('"id":7,"method":"logging/setLevel","params":{"level":"loud"}'),
        [
          `client {"jsonrpc":"2.0","id":7,"error":{"code":-32602,"message":"'level' must be a level of a log."}}`,
        ],
      ],
      [
        'c',
        rpc('"id":8,"method":"prompts/list"'),
        [`server {"jsonrpc":"2.0","id":2,"method":"prompts/list","params":{${META}}}`],
      ],
    ],
  },
  {
    row: 'an answer that its client would take for a whole one is none',
    steps: [
      [
        'c',
        rpc('"id":7,"method":"tools/call","params":{"name":"a"}'),
        [`server {"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"a",${META}}}`],
      ],
      ['s', rpc('"id":2,"result":{"resultType":"task","taskId":"t"}'), ['failed n7 lost']],
      [
        'c',
        rpc('"id":8,"method":"tools/list"'),
        [`server {"jsonrpc":"2.0","id":3,"method":"tools/list","params":{${META}}}`],
      ],
      [
        's',
        rpc('"id":3,"result":{"resultType":"input_required","inputRequests":{}}'),
        ['failed n8 lost'],
      ],
    ],
  },
  {
    row: 'results that are no objects → results in one, of tools that promise nothing of them',
    steps: [
      [
        'c',
        rpc('"id":7,"method":"tools/list"'),
        [`server {"jsonrpc":"2.0","id":2,"method":"tools/list","params":{${META}}}`],
      ],
      [
        's',
        rpc(
          '"id":2,"result":{"tools":[{"name":"a","outputSchema":{"type":"array"},"n":1.0}, {"outputSchema":{"type":"object"},"name":"b"},{"name":"c"}],"resultType":"complete"}',
        ),
        [
          'client {"jsonrpc":"2.0","id":7,"result":{"tools":[{"name":"a","n":1.0},{"outputSchema":{"type":"object"},"name":"b"},{"name":"c"}]}}',
        ],
      ],
      [
        'c',
        rpc('"id":8,"method":"tools/call","params":{"name":"a"}'),
        [`server {"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"a",${META}}}`],
      ],
      [
        's',
        rpc('"id":3,"result":{"resultType":"complete","structuredContent":[1.0],"content":[]}'),
        [
          'client {"jsonrpc":"2.0","id":8,"result":{"structuredContent":{"result":[1.0]},"content":[]}}',
        ],
      ],
    ],
  },
  {
    row: 'roots/list_changed has nowhere to go',
    steps: [['c', rpc('"method":"notifications/roots/list_changed"'), []]],
  },
  {
    row: 'a server of this revision asks nothing of its own accord',
    steps: [
      [
        's',
        rpc('"id":"x","method":"sampling/createMessage","params":{}'),
        ['server {"jsonrpc":"2.0","id":"x","error":{"code":-32601,"message":"Method not found"}}'],
      ],
    ],
  },
]
for (const { row, steps } of inSession)
  test(`legacy client: ${row}`, () => run(new LegacyClient(), HELLO, steps))

test('legacy client: a request without an answer is told as such', () => {
  const one = new LegacyClient()
  run(one, HELLO, [])
  say(one, ['c', rpc('"id":7,"method":"tools/call","params":{"name":"a"}')])
  assert.deepEqual(one.failed('n2', 'never-sent', 'away').map(shown), ['failed n7 never-sent'])
})

/** Says `later` to what it is asked as `id`. @returns what follows at once */
const later = (one: LegacyClient, id: number): readonly string[] =>
  say(one, [
    's',
    rpc(`"id":${id},"result":{"resultType":"input_required","requestState":"s${id}"}`),
  ])
const again = (id: number): string =>
  `server {"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"a",${META},"requestState":"s${id - 1}"}}`

test('legacy client: who is told to come back does so at once, and then less and less often', () => {
  const one = new LegacyClient()
  run(one, HELLO, [])
  say(one, ['c', rpc('"id":7,"method":"tools/call","params":{"name":"a"}')])
  assert.deepEqual(later(one, 2), [again(3)])
  let now = 0
  for (const [round, ms] of [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000].entries()) {
    assert.deepEqual(later(one, 3 + round), [])
    assert.deepEqual([...one.tidy(now), ...one.tidy(now + ms - 1)], [])
    now += ms
    assert.deepEqual(one.tidy(now).map(shown), [again(4 + round)])
  }
  // For as long as its client waits: no number of them is too many.
  for (let id = 10; id < 80; id += 1) {
    assert.deepEqual(later(one, id), [])
    one.tidy(now)
    now += 30_000
    assert.equal(one.tidy(now).length, 1)
  }
  assert.deepEqual(say(one, ['s', rpc('"id":80,"result":{"resultType":"complete","n":1.0}')]), [
    'client {"jsonrpc":"2.0","id":7,"result":{"n":1.0}}',
  ])
})

test('legacy client: of a call that the server has begun, a try that it refuses takes nothing back', () => {
  for (const [tries, end] of [
    [0, 'refused-by-server'],
    [1, 'lost'],
  ] as const) {
    const one = new LegacyClient()
    run(one, HELLO, [])
    say(one, ['c', rpc('"id":7,"method":"tools/call","params":{"name":"a"}')])
    if (tries > 0) later(one, 2)
    assert.deepEqual(one.failed(`n${2 + tries}`, 'refused-by-server', 'busy').map(shown), [
      `failed n7 ${end}`,
    ])
  }
})

test('legacy client: a call that is cancelled before it comes back is not made again', () => {
  const one = new LegacyClient()
  run(one, HELLO, [])
  say(one, ['c', rpc('"id":7,"method":"tools/call","params":{"name":"a"}')])
  later(one, 2)
  later(one, 3)
  assert.deepEqual(
    say(one, ['c', rpc('"method":"notifications/cancelled","params":{"requestId":7}')]),
    [],
  )
  assert.deepEqual([...one.tidy(0), ...one.tidy(99_000)], [])
})
