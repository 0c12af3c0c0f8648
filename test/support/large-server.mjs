// A server of MCP whose answers may be larger than memory: it says how many bytes reached it and what their hash is, and
// makes what it answers piece by piece. Plain JavaScript, so that it starts at once.
//   large-server.mjs            on standard streams
//   large-server.mjs --http     over HTTP; says its port on standard output
import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import process from 'node:process'

const PIECE = 65_536
const QUOTED = /"id":("[^"]*"|\d+)/

/** The answer to a call of `give`, in pieces. */
function* given(id, { bytes, kind = 'text', inside = '', at = 0 }) {
  yield `{"jsonrpc":"2.0","id":${id},"result":{"content":[{"type":"text","text":"`
  const unit =
    kind === 'escapes'
      ? 'line of text\\n\\"quoted\\" \\u00e9 '
      : 'words of a large text, and more. '
  if (kind === 'rows') {
    yield 'rows"}],"structuredContent":{"rows":['
    const row = `{"name":"${'n'.repeat(20)}","value":12.5,"more":[true,null]},`
    for (let made = 0; made < bytes; made += PIECE) yield row.repeat(Math.ceil(PIECE / row.length))
    yield `${JSON.stringify(inside)}]}}}`
    return
  }
  const piece = unit.repeat(Math.ceil(PIECE / unit.length))
  let isInside = false
  for (let made = 0; made < bytes; made += piece.length) {
    if (!isInside && inside !== '' && made >= at) {
      isInside = true
      yield JSON.stringify(inside).slice(1, -1)
    }
    yield piece
  }
  yield '"}]}}'
}

/** What is answered to one message, of which only the beginning is at hand. */
function* answered(head, size, hash) {
  const [, id] = QUOTED.exec(head) ?? []
  if (id === undefined) return
  const result = (value) => `{"jsonrpc":"2.0","id":${id},"result":${JSON.stringify(value)}}`
  const version = /"protocolVersion":"([^"]+)"/.exec(head)?.[1] ?? '2025-11-25'
  if (head.includes('"method":"initialize"'))
    yield result({
      protocolVersion: version,
      capabilities: { tools: {} },
      serverInfo: { name: 'large', version: '1' },
    })
  else if (head.includes('"method":"tools/call"') && head.includes('"name":"give"'))
    yield* given(id, JSON.parse(/"arguments":(\{[^}]*\})/.exec(head)[1]))
  else if (head.includes('"method":"tools/call"'))
    yield result({ content: [{ type: 'text', text: `${size} ${hash}` }] })
  else yield `{"jsonrpc":"2.0","id":${id},"error":{"code":-32601,"message":"Method not found"}}`
}

/** One message after another: its beginning, its size and its hash. */
class Message {
  head = ''
  size = 0
  hash = createHash('sha256')
  push(bytes) {
    if (this.head.length < 4_096) this.head += bytes.toString('latin1', 0, 4_096)
    this.size += bytes.length
    this.hash.update(bytes)
  }
  *answer() {
    yield* answered(this.head, this.size, this.hash.digest('hex'))
  }
}

async function say(stream, pieces) {
  for (const piece of pieces)
    if (!stream.write(piece)) await new Promise((resolve) => stream.once('drain', resolve))
}

if (process.argv.includes('--http')) {
  const server = createServer(async (request, response) => {
    if (request.method !== 'POST') {
      response.writeHead(405).end()
      return
    }
    const message = new Message()
    for await (const bytes of request) message.push(bytes)
    const pieces = message.answer()
    const first = pieces.next()
    if (first.done === true) {
      response.writeHead(202).end()
      return
    }
    const isStream = message.head.includes('"stream":true')
    response.writeHead(200, { 'Content-Type': isStream ? 'text/event-stream' : 'application/json' })
    if (isStream) response.write('event: message\ndata: ')
    await say(response, [first.value])
    await say(response, pieces)
    response.end(isStream ? '\n\n' : '')
  })
  server.listen(0, '127.0.0.1', () => process.stdout.write(`${server.address().port}\n`))
} else {
  let message = new Message()
  for await (const chunk of process.stdin) {
    let from = 0
    for (;;) {
      const end = chunk.indexOf(10, from)
      if (end === -1) break
      message.push(chunk.subarray(from, end))
      const pieces = message.answer()
      message = new Message()
      from = end + 1
      const first = pieces.next()
      if (first.done === true) continue
      await say(process.stdout, [first.value])
      await say(process.stdout, pieces)
      process.stdout.write('\n')
    }
    if (from < chunk.length) message.push(chunk.subarray(from))
  }
}
