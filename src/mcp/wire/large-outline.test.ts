import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readMessage } from './envelope.ts'
import { Outline, type Outlined } from './large-outline.ts'

/** What stands in the message where the outline has references. */
function restored({ text, spans }: Outlined, message: Buffer): string {
  return spans.reduce(
    (whole, { reference, start, end }) =>
      whole.replace(`"${reference}"`, () => message.toString('utf8', start, end)),
    text,
  )
}

function outlined(message: string | Buffer, size = 65_536, isOneLine = false) {
  const bytes = Buffer.from(message)
  const outline = new Outline({ isOneLine })
  for (let at = 0; at < bytes.length; at += size)
    outline.push(Buffer.from(bytes.subarray(at, at + size)))
  return outline.finish()
}

const LONG = 'aé\\n\\u0041\\"€😀'.repeat(6_000)
const ROWS = `[${'{"name":"n","more":[1.5,true,null,-2e3],"o":{}},'.repeat(14_000)}1]`

const LARGE: readonly [what: string, message: string, held: readonly string[]][] = [
  ['a text', `{"jsonrpc":"2.0","id":1,"result":{"a":"${LONG}","b":1}}`, ['text']],
  ['texts', `{"id":1,"result":{"a":["${LONG}","s"],"b":{"c":"${LONG}"}}}`, ['text', 'text']],
  [
    'an argument',
    `{"id":1,"method":"m","params":{"name":"t","arguments":{"a":"${LONG}"}}}`,
    ['text'],
  ],
  ['many small values', `{"id":1,"result":{"content":[],"rows":${ROWS}}}`, ['structure']],
  ['texts within many values', `{"id":1,"result":{"rows":["${LONG}",${ROWS}]}}`, ['structure']],
  [
    'arguments of many values',
    `{"id":1,"method":"m","params":{"arguments":{"a":${ROWS},"b":2}}}`,
    ['structure'],
  ],
  ['what nobody knows', ` {"vendor" : "${LONG}" , "id" : 1,"result":{}} `, ['text']],
]

for (const [what, message, held] of LARGE)
  for (const size of [3, 4_093, 1_000_000])
    test(`a large message is outlined and restored byte for byte: ${what}, ${size} bytes at a time`, () => {
      const found = outlined(message, size)
      assert.ok(!('kind' in found), JSON.stringify(found))
      assert.deepEqual(
        found.spans.map(({ kind }) => kind),
        held,
      )
      assert.ok(found.text.length < 600_000)
      assert.equal(restored(found, Buffer.from(message)), message)
    })

test('what the gateway reads stays in the outline, however long it is', () => {
  const found = outlined(
    `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"${LONG}","_meta":{"x":"${LONG}"},"arguments":{}}}`,
  )
  assert.ok(!('kind' in found))
  assert.deepEqual(found.spans, [])
  const tools = `{"name":"a","description":"${LONG}"},`.repeat(20)
  const list = outlined(`{"jsonrpc":"2.0","id":1,"result":{"tools":[${tools}1]}}`)
  assert.ok(!('kind' in list))
  assert.deepEqual(list.spans, [])
})

const deep = (levels: number): string => `${'['.repeat(levels)}${']'.repeat(levels)}`

const REFUSED: readonly [what: string, message: string | Buffer, code: number, idText: string][] = [
  ['nothing', '', -32700, 'null'],
  ['what ends too soon', '{"id":1,"result":{"a":[1', -32700, 'null'],
  ['a text that does not end', '{"id":1,"result":"a', -32700, 'null'],
  ['what goes on behind its end', '{"id":1}}', -32700, 'null'],
  ['a comma too many', '{"id":1,}', -32700, 'null'],
  ['a comma before the end of a list', '{"a":[1,]}', -32700, 'null'],
  ['no comma', '{"a":[1 2]}', -32700, 'null'],
  ['a bracket of another kind', '{"a":[1}', -32700, 'null'],
  ['a name without a value', '{"a"}', -32700, 'null'],
  ['a zero before a number', '{"a":01}', -32700, 'null'],
  ['a word', '{"a":NaN}', -32700, 'null'],
  ['an escape that is none', '{"a":"\\x41"}', -32700, 'null'],
  ['half an escape', '{"a":"\\u00g0"}', -32700, 'null'],
  ['a line end within a text', '{"a":"b\nc"}', -32700, 'null'],
  ['a mark at the beginning', '\ufeff{"id":1}', -32700, 'null'],
  ['bytes that are no UTF-8', Buffer.from('{"id":1,"a":"\xff"}', 'latin1'), -32700, 'null'],
  ['half a character at the end', Buffer.from('{"id":1}\xc3', 'latin1'), -32700, 'null'],
  ['a list of messages', '[{"id":1,"method":"m"}]', -32600, 'null'],
  [
    'a twin in a value that is held',
    '{"id":"q","method":"m","params":{"a":{"b":1,"c":2,"b":3}}}',
    -32602,
    '"q"',
  ],
  ['a twin in disguise', '{"id":7,"method":"m","params":{"a":[{"b":1,"\\u0062":3}]}}', -32602, '7'],
  ['a number that is too large', '{"result":{"a":[1e999]},"id":9}', -32600, '9'],
  ['a carriage return between tokens', '{"id":7,\r"method":"m","params":{}}', -32600, '7'],
  ['too many levels', `{"id":1,"result":${deep(257)}}`, -32600, '1'],
  ['far too many levels', `{"id":1,"result":${deep(5_000)}}`, -32600, '1'],
  ['two ids', '{"id":1,"result":{"a":[1e999]},"id":2}', -32600, 'null'],
  ['an id that is none', '{"id":[1],"result":{"a":[1e999]}}', -32600, 'null'],
]

for (const [what, message, code, idText] of REFUSED)
  test(`a large message is refused: ${what}`, () => {
    for (const size of [1, 2, 5, 65_536]) {
      const found = outlined(message, size)
      assert.ok('kind' in found, `${size}`)
      assert.deepEqual([found.code, found.idText], [code, idText], `${size}: ${found.message}`)
    }
  })

test('as deep as a message may be it passes, and what is read piece by piece is read as in one', () => {
  assert.ok(!('kind' in outlined(`{"id":1,"result":${deep(256)}}`)))
  const parts = ['{', '}', '[', ']', ',', ':', '"a"', '"b\\n"', '1', '-0.5e2', 'null', ' ', '"']
  let seed = 7
  const next = (below: number): number => {
    seed = (seed * 48_271) % 2_147_483_647
    return seed % below
  }
  let good = 0
  for (let round = 0; round < 20_000; round += 1) {
    const text = Array.from({ length: 1 + next(9) }, () => parts[next(parts.length)]).join('')
    const whole = `{"id":${text}}`
    let isJson = true
    try {
      JSON.parse(whole)
    } catch {
      isJson = false
    }
    const found = outlined(whole, 1 + next(4))
    assert.equal('kind' in found && found.code === -32700, !isJson, whole)
    if (isJson) good += 1
    if (!('kind' in found)) assert.equal(found.text, whole)
  }
  assert.ok(good > 100, `${good}`)
})

test('the rest of a message that is refused is read for its id', () => {
  const outline = new Outline({ isOneLine: false })
  outline.push(Buffer.from('{"result":{"a":"'))
  outline.refuse(-32600, 'too large')
  for (let made = 0; made < 100; made += 1) outline.push(Buffer.from(LONG))
  outline.push(Buffer.from('"},"id":"at the end","jsonrpc":"2.0"}'))
  assert.deepEqual(outline.finish(), {
    kind: 'refused',
    code: -32600,
    message: 'too large',
    idText: '"at the end"',
    isAnswer: true,
  })
})

test('a message that is nested far too deep is refused under its id', () => {
  const outline = new Outline({ isOneLine: false })
  const deep = `${'[{"a":'.repeat(50_000)}{"b":1,"c":[]}${'}]'.repeat(50_000)}`
  outline.push(Buffer.from(`{"method":"tools/call","params":{"name":"x","arguments":${deep}},`))
  outline.push(Buffer.from('"jsonrpc":"2.0","id":"at the end"}'))
  assert.deepEqual(outline.finish(), {
    kind: 'refused',
    code: -32602,
    message: 'The message is nested deeper than 256 levels.',
    idText: '"at the end"',
    isAnswer: false,
  })
})

test('line breaks between tokens become spaces, in what was pushed too', () => {
  const bytes = Buffer.from('{\r\n"id":\n1,"result":{"a":"b\\n"}\n}')
  const outline = new Outline({ isOneLine: true })
  outline.push(bytes)
  const found = outline.finish()
  assert.ok(!('kind' in found))
  assert.equal(found.text, '{  "id": 1,"result":{"a":"b\\n"} }')
  assert.equal(bytes.toString(), found.text)
  assert.equal(readMessage(found.text).kind, 'refused')
})
