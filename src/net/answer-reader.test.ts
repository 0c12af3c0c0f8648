import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AnswerReader } from './answer-reader.ts'

interface Read {
  readonly said: readonly string[]
  readonly isOver: boolean
  readonly isKept: boolean
  readonly keptMs: number | null
}

/** @param step how many bytes come at a time */
function read(text: string, step: number, method = 'POST', hasEnded = false): Read {
  const said: string[] = []
  let body: string | null = null
  const reader = new AnswerReader(method, {
    onHead: (status, fields) => {
      said.push(`${status} ${JSON.stringify(fields)}`)
      body = ''
    },
    onData: (chunk) => {
      body = (body ?? '') + chunk.toString('latin1')
    },
    onEnd: () => said.push(`body ${body}`),
  })
  const bytes = Buffer.from(text, 'latin1')
  for (let at = 0; at < bytes.length; at += step) reader.push(bytes.subarray(at, at + step))
  const isOver = hasEnded ? reader.end() : reader.isOver
  return { said, isOver, ...reader.standing }
}

const GOOD: readonly [what: string, answer: string, said: readonly string[], isKept: boolean][] = [
  [
    'a length',
    'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX-A:  b \t\r\n\r\nabc',
    ['200 {"content-length":"3","x-a":"b"}', 'body abc'],
    true,
  ],
  [
    'no reason phrase, nothing in it',
    'HTTP/1.1 404\r\ncontent-length: 0\r\n\r\n',
    ['404 {"content-length":"0"}', 'body '],
    true,
  ],
  [
    'chunks, with extensions and trailers',
    'HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n3;a=b\r\nabc\r\n0A \r\n0123456789\r\n0\r\nx-t: u\r\n\r\n',
    ['200 {"transfer-encoding":"Chunked"}', 'body abc0123456789'],
    true,
  ],
  [
    'what comes before the answer',
    'HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No\r\n\r\n',
    ['204 {}', 'body '],
    true,
  ],
  [
    '304 with a length of what is not sent',
    'HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n',
    ['304 {"content-length":"9"}', 'body '],
    true,
  ],
  [
    'several fields of one name, and one that is named as no other',
    'HTTP/1.1 200 OK\r\nset-cookie: a\r\nset-cookie: b\r\n__proto__: c\r\ncontent-length: 0\r\n\r\n',
    ['200 {"set-cookie":["a","b"],"__proto__":"c","content-length":"0"}', 'body '],
    true,
  ],
  [
    'that it closes',
    'HTTP/1.1 200 OK\r\nconnection: x, Close\r\ncontent-length: 1\r\n\r\na',
    ['200 {"connection":"x, Close","content-length":"1"}', 'body a'],
    false,
  ],
  [
    'the revision before',
    'HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\na',
    ['200 {"content-length":"1"}', 'body a'],
    false,
  ],
  [
    'more than was asked for',
    'HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\naHTTP/1.1 200 OK\r\n\r\n',
    ['200 {"content-length":"1"}', 'body a'],
    false,
  ],
]
for (const [what, answer, said, isKept] of GOOD)
  test(`answer: ${what}, in whatever pieces`, () => {
    for (const step of [1, 2, 3, 7, answer.length])
      assert.deepEqual(read(answer, step), { said, isOver: true, isKept, keptMs: null }, `${step}`)
  })

test('answer: how long the server keeps the connection', () => {
  const answer = 'HTTP/1.1 200 OK\r\nkeep-alive: max=5, timeout=12\r\ncontent-length: 0\r\n\r\n'
  assert.equal(read(answer, 5).keptMs, 12_000)
})

test('answer: to HEAD there is no body, whatever the head says', () => {
  const answer = 'HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n'
  assert.deepEqual(read(answer, 3, 'HEAD').said, ['200 {"content-length":"7"}', 'body '])
})

test('answer: without a length it ends with the connection, which nobody uses again', () => {
  const answer = 'HTTP/1.1 200 OK\r\n\r\nabc'
  assert.deepEqual(read(answer, 2, 'POST', true), {
    said: ['200 {}', 'body abc'],
    isOver: true,
    isKept: false,
    keptMs: null,
  })
})

const CUT: readonly string[] = [
  '',
  'HTTP/1.1 200 OK\r\ncontent-length: 3\r\n',
  'HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nab',
  'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n',
  'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n',
]
for (const answer of CUT)
  test(`answer: ${JSON.stringify(answer)} is not whole`, () => {
    assert.equal(read(answer, 4, 'POST', true).isOver, false)
  })

const OK = 'HTTP/1.1 200 OK\r\n'
const BAD: readonly [answer: string, code: string][] = [
  ['SSH-2.0-x', 'HPE_INVALID_HEAD'],
  ['\r\nHTTP/1.1 200 OK\r\n\r\n', 'HPE_INVALID_HEAD'],
  ['HTTP/2 200 OK\r\n\r\n', 'HPE_INVALID_HEAD'],
  ['HTTP/1.2 200 OK\r\n\r\n', 'HPE_INVALID_HEAD'],
  ['HTTP/1.1 20 OK\r\n\r\n', 'HPE_INVALID_HEAD'],
  ['HTTP/1.1  200 OK\r\n\r\n', 'HPE_INVALID_HEAD'],
  ['HTTP/1.1 101 Other\r\nupgrade: x\r\n\r\n', 'HPE_UPGRADE'],
  ['HTTP/1.1 200 OK\ncontent-length: 0\n\n', 'HPE_INVALID_HEAD'],
  [`${OK}a: b\nc: d\r\n\r\n`, 'HPE_INVALID_HEAD'],
  [`${OK}a: b\r\n c\r\n\r\n`, 'HPE_INVALID_HEAD'],
  [`${OK}a : b\r\n\r\n`, 'HPE_INVALID_HEAD'],
  [`${OK}a\r\n\r\n`, 'HPE_INVALID_HEAD'],
  [`${OK}: b\r\n\r\n`, 'HPE_INVALID_HEAD'],
  [`${OK}a: b\0\r\n\r\n`, 'HPE_INVALID_HEAD'],
  [`${OK}content-length: 1\r\ncontent-length: 1\r\n\r\na`, 'HPE_INVALID_CONTENT_LENGTH'],
  [`${OK}content-length: 1, 1\r\n\r\na`, 'HPE_INVALID_CONTENT_LENGTH'],
  [`${OK}content-length: +1\r\n\r\na`, 'HPE_INVALID_CONTENT_LENGTH'],
  [`${OK}content-length: -1\r\n\r\na`, 'HPE_INVALID_CONTENT_LENGTH'],
  [`${OK}content-length: 0x1\r\n\r\na`, 'HPE_INVALID_CONTENT_LENGTH'],
  [`${OK}content-length:\r\n\r\na`, 'HPE_INVALID_CONTENT_LENGTH'],
  [
    `${OK}content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
    'HPE_INVALID_TRANSFER_ENCODING',
  ],
  [`${OK}transfer-encoding: gzip, chunked\r\n\r\n`, 'HPE_INVALID_TRANSFER_ENCODING'],
  [`${OK}transfer-encoding: identity\r\n\r\n`, 'HPE_INVALID_TRANSFER_ENCODING'],
  [
    `${OK}transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n`,
    'HPE_INVALID_TRANSFER_ENCODING',
  ],
  ['HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n', 'HPE_INVALID_TRANSFER_ENCODING'],
  [`${OK}transfer-encoding: chunked\r\n\r\nxyz\r\n`, 'HPE_INVALID_CHUNK_SIZE'],
  [`${OK}transfer-encoding: chunked\r\n\r\n -1\r\n`, 'HPE_INVALID_CHUNK_SIZE'],
  [`${OK}transfer-encoding: chunked\r\n\r\n\r\n`, 'HPE_INVALID_CHUNK_SIZE'],
  [`${OK}transfer-encoding: chunked\r\n\r\nfffffffffffff\r\n`, 'HPE_INVALID_CHUNK_SIZE'],
  [`${OK}transfer-encoding: chunked\r\n\r\n1\na`, 'HPE_CR_EXPECTED'],
  [`${OK}transfer-encoding: chunked\r\n\r\n1\r\nabcd`, 'HPE_LINE_TOO_LONG'],
  [`${OK}transfer-encoding: chunked\r\n\r\n1;${'a'.repeat(2_000)}`, 'HPE_LINE_TOO_LONG'],
  [`${OK}transfer-encoding: chunked\r\n\r\n0\r\na b\r\n\r\n`, 'HPE_INVALID_HEAD'],
  [`${OK}a: ${'b'.repeat(17_000)}`, 'ERR_HEADERS_OVERFLOW'],
  [`${OK}a: ${'b'.repeat(17_000)}\r\n\r\n`, 'ERR_HEADERS_OVERFLOW'],
  [
    `${OK}transfer-encoding: chunked\r\n\r\n0\r\n${`a: ${'b'.repeat(1_000)}\r\n`.repeat(20)}\r\n`,
    'ERR_HEADERS_OVERFLOW',
  ],
]
for (const [answer, code] of BAD)
  test(`answer: ${JSON.stringify(answer.slice(0, 70))} is none`, () => {
    for (const step of [1, 3, answer.length])
      assert.throws(() => read(answer, step, 'POST', true), { code }, `${step} at a time`)
  })
