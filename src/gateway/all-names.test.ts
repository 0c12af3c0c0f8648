import assert from 'node:assert/strict'
import { test } from 'node:test'
import { answerOfAll, uriAtServer, uriOfAll } from './all-names.ts'

const uris: readonly [server: string, uri: string, among: string][] = [
  ['files', 'file:///a/b', 'mcp://files/file:///a/b'],
  ['a.b_c-1', 'x://y?z=1#f', 'mcp://a.b_c-1/x://y?z=1#f'],
  ['9', 'test://{id}/{+path}', 'mcp://9/test://{id}/{+path}'],
  ['outer', 'mcp://inner/a://b', 'mcp://outer/mcp://inner/a://b'],
  ['s', '', 'mcp://s/'],
]
for (const [server, uri, among] of uris)
  test(`an address among all: ${among}`, () => {
    assert.equal(uriOfAll(server, uri), among)
    assert.deepEqual(uriAtServer(among), { server, uri })
  })

for (const other of ['file:///a', 'mcp://', 'mcp:///a', 'mcp://files', '', 5, null])
  test(`no address among all: ${String(other)}`, () => assert.equal(uriAtServer(other), null))

test('schemes and hosts are told apart in small letters by some clients', () => {
  assert.deepEqual(uriAtServer('MCP://Files/file:///A'), { server: 'Files', uri: 'file:///A' })
})

const answers: readonly [what: string, before: string, after: string][] = [
  [
    'what is read',
    '{"contents":[{"uri":"a://b","n":1.0,"text":"uri"}],"x":12345678901234567890}',
    '{"contents":[{"uri":"mcp://s/a://b","n":1,"text":"uri"}],"x":12345678901234567890}',
  ],
  [
    'links and resources in what a tool says',
    '{"content":[{"type":"resource_link","uri":"a://b"},{"type":"resource","resource":{"uri":"c://d"}},{"type":"text","uri":"e"}]}',
    '{"content":[{"type":"resource_link","uri":"mcp://s/a://b"},{"type":"resource","resource":{"uri":"mcp://s/c://d"}},{"type":"text","uri":"e"}]}',
  ],
  [
    'messages of a prompt',
    '{"messages":[{"role":"user","content":{"type":"resource","resource":{"uri":"a://b"}}},5]}',
    '{"messages":[{"role":"user","content":{"type":"resource","resource":{"uri":"mcp://s/a://b"}}},5]}',
  ],
]
for (const [what, before, after] of answers)
  test(`addresses in ${what}`, () => {
    const of = (result: string): string => `{"jsonrpc":"2.0","id":1,"result":${result}}`
    assert.equal(answerOfAll(of(before), 's'), of(after))
  })

test('the address of what is not there, and nothing else of an error', () => {
  const of = (data: string): string =>
    `{"jsonrpc":"2.0","id":1,"error":{"code":-32002,"message":"no","data":${data}}}`
  assert.equal(answerOfAll(of('{"uri":"a://b"}'), 's'), of('{"uri":"mcp://s/a://b"}'))
  for (const data of ['{"uris":["a://b"]}', '"\\"uri"', '{ "uri":5}'])
    assert.equal(answerOfAll(of(data), 's'), of(data))
})

test('an answer without addresses stays as it was written', () => {
  const text =
    ' {"id":1,"result":{"content":[{"type":"text","text":"\\u00e9 \\"uri\\""}],"uri":"a"},"jsonrpc":"2.0"}'
  assert.equal(answerOfAll(text, 's'), text)
})
