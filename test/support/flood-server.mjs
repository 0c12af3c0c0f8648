// A server of MCP in plain lines that says more than its client may read. Plain JavaScript, so that it starts at once.
//   flood-server.mjs LOG     LOG: a line for each message of a flood that was taken, and for each call taken back
import { once } from 'node:events'
import { appendFileSync } from 'node:fs'
import process from 'node:process'
import { createInterface } from 'node:readline'

const [log] = process.argv.slice(2)
const write = (message) =>
  process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`)
const text = (value) => ({ content: [{ type: 'text', text: value }] })
const data = 'x'.repeat(1_048_576)
const cancelled = new Set()

createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY }).on(
  'line',
  (line) => {
    const { id, method, params = {} } = JSON.parse(line)
    if (method === 'notifications/cancelled') {
      cancelled.add(params.requestId)
      appendFileSync(log, 'cancelled\n')
    } else if (method === 'initialize')
      write({
        id,
        result: {
          protocolVersion: params.protocolVersion,
          capabilities: { tools: {}, logging: {}, resources: { subscribe: true } },
          serverInfo: { name: 'flood', version: '1' },
        },
      })
    else if (method === 'tools/list')
      write({
        id,
        result: {
          tools: ['echo', 'flood', 'silent'].map((name) => ({
            name,
            inputSchema: { type: 'object' },
          })),
        },
      })
    else if (method === 'tools/call' && params.name === 'flood') void flood(id, params)
    else if (method === 'tools/call' && params.name === 'changes') void changes(id, params)
    else if (method === 'resources/subscribe') write({ id, result: {} })
    else if (method === 'tools/call' && params.name === 'echo')
      write({ id, result: text(String(params.arguments.text)) })
    else if (id !== undefined && method !== 'tools/call')
      write({ id, error: { code: -32601, message: 'Method not found' } })
  },
)

async function flood(id, { arguments: { count }, _meta }) {
  // Clients without a session hear of nothing but progress.
  const { progressToken } = _meta ?? {}
  const said =
    progressToken === undefined
      ? { method: 'notifications/message', params: { level: 'info', data } }
      : { method: 'notifications/progress', params: { progressToken, progress: 1, message: data } }
  for (let i = 0; i < count && !cancelled.has(id); i += 1) {
    const isTaken = write(said)
    if (!isTaken) await once(process.stdout, 'drain')
    appendFileSync(log, 'said\n')
  }
  if (!cancelled.has(id)) write({ id, result: text('flooded') })
}

/** Of two resources in turn. */
async function changes(id, { arguments: { count, uris } }) {
  for (let i = 0; i < count; i += 1) {
    const uri = uris[i % uris.length]
    if (!write({ method: 'notifications/resources/updated', params: { uri } }))
      await once(process.stdout, 'drain')
  }
  write({ id, result: text('changed') })
}
