// The least that can stand between a client and a server over HTTP and know what passes: both bodies are parsed, and a
// tool is looked up in a map.
//   http-proxy.mjs URL      listens on a free port of loopback, which it prints
import { Agent, request as ask, createServer } from 'node:http'
import process from 'node:process'

const { hostname, port, pathname: path } = new URL(process.argv[2])
const agent = new Agent({ keepAlive: true })
const policy = new Map([['echo', { allowed: true }]])

/** What frames a message is each connection's own. */
function passed({ host: _host, connection: _connection, 'content-length': _length, ...headers }) {
  return headers
}

const server = createServer((incoming, outgoing) => {
  whole(incoming, (body) => {
    const { id, method, params } = JSON.parse(body)
    if (method === 'tools/call' && policy.get(params.name)?.allowed !== true) {
      outgoing.writeHead(200, { 'content-type': 'application/json' })
      outgoing.end(`{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":{"isError":true}}`)
      return
    }
    const headers = { ...passed(incoming.headers), 'content-length': Buffer.byteLength(body) }
    const asked = ask({ agent, hostname, port, path, method: 'POST', headers }, (answer) => {
      whole(answer, (text) => {
        if (text !== '') JSON.parse(text)
        outgoing.writeHead(answer.statusCode, {
          ...passed(answer.headers),
          'content-length': Buffer.byteLength(text),
        })
        outgoing.end(text)
      })
    })
    asked.end(body)
  })
})

function whole(stream, onText) {
  let text = ''
  stream.setEncoding('utf8').on('data', (chunk) => {
    text += chunk
  })
  stream.on('end', () => onText(text))
}

server.keepAliveTimeout = 600_000
server.requestTimeout = 0
server.listen(0, '127.0.0.1', () => process.stdout.write(`${server.address().port}\n`))
