import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { tooLarge } from './line-reader.ts'
import { SseReader, sseEvent } from './sse-reader.ts'

interface Read {
  readonly events: readonly string[]
  readonly id: string | null
  readonly retryMs: number | null
}

function read(chunks: readonly Buffer[], maxBytes = 40, isOver = false): Read {
  const events: string[] = []
  const reader = new SseReader({
    maxBytes,
    onEvent: ({ type, data }) => events.push(`${type}=${data.toString('latin1')}`),
    onTooLong: () => events.push('too long'),
  })
  for (const chunk of chunks) reader.push(chunk)
  if (isOver) reader.end()
  return { events, id: reader.lastEventId, retryMs: reader.retryMs }
}

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1')
const events = (...chunks: string[]): readonly string[] => read(chunks.map(bytes)).events

const cases: readonly [what: string, chunks: string[], events: string[]][] = [
  ['one', ['data: a\n\n'], ['message=a']],
  ['a type', ['event: endpoint\ndata: /x\n\n'], ['endpoint=/x']],
  ['the type is of one event', ['event: e\ndata: a\n\ndata: b\n\n'], ['e=a', 'message=b']],
  ['an event without data is none', ['event: e\n\ndata: b\n\n'], ['message=b']],
  ['data that is empty is none', ['data:\n\n', 'data\n\n'], []],
  ['one space is taken, no more', ['data:  a\n\n'], ['message= a']],
  ['no space', ['data:a:b\n\n'], ['message=a:b']],
  ['several lines', ['data: a\ndata:\ndata: b\n\n'], ['message=a\n\nb']],
  ['returns end lines', ['data: a\r\rdata: b\r\r'], ['message=a', 'message=b']],
  ['both end one line', ['data: a\r\n\r\n'], ['message=a']],
  ['both, torn apart', ['data: a\r', '\n\r', '\n'], ['message=a']],
  ['a mix', ['data: a\rdata: b\ndata: c\r\n\n'], ['message=a\nb\nc']],
  ['blank lines before it', ['\n\r\n\ndata: a\n\n'], ['message=a']],
  ['comments', [': hello\ndata: a\n:\n\n'], ['message=a']],
  [
    'comments do not fill an event',
    [`:${'x'.repeat(38)}\n`.repeat(9), 'data: a\n\n'],
    ['message=a'],
  ],
  ['fields nobody knows', ['Data: x\ndatas: y\ndata : z\nfoo\ndata: a\n\n'], ['message=a']],
  ['a byte order mark', ['\u00ef\u00bb\u00bfdata: a\n\n'], ['message=a']],
  ['a mark elsewhere is part of the name', ['\n\u00ef\u00bb\u00bfdata: a\n\n'], []],
  ['without its blank line', ['data: a\n'], []],
  ['just fits', [`data: ${'x'.repeat(34)}\n\n`], [`message=${'x'.repeat(34)}`]],
  ['too long', [`data: ${'x'.repeat(35)}\n\ndata: b\n\n`], ['too long', 'message=b']],
  [
    'too long, piece by piece',
    ['data: ', 'x'.repeat(35), '\n', '\ndata: b\n\n'],
    ['too long', 'message=b'],
  ],
  ['too long over several lines', ['data: xxxxxxxxx\n'.repeat(3), '\n'], ['too long']],
  [
    'what follows in a skipped event is skipped',
    [`data: ${'x'.repeat(40)}\ndata: b\n\n`],
    ['too long'],
  ],
]
for (const [what, chunks, expected] of cases)
  test(`events: ${what}`, () => assert.deepEqual(events(...chunks), expected))

const endings: readonly [what: string, chunks: string[], events: string[]][] = [
  ['within a line', ['data: {"a":1}'], ['message={"a":1}']],
  ['behind a line', ['data: {"a":1}\n'], ['message={"a":1}']],
  ['behind a return', ['data: {"a":1}\r'], ['message={"a":1}']],
  ['in pieces', ['data: {"a', '":1', '} '], ['message={"a":1} ']],
  ['a list', ['data: [1]'], ['message=[1]']],
  ['of several lines', ['data: {"a":\ndata: 1}'], ['message={"a":\n1}']],
  ['of a type', ['event: e\ndata: {}'], ['e={}']],
  ['behind others', ['data: 1\n\ndata: {}'], ['message=1', 'message={}']],
  ['a mark before it', ['\u00ef\u00bb\u00bfdata: {}'], ['message={}']],
  ['in the middle of a message', ['data: {"a":1'], []],
  ['between its lines', ['data: {"a":\n'], []],
  ['a number may go on', ['data: 12'], []],
  ['so may a word', ['data: null\n'], []],
  ['no JSON', ['data: hello\n'], []],
  ['in the middle of another field', ['data: {}\nid: 1'], []],
  ['in the middle of a name', ['data: {}\nda'], []],
  ['behind another field', ['id: 1\ndata: {}\n'], ['message={}']],
  ['nothing', [''], []],
  ['no data', ['event: e\n'], []],
  ['too long', [`data: {"a":"${'x'.repeat(40)}"}`], []],
]
for (const [what, chunks, expected] of endings)
  test(`the stream ends: ${what}`, () =>
    assert.deepEqual(read(chunks.map(bytes), 40, true).events, expected))

for (const [what, tail, ending, expected] of [
  ['whole, within its line', '', Buffer.from('{}'), ['{}']],
  ['whole, behind its line', '\n', Buffer.from('{}'), ['{}']],
  ['in the middle of another field', '\nid: 1', Buffer.from('{}'), []],
  ['in the middle of it', '', tooLarge(1), []],
] as const)
  test(`the stream ends with a large event: ${what}`, () => {
    const got: string[] = []
    let drops = 0
    const reader = new SseReader({
      maxBytes: 8 * 1024 * 1024,
      large: () => ({ push: () => {}, end: () => ending, drop: () => void (drops += 1) }),
      onEvent: ({ data }) => got.push(data.toString()),
      onTooLong: () => got.push('too long'),
    })
    reader.push(bytes(`id: 7\ndata: ${'x'.repeat(3 * 1024 * 1024)}`))
    reader.push(bytes(tail))
    reader.end()
    assert.deepEqual(got, expected)
    assert.equal(drops, tail.endsWith('1') ? 1 : 0)
    assert.equal(reader.lastEventId, expected.length === 0 ? null : '7')
  })

test('the id of the last event counts when the event does', () => {
  assert.equal(read([bytes('id: 7\ndata: {}\n')], 40, true).id, '7')
  assert.equal(read([bytes('id: 7\ndata: {\n')], 40, true).id, null)
})

test('ids and waiting times', () => {
  assert.deepEqual(read([bytes('id: 7\nretry: 250\ndata:\n\n')]), {
    events: [],
    id: '7',
    retryMs: 250,
  })
  // What is not complete was not received.
  assert.equal(read([bytes('id: 7\n\nid: 8\n')]).id, '7')
  assert.equal(read([bytes('id: 7\n\nid\n\n')]).id, '')
  assert.equal(read([bytes('id: a\0b\n\n')]).id, null)
  assert.equal(read([bytes('retry: 1.5\nretry: -1\nretry: x\n\n')]).retryMs, null)
  assert.equal(read([bytes('retry: 99999999999\n')]).retryMs, 3_600_000)
})

test('what was written comes back, one line or several', () => {
  const reader = read([Buffer.from(sseEvent('{"é":\r\n1}', '3') + sseEvent('[]'))], 1000)
  assert.deepEqual(reader.events, ['message={"Ã©":\n1}', 'message=[]'])
  assert.equal(reader.id, '3')
})

test('events are the same however the bytes come', () => {
  const unit = fc.constantFrom(
    'data',
    'event',
    'id',
    'retry',
    ':',
    ' ',
    'a',
    '1',
    '\n',
    '\r',
    '\n\n',
  )
  fc.assert(
    fc.property(fc.string({ unit, maxLength: 60 }), fc.nat(6), (text, size) => {
      const pieces = text.match(new RegExp(`[^]{1,${size + 1}}`, 'g')) ?? []
      for (const isOver of [false, true])
        assert.deepEqual(read(pieces.map(bytes), 12, isOver), read([bytes(text)], 12, isOver))
    }),
    { numRuns: 2_000 },
  )
})

test('any bytes: nothing throws, nothing beyond the bound is held', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 50 })), (chunks) => {
      for (const one of read(chunks.map((chunk) => Buffer.from(chunk))).events)
        assert.ok(one.length <= 100)
    }),
  )
})

test('an event of many megabytes in small pieces costs its length', () => {
  const size = 24 * 1024 * 1024
  let got = 0
  const reader = new SseReader({
    maxBytes: size + 100,
    onEvent: ({ data }) => {
      got = data.length
    },
    onTooLong: () => assert.fail('it fits'),
  })
  reader.push(bytes('data: '))
  const piece = Buffer.alloc(16_384, 0x61)
  for (let sent = 0; sent < size; sent += piece.length) reader.push(piece)
  reader.push(bytes('\n\n'))
  assert.equal(got, size)
})
