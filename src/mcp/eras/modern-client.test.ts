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
import { ModernClient } from './modern-client.ts'

// A client without sessions before a server with them.
const caps = (declared: string): string => `"_meta":{${V},${C}${declared}}`
const ALL = caps('{"elicitation":{"form":{},"url":{}},"sampling":{},"roots":{"listChanged":true}}')
const GREETED: readonly Said[] = [
  ['c', rpc(`"id":"d","method":"server/discover","params":{${ALL}}`)],
  [
    's',
    rpc(
      '"id":1,"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{"listChanged":true},"resources":{"subscribe":true},"logging":{},"tasks":{}},"serverInfo":{"name":"old","version":"1.0"},"instructions":"Be kind."}',
    ),
  ],
]
const fresh = (): ModernClient => {
  let handles = 0
  return new ModernClient({
    newHandle: () => {
      handles += 1
      return `handle-${handles}`
    },
  })
}

const discovering: Row = {
  row: 'server/discover → initialize',
  steps: [
    [
      ...(GREETED[0] as Said),
      [
        'server {"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{"elicitation":{"form":{},"url":{}},"sampling":{},"roots":{}},"clientInfo":{"name":"sallyport","version":"0"}}}',
      ],
    ],
    ['c', rpc(`"id":2,"method":"tools/list","params":{${ALL}}`), []],
    [
      ...(GREETED[1] as Said),
      [
        'server {"jsonrpc":"2.0","method":"notifications/initialized"}',
        'client {"jsonrpc":"2.0","id":"d","result":{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{"listChanged":true},"resources":{"subscribe":true},"logging":{}},"instructions":"Be kind.","ttlMs":0,"cacheScope":"private","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"old","version":"1.0"}}}}',
        'server {"jsonrpc":"2.0","id":2,"method":"tools/list","params":{}}',
      ],
    ],
  ],
}
test(`modern client: ${discovering.row}`, () => run(fresh(), [], discovering.steps))

const withoutSessions: readonly Row[] = [
  {
    row: '_meta of each request is taken off; resultType, ttlMs and cacheScope are added',
    steps: [
      [
        'c',
        rpc(
          `"id":"a","method":"tools/list","params":{"cursor":"c",${ALL.slice(0, -1)},"mine":1.0}}`,
        ),
        [
          'server {"jsonrpc":"2.0","id":2,"method":"tools/list","params":{"cursor":"c","_meta":{"mine":1.0}}}',
        ],
      ],
      [
        's',
        rpc('"id":2,"result":{"tools":[{"n":12345678901234567890}]}'),
        [
          'client {"jsonrpc":"2.0","id":"a","result":{"tools":[{"n":12345678901234567890}],"resultType":"complete","ttlMs":0,"cacheScope":"private"}}',
        ],
      ],
      [
        'c',
        rpc(`"id":"b","method":"tools/call","params":{"name":"x",${ALL}}`),
        ['server {"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"x"}}'],
      ],
      [
        's',
        rpc('"id":3,"result":{"content":[]}'),
        ['client {"jsonrpc":"2.0","id":"b","result":{"content":[],"resultType":"complete"}}'],
      ],
    ],
  },
  {
    row: '−32002 → −32602',
    steps: [
      [
        'c',
        rpc(`"id":"a","method":"resources/read","params":{"uri":"a://b",${ALL}}`),
        ['server {"jsonrpc":"2.0","id":2,"method":"resources/read","params":{"uri":"a://b"}}'],
      ],
      [
        's',
        rpc('"id":2,"error":{"code":-32002,"message":"no","data":{"uri":"a://b"}}'),
        [
          'client {"jsonrpc":"2.0","id":"a","error":{"code":-32602,"message":"no","data":{"uri":"a://b"}}}',
        ],
      ],
    ],
  },
  {
    row: 'ping of the server is answered here; ping of the client is a method of the past',
    steps: [
      ['s', rpc('"id":"p","method":"ping"'), ['server {"jsonrpc":"2.0","id":"p","result":{}}']],
      [
        'c',
        rpc(`"id":3,"method":"ping","params":{${ALL}}`),
        ['client {"jsonrpc":"2.0","id":3,"error":{"code":-32601,"message":"Method not found"}}'],
      ],
    ],
  },
  {
    row: 'another revision is refused',
    steps: [
      [
        'c',
        rpc(
          '"id":3,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2031-01-01"}}',
        ),
        [
          'client {"jsonrpc":"2.0","id":3,"error":{"code":-32022,"message":"Unsupported protocol version","data":{"supported":["2026-07-28"],"requested":"2031-01-01"}}}',
        ],
      ],
    ],
  },
  {
    row: '_meta log level → logging/setLevel, and messages to whoever wants them',
    steps: [
      ['s', rpc('"method":"notifications/message","params":{"level":"error","data":1}'), []],
      [
        'c',
        rpc(
          `"id":"a","method":"tools/call","params":{"name":"x",${ALL.slice(0, -1)},"io.modelcontextprotocol/logLevel":"warning"}}`,
        ),
        [
          'server {"jsonrpc":"2.0","id":2,"method":"logging/setLevel","params":{"level":"warning"}}',
          'server {"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"x"}}',
        ],
      ],
      ['s', rpc('"id":2,"result":{}'), []],
      ['s', rpc('"method":"notifications/message","params":{"level":"info","data":1}'), []],
      [
        's',
        rpc('"method":"notifications/message","params":{"level":"error","data":1.0}'),
        [
          'client {"jsonrpc":"2.0","method":"notifications/message","params":{"level":"error","data":1.0}}',
        ],
      ],
      // It may be about another call, which asked for none.
      [
        'c',
        rpc(`"id":"b","method":"tools/call","params":{"name":"y",${ALL}}`),
        ['server {"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"y"}}'],
      ],
      ['s', rpc('"method":"notifications/message","params":{"level":"error","data":1}'), []],
    ],
  },
  {
    row: 'a request of the server → input_required, and the retry takes the call up again',
    steps: [
      [
        'c',
        rpc(
          `"id":"a","method":"tools/call","params":{"name":"x","arguments":{"n":1.0},${ALL.slice(0, -1)},"progressToken":1}}`,
        ),
        [
          'server {"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"x","arguments":{"n":1.0},"_meta":{"progressToken":1}}}',
        ],
      ],
      [
        's',
        rpc('"method":"notifications/progress","params":{"progressToken":1,"progress":0.10}'),
        [
          'client {"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":0.10}}',
        ],
      ],
      [
        's',
        rpc(
          '"id":0,"method":"elicitation/create","params":{"message":"Name?","requestedSchema":{"n":1.0},"elicitationId":"gone","_meta":{"progressToken":0}}',
        ),
        [
          'client {"jsonrpc":"2.0","id":"a","result":{"resultType":"input_required","inputRequests":{"q1":{"method":"elicitation/create","params":{"message":"Name?","requestedSchema":{"n":1.0},"_meta":{"progressToken":0}}}},"requestState":"handle-1"}}',
        ],
      ],
      // Nobody waits: progress has no stream to go on.
      [
        's',
        rpc('"method":"notifications/progress","params":{"progressToken":1,"progress":0.2}'),
        [],
      ],
      [
        'c',
        rpc(
          `"id":"b","method":"tools/call","params":{"arguments":{"n":1.0},"name":"x",${ALL.slice(0, -1)},"progressToken":"two"},"inputResponses":{"q1":{"action":"accept","content":{"n":1e3}}},"requestState":"handle-1"}`,
        ),
        ['server {"jsonrpc":"2.0","id":0,"result":{"action":"accept","content":{"n":1e3}}}'],
      ],
      [
        's',
        rpc('"method":"notifications/progress","params":{"progressToken":1,"progress":0.3}'),
        [
          'client {"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"two","progress":0.3}}',
        ],
      ],
      [
        's',
        rpc('"id":2,"result":{"content":[]}'),
        ['client {"jsonrpc":"2.0","id":"b","result":{"content":[],"resultType":"complete"}}'],
      ],
      [
        'c',
        rpc(
          `"id":"c","method":"tools/call","params":{"arguments":{"n":1.0},"name":"x",${ALL},"requestState":"handle-1"}`,
        ),
        [
          'client {"jsonrpc":"2.0","id":"c","error":{"code":-32602,"message":"The call that this answers is not held here any more: make it again without requestState."}}',
        ],
      ],
    ],
  },
  {
    row: 'several questions, one unanswered, and an end that came meanwhile',
    steps: [
      [
        'c',
        rpc(`"id":"a","method":"prompts/get","params":{"name":"x",${ALL}}`),
        ['server {"jsonrpc":"2.0","id":2,"method":"prompts/get","params":{"name":"x"}}'],
      ],
      [
        's',
        rpc('"id":"r","method":"roots/list"'),
        [
          'client {"jsonrpc":"2.0","id":"a","result":{"resultType":"input_required","inputRequests":{"q1":{"method":"roots/list"}},"requestState":"handle-1"}}',
        ],
      ],
      ['s', rpc('"id":"s","method":"sampling/createMessage","params":{}'), []],
      [
        'c',
        rpc(
          `"id":"b","method":"prompts/get","params":{"name":"x",${ALL},"inputResponses":{"q1":{"roots":[]}},"requestState":"handle-1"}`,
        ),
        [
          'server {"jsonrpc":"2.0","id":"r","result":{"roots":[]}}',
          'client {"jsonrpc":"2.0","id":"b","result":{"resultType":"input_required","inputRequests":{"q2":{"method":"sampling/createMessage","params":{}}},"requestState":"handle-2"}}',
        ],
      ],
      [
        'c',
        rpc(
          `"id":"c","method":"prompts/get","params":{"name":"x",${ALL},"requestState":"handle-2"}`,
        ),
        [
          'client {"jsonrpc":"2.0","id":"c","result":{"resultType":"input_required","inputRequests":{"q2":{"method":"sampling/createMessage","params":{}}},"requestState":"handle-3"}}',
        ],
      ],
      ['s', rpc('"id":2,"error":{"code":-32603,"message":"gave up"}'), []],
      [
        'c',
        rpc(
          `"id":"d","method":"prompts/get","params":{"name":"x",${ALL},"requestState":"handle-3"}`,
        ),
        ['client {"jsonrpc":"2.0","id":"d","error":{"code":-32603,"message":"gave up"}}'],
      ],
    ],
  },
  {
    row: 'a handle belongs to its call',
    steps: [
      [
        'c',
        rpc(`"id":"a","method":"tools/call","params":{"name":"x","arguments":{"n":1},${ALL}}`),
        [
          'server {"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"x","arguments":{"n":1}}}',
        ],
      ],
      [
        's',
        rpc('"id":"r","method":"roots/list"'),
        [
          'client {"jsonrpc":"2.0","id":"a","result":{"resultType":"input_required","inputRequests":{"q1":{"method":"roots/list"}},"requestState":"handle-1"}}',
        ],
      ],
      [
        'c',
        rpc(
          `"id":"b","method":"tools/call","params":{"name":"x","arguments":{"n":2},${ALL},"inputResponses":{"q1":{"roots":[]}},"requestState":"handle-1"}`,
        ),
        [
          'client {"jsonrpc":"2.0","id":"b","error":{"code":-32602,"message":"requestState belongs to another call."}}',
        ],
      ],
    ],
  },
  {
    row: 'a client is not asked what it did not declare, nor outside of a call',
    steps: [
      [
        's',
        rpc('"id":"r","method":"roots/list"'),
        ['server {"jsonrpc":"2.0","id":"r","error":{"code":-32601,"message":"Method not found"}}'],
      ],
      [
        'c',
        rpc(`"id":"a","method":"tools/call","params":{"name":"x",${caps('{"elicitation":{}}')}}`),
        ['server {"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"x"}}'],
      ],
      [
        's',
        rpc(
          '"id":"u","method":"elicitation/create","params":{"mode":"url","url":"https://a.example/"}',
        ),
        ['server {"jsonrpc":"2.0","id":"u","error":{"code":-32601,"message":"Method not found"}}'],
      ],
      [
        's',
        rpc('"id":"s","method":"sampling/createMessage","params":{}'),
        ['server {"jsonrpc":"2.0","id":"s","error":{"code":-32601,"message":"Method not found"}}'],
      ],
    ],
  },
  {
    row: 'subscriptions/listen → what the session hears, and resources/subscribe',
    steps: [
      [
        'c',
        rpc(
          `"id":"l","method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true,"promptsListChanged":true,"resourceSubscriptions":["a://1","a://1"]},${ALL}}`,
        ),
        ['server {"jsonrpc":"2.0","id":2,"method":"resources/subscribe","params":{"uri":"a://1"}}'],
      ],
      ['s', rpc('"method":"notifications/tools/list_changed"'), []],
      [
        's',
        rpc('"id":2,"result":{}'),
        [
          `client {"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"notifications":{"toolsListChanged":true,"resourceSubscriptions":["a://1"]},"_meta":{${SUB}"l"}}}`,
        ],
      ],
      [
        'c',
        rpc(
          `"id":5,"method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":["a://1"]},${ALL}}`,
        ),
        [
          `client {"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"notifications":{"resourceSubscriptions":["a://1"]},"_meta":{${SUB}5}}}`,
        ],
      ],
      [
        's',
        rpc('"method":"notifications/tools/list_changed"'),
        [
          `client {"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{"_meta":{${SUB}"l"}}}`,
        ],
      ],
      ['s', rpc('"method":"notifications/prompts/list_changed"'), []],
      [
        's',
        rpc('"method":"notifications/resources/updated","params":{"uri":"a://1"}'),
        [
          `client {"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"a://1","_meta":{${SUB}"l"}}}`,
          `client {"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"a://1","_meta":{${SUB}5}}}`,
        ],
      ],
      ['c', rpc('"method":"notifications/cancelled","params":{"requestId":"l"}'), []],
      [
        'c',
        rpc('"method":"notifications/cancelled","params":{"requestId":5}'),
        [
          'server {"jsonrpc":"2.0","id":3,"method":"resources/unsubscribe","params":{"uri":"a://1"}}',
        ],
      ],
      ['s', rpc('"method":"notifications/tools/list_changed"'), []],
    ],
  },
  {
    row: 'what a server refuses to tell of is not acknowledged, for nobody who waits for it',
    steps: [
      [
        'c',
        rpc(
          `"id":"l","method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":["a://1","a://2"]},${ALL}}`,
        ),
        [
          'server {"jsonrpc":"2.0","id":2,"method":"resources/subscribe","params":{"uri":"a://1"}}',
          'server {"jsonrpc":"2.0","id":3,"method":"resources/subscribe","params":{"uri":"a://2"}}',
        ],
      ],
      [
        'c',
        rpc(
          `"id":"m","method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":["a://2"]},${ALL}}`,
        ),
        [],
      ],
      [
        's',
        rpc('"id":3,"error":{"code":-32002,"message":"no"}'),
        [
          `client {"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"notifications":{},"_meta":{${SUB}"m"}}}`,
          `client {"jsonrpc":"2.0","id":"m","result":{"resultType":"complete","_meta":{${SUB}"m"}}}`,
        ],
      ],
      [
        's',
        rpc('"id":2,"result":{}'),
        [
          `client {"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"notifications":{"resourceSubscriptions":["a://1"]},"_meta":{${SUB}"l"}}}`,
        ],
      ],
      [
        'c',
        rpc('"method":"notifications/cancelled","params":{"requestId":"l"}'),
        [
          'server {"jsonrpc":"2.0","id":4,"method":"resources/unsubscribe","params":{"uri":"a://1"}}',
        ],
      ],
    ],
  },
  {
    row: 'who leaves before the server answered is not waited for',
    steps: [
      [
        'c',
        rpc(
          `"id":"l","method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":["a://1"]},${ALL}}`,
        ),
        ['server {"jsonrpc":"2.0","id":2,"method":"resources/subscribe","params":{"uri":"a://1"}}'],
      ],
      [
        'c',
        rpc('"method":"notifications/cancelled","params":{"requestId":"l"}'),
        [
          'server {"jsonrpc":"2.0","id":3,"method":"resources/unsubscribe","params":{"uri":"a://1"}}',
        ],
      ],
      [
        'c',
        rpc(
          `"id":"m","method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":["a://1"]},${ALL}}`,
        ),
        ['server {"jsonrpc":"2.0","id":4,"method":"resources/subscribe","params":{"uri":"a://1"}}'],
      ],
      ['s', rpc('"id":2,"result":{}'), []],
      ['s', rpc('"id":3,"result":{}'), []],
      [
        's',
        rpc('"id":4,"result":{}'),
        [
          `client {"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"notifications":{"resourceSubscriptions":["a://1"]},"_meta":{${SUB}"m"}}}`,
        ],
      ],
    ],
  },
  {
    row: 'a request says which revision it is of, and what its client can do',
    steps: [
      [
        'c',
        rpc('"id":"a","method":"tools/list","params":{}'),
        [
          'client {"jsonrpc":"2.0","id":"a","error":{"code":-32602,"message":"params._meta must name io.modelcontextprotocol/protocolVersion."}}',
        ],
      ],
      [
        'c',
        rpc(`"id":"b","method":"tools/list","params":{"_meta":{${V}}}`),
        [
          'client {"jsonrpc":"2.0","id":"b","error":{"code":-32602,"message":"params._meta must name io.modelcontextprotocol/clientCapabilities."}}',
        ],
      ],
    ],
  },
  {
    row: 'listening for nothing ends at once',
    steps: [
      [
        'c',
        rpc(
          `"id":"l","method":"subscriptions/listen","params":{"notifications":{"promptsListChanged":true},${ALL}}`,
        ),
        [
          `client {"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"notifications":{},"_meta":{${SUB}"l"}}}`,
          `client {"jsonrpc":"2.0","id":"l","result":{"resultType":"complete","_meta":{${SUB}"l"}}}`,
        ],
      ],
    ],
  },
  {
    row: 'a call is cancelled at the server',
    steps: [
      [
        'c',
        rpc(`"id":"a","method":"tools/call","params":{"name":"x",${ALL}}`),
        ['server {"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"x"}}'],
      ],
      [
        'c',
        rpc('"method":"notifications/cancelled","params":{"requestId":"a"}'),
        ['server {"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":2}}'],
      ],
      ['s', rpc('"id":2,"result":{}'), []],
    ],
  },
]
for (const { row, steps } of withoutSessions)
  test(`modern client: ${row}`, () => run(fresh(), GREETED, steps))

test('modern client: a held call that nobody comes back for is given up', () => {
  const one = fresh()
  run(one, GREETED, [])
  say(one, ['c', rpc(`"id":"a","method":"tools/call","params":{"name":"x",${ALL}}`)])
  say(one, ['s', rpc('"id":"e","method":"elicitation/create","params":{"message":"?"}')])
  assert.equal(one.held, 1)
  assert.deepEqual([...one.tidy(1_000), ...one.tidy(600_999)], [])
  assert.deepEqual(one.tidy(601_000).map(shown), [
    'server {"jsonrpc":"2.0","id":"e","result":{"action":"cancel"}}',
    'server {"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":2}}',
  ])
  assert.equal(one.held, 0)
})

test('modern client: no more is kept of what a server asks in one call than it is asked', () => {
  const ask = (id: number, message: string): readonly string[] =>
    say(one, [
      's',
      rpc(`"id":${id},"method":"elicitation/create","params":{"message":"${message}"}`),
    ])
  const tooMany = (id: number): string =>
    `server {"jsonrpc":"2.0","id":${id},"error":{"code":-32603,"message":"Too many questions are not answered yet."}}`
  const one = fresh()
  run(one, GREETED, [])
  say(one, ['c', rpc(`"id":"a","method":"tools/call","params":{"name":"x",${ALL}}`)])
  for (let id = 0; id < 99; id += 1) ask(id, '?')
  assert.deepEqual(ask(99, 'x'.repeat(16_777_216)), [tooMany(99)])
  assert.deepEqual(ask(100, '?'), [])
  assert.deepEqual(ask(101, '?'), [tooMany(101)])
})

test('modern client: a server that does not say whether it tells of a resource is not waited for', () => {
  const one = fresh()
  run(one, GREETED, [])
  const filter = `"notifications":{"toolsListChanged":true,"resourceSubscriptions":["a://1"]}`
  say(one, ['c', rpc(`"id":"l","method":"subscriptions/listen","params":{${filter},${ALL}}`)])
  assert.deepEqual([...one.tidy(1_000), ...one.tidy(10_999)], [])
  assert.deepEqual(one.tidy(11_000).map(shown), [
    'server {"jsonrpc":"2.0","id":3,"method":"resources/unsubscribe","params":{"uri":"a://1"}}',
    `client {"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"notifications":{"toolsListChanged":true},"_meta":{${SUB}"l"}}}`,
  ])
  assert.deepEqual(say(one, ['s', rpc('"id":2,"result":{}')]), [])
})

test('modern client: no session, no answer', () => {
  const one = fresh()
  say(one, ['c', rpc(`"id":"a","method":"tools/list","params":{${ALL}}`)])
  assert.deepEqual(one.failed('n1', 'lost', 'gone').map(shown), [
    'client {"jsonrpc":"2.0","id":"a","error":{"code":-32603,"message":"The server does not begin a session."}}',
  ])
  // The next one tries again.
  assert.equal(say(one, ['c', rpc(`"id":"b","method":"tools/list","params":{${ALL}}`)]).length, 1)
})
