// The same server over Streamable HTTP of 2025-11-25 and 2026-07-28, on a free port of loopback, which it prints.
import { createServer } from 'node:http'
import process from 'node:process'

const MODERN = '2026-07-28'

function resultOf({ method, params }) {
  const isModern = params?._meta?.['io.modelcontextprotocol/protocolVersion'] === MODERN
  const kind = isModern ? { resultType: 'complete' } : {}
  if (method === 'tools/call')
    return { ...kind, content: [{ type: 'text', text: String(params.arguments?.text) }] }
  if (method === 'server/discover')
    return {
      ...kind,
      supportedVersions: [MODERN],
      capabilities: { tools: {} },
      serverInfo: { name: 'echo', version: '1' },
    }
  if (method === 'tools/list') return { tools: [{ name: 'echo', inputSchema: { type: 'object' } }] }
  if (method === 'initialize')
    return {
      protocolVersion: params.protocolVersion,
      capabilities: { tools: {} },
      serverInfo: { name: 'echo', version: '1' },
    }
  return {}
}

const server = createServer((request, response) => {
  if (request.method !== 'POST') {
    response.writeHead(request.method === 'DELETE' ? 200 : 405).end()
    return
  }
  let body = ''
  request.setEncoding('utf8').on('data', (chunk) => {
    body += chunk
  })
  request.on('end', () => {
    const message = JSON.parse(body)
    if (message.id === undefined) {
      response.writeHead(202).end()
      return
    }
    const answer = JSON.stringify({ jsonrpc: '2.0', id: message.id, result: resultOf(message) })
    response.writeHead(200, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(answer),
      ...(message.method === 'initialize' && { 'mcp-session-id': 'one' }),
    })
    response.end(answer)
  })
})
server.keepAliveTimeout = 600_000
server.listen(0, '127.0.0.1', () => process.stdout.write(`${server.address().port}\n`))
