// A legacy server refuses a call until the person was at an address, and its client is of 2026-07-28.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { C, type Row, rpc, run, type Said, say, V } from '../../../test/support/era-rows.ts'
import { ModernClient } from './modern-client.ts'

const caps = (declared: string): string => `"_meta":{${V},${C}${declared}}`
const ALL = caps('{"elicitation":{"form":{},"url":{}},"sampling":{},"roots":{"listChanged":true}}')
const GREETED: readonly Said[] = [
  ['c', rpc(`"id":"d","method":"server/discover","params":{${ALL}}`)],
  ['s', rpc('"id":1,"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}}}')],
]
const fresh = (): ModernClient => new ModernClient({ newHandle: () => 'handle-1' })

const rows: readonly Row[] = [
  {
    row: '−32042 → input_required, and the call is made again',
    steps: [
      [
        'c',
        rpc(`"id":"a","method":"tools/call","params":{"name":"x",${ALL}}`),
        ['server {"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"x"}}'],
      ],
      [
        's',
        rpc(
          '"id":2,"error":{"code":-32042,"message":"go","data":{"elicitations":[{"mode":"url","elicitationId":"e","url":"https://a.example/","message":"Go."}]}}',
        ),
        [
          'client {"jsonrpc":"2.0","id":"a","result":{"resultType":"input_required","inputRequests":{"q1":{"method":"elicitation/create","params":{"mode":"url","url":"https://a.example/","message":"Go."}}},"requestState":"handle-1"}}',
        ],
      ],
      [
        'c',
        rpc(
          `"id":"b","method":"tools/call","params":{"name":"x",${ALL},"inputResponses":{"q1":{"action":"accept"}},"requestState":"handle-1"}`,
        ),
        ['server {"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"x"}}'],
      ],
      [
        's',
        rpc('"id":3,"result":{"content":[]}'),
        ['client {"jsonrpc":"2.0","id":"b","result":{"content":[],"resultType":"complete"}}'],
      ],
    ],
  },
]
for (const { row, steps } of rows) test(`modern client: ${row}`, () => run(fresh(), GREETED, steps))

const refused = (data: string): string =>
  rpc(`"id":2,"error":{"code":-32042,"message":"go","data":${data}}`)
const PLACES =
  '{"elicitations":[{"mode":"url","elicitationId":"e","url":"https://a.example/","message":"Go."}]}'
const NO_URL =
  '{"code":-32021,"message":"The person has to go to an address.","data":{"requiredCapabilities":{"elicitation":{"url":{}}}}}'
const same = (data: string): string => `{"code":-32603,"message":"go","data":${data}}`

const FORM = '{"elicitations":[{"mode":"form","message":"Name?","requestedSchema":{}}]}'
const errors: readonly [
  what: string,
  declared: string,
  method: string,
  data: string,
  error: string,
][] = [
  ['nothing declared', '{}', 'tools/call', PLACES, NO_URL],
  ['forms declared', '{"elicitation":{}}', 'tools/call', PLACES, NO_URL],
  ['forms named', '{"elicitation":{"form":{}}}', 'prompts/get', PLACES, NO_URL],
  [
    'no places',
    '{"elicitation":{"url":{}}}',
    'tools/call',
    '{"elicitations":[]}',
    same('{"elicitations":[]}'),
  ],
  ['no data', '{"elicitation":{"url":{}}}', 'tools/call', '1.0', same('1.0')],
  ['a form in it', '{"elicitation":{"form":{},"url":{}}}', 'tools/call', FORM, same(FORM)],
  ['a request that cannot ask', '{"elicitation":{"url":{}}}', 'tools/list', PLACES, same(PLACES)],
]
for (const [what, declared, method, data, error] of errors)
  test(`modern client: −32042 is no answer of its revision: ${what}`, () => {
    const one = fresh()
    run(one, GREETED, [])
    say(one, ['c', rpc(`"id":"a","method":"${method}","params":{"name":"x",${caps(declared)}}`)])
    assert.deepEqual(say(one, ['s', refused(data)]), [
      `client {"jsonrpc":"2.0","id":"a","error":${error}}`,
    ])
    assert.equal(one.held, 0)
  })
