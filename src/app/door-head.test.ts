import assert from 'node:assert/strict'
import { createServer, type IncomingMessage } from 'node:http'
import { duplexPair } from 'node:stream'
import { describe, test } from 'node:test'
import { readDoorHead } from './door-head.ts'

const HEAD = [
  'POST /s/echo/mcp HTTP/1.1',
  'Host: 127.0.0.1:7777',
  'Content-Type: application/json',
  'Content-Length: 2',
]

function headWith(...more: readonly string[]): string {
  return [...HEAD, ...more].join('\r\n')
}

describe('the head of a request at a door', () => {
  test('is read when it says one thing in one way', () => {
    const { headers, ...head } =
      readDoorHead(headWith('ACCEPT:application/json', 'X-Empty:', 'X-Wide:\t a  b \t')) ??
      assert.fail()
    assert.deepEqual(head, { target: '/s/echo/mcp', bodyBytes: 2 })
    assert.deepEqual(
      { ...headers },
      {
        host: '127.0.0.1:7777',
        'content-type': 'application/json',
        'content-length': '2',
        accept: 'application/json',
        'x-empty': '',
        'x-wide': 'a  b',
      },
    )
    assert.ok(Object.isFrozen(headers))
    assert.equal(readDoorHead(headWith('Connection: Keep-Alive'))?.bodyBytes, 2)
    assert.equal(readDoorHead(headWith('__proto__: x'))?.headers['__proto__'], 'x')
  })

  const others: readonly [what: string, head: string][] = [
    ['nothing', ''],
    ['another method', headWith().replace('POST', 'GET')],
    ['a method in small letters', headWith().replace('POST', 'post')],
    ['another address', headWith().replace('/s/echo/mcp', '/mcp')],
    ['a query', headWith().replace('/mcp ', '/mcp?access_token=x ')],
    ['a fragment', headWith().replace('/mcp ', '/mcp#x ')],
    ['an encoded address', headWith().replace('echo', 'ech%6F')],
    ['an address of dots', headWith().replace('/s/echo/', '/s/../')],
    ['a whole URL', headWith().replace('/s/', 'http://127.0.0.1/s/')],
    ['HTTP/1.0', headWith().replace('1.1', '1.0')],
    ['HTTP/1.10', headWith().replace('1.1', '1.10')],
    ['two spaces', headWith().replace('POST ', 'POST  ')],
    ['a tab for a space', headWith().replace('POST ', 'POST\t')],
    ['a line in front', `\r\n${headWith()}`],
    ['no host', headWith().replace('Host: 127.0.0.1:7777\r\n', '')],
    ['an empty host', headWith().replace('127.0.0.1:7777', '')],
    ['two hosts', headWith('host: other')],
    ['two lengths', headWith('Content-Length: 2')],
    ['two lengths in one', headWith().replace('Length: 2', 'Length: 2, 2')],
    ['no length', headWith().replace('Content-Length: 2', 'X-A: b')],
    ['a length with a sign', headWith().replace('Length: 2', 'Length: +2')],
    ['a negative length', headWith().replace('Length: 2', 'Length: -2')],
    ['a length in hex', headWith().replace('Length: 2', 'Length: 0x2')],
    ['a length with a zero in front', headWith().replace('Length: 2', 'Length: 02')],
    ['an empty length', headWith().replace('Length: 2', 'Length: ')],
    ['a length beyond what is read at once', headWith().replace('Length: 2', 'Length: 1048577')],
    ['a length of many digits', headWith().replace('Length: 2', 'Length: 10000000')],
    ['an encoding beside a length', headWith('Transfer-Encoding: chunked')],
    [
      'an encoding in its place',
      headWith().replace('Content-Length: 2', 'Transfer-Encoding: chunked'),
    ],
    ['an expectation', headWith('Expect: 100-continue')],
    ['an upgrade', headWith('Upgrade: h2c')],
    ['a connection that closes', headWith('Connection: close')],
    ['a connection that names fields', headWith('Connection: keep-alive, authorization')],
    ['trailers', headWith('TE: trailers')],
    ['two of any name', headWith('Accept: a', 'accept: b')],
    ['a folded line', headWith('X-A: b', ' c')],
    ['a folded line with a tab', headWith('X-A: b', '\tc')],
    ['a space before the colon', headWith('X-A : b')],
    ['a space before the name', headWith(' X-A: b')],
    ['no colon', headWith('X-A')],
    ['no name', headWith(': b')],
    ['a name that is none', headWith('X(A: b')],
    ['a LF alone', headWith('X-A: b\nTransfer-Encoding: chunked')],
    ['a CR alone', headWith('X-A: b\rTransfer-Encoding: chunked')],
    ['a NUL', headWith('X-A: b\0c')],
    ['a DEL', headWith('X-A: b\x7fc')],
    ['Latin-1', headWith('X-A: é')],
    [
      'more fields than anybody sends',
      headWith(...Array.from({ length: 62 }, (_, at) => `X-${at}: b`)),
    ],
  ]
  for (const [what, head] of others)
    test(`is for another reader with ${what}`, () => assert.equal(readDoorHead(head), null))

  test('is read as node reads it, whatever is changed in it, or is not read', async () => {
    const random = randomBits(20_261_121)
    const pieces = [
      ' ',
      '\t',
      '\r',
      '\n',
      '\r\n',
      ':',
      ',',
      '\0',
      '\x0b',
      'é',
      ';',
      '0',
      '9',
      'Host: x\r\n',
    ]
    const fields = [
      'Transfer-Encoding: chunked',
      'Content-Length: 4',
      'Host: a',
      'Connection: close',
      'X: y',
      'Expect: x',
    ]
    let read = 0
    for (let round = 0; round < 3_000; round += 1) {
      let head = headWith(...fields.filter(() => random(12) === 0), 'X-Last: 1')
      for (let change = random(3); change > 0; change -= 1) {
        const at = random(head.length)
        const cut = random(2)
        head = head.slice(0, at) + (pieces[random(pieces.length)] ?? '') + head.slice(at + cut)
      }
      const ours = readDoorHead(head)
      if (ours === null) continue
      read += 1
      const nodes = await asNodeReads(`${head}\r\n\r\n${'x'.repeat(ours.bodyBytes)}`)
      assert.deepEqual(
        nodes,
        { method: 'POST', url: ours.target, headers: { ...ours.headers }, bytes: ours.bodyBytes },
        JSON.stringify(head),
      )
    }
    assert.ok(read > 300, `${read}`)
  })
})

/** Numbers below a limit, the same each time. */
function randomBits(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

async function asNodeReads(text: string): Promise<object> {
  const [near, far] = duplexPair()
  const server = createServer({ requireHostHeader: false })
  const answered = new Promise<object>((resolve) => {
    server.on('request', (request: IncomingMessage) => {
      let bytes = 0
      request.on('data', (piece: Buffer) => {
        bytes += piece.length
      })
      const { method, url, headers } = request
      request.on('end', () => resolve({ method, url, headers: { ...headers }, bytes }))
    })
    server.on('clientError', (error) => resolve({ error: error.message }))
  })
  server.emit('connection', far)
  near.write(text, 'latin1')
  const answer = await answered
  near.destroy()
  far.destroy()
  return answer
}
