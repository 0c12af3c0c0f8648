// A legacy server that ends on a first word other than `initialize`, as those of some SDKs do, for tests of what stands
// before it. Plain JavaScript, so that it starts at once.
//   initialize-first-server.mjs LOG [WORD]   LOG: what it hears; WORD: in place of `initialize`
import { appendFileSync } from 'node:fs'
import process from 'node:process'
import { createInterface } from 'node:readline'

const [log, word = 'initialize'] = process.argv.slice(2)
let hasBegun = false
appendFileSync(log, 'started\n')
createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, method, params } = JSON.parse(line)
  appendFileSync(log, `${method}\n`)
  if (!hasBegun && method !== word) process.exit(3)
  hasBegun = true
  const answer = (body) =>
    process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', id, ...body })}\n`)
  if (method === 'initialize')
    answer({
      result: {
        protocolVersion: '2025-06-18',
        capabilities: { tools: {} },
        serverInfo: { name: 'initialize-first', version: '1' },
      },
    })
  else if (method === 'tools/list')
    answer({ result: { tools: [{ name: 'echo', inputSchema: { type: 'object' } }] } })
  else if (method === 'tools/call')
    answer({ result: { content: [{ type: 'text', text: params.arguments.text }] } })
  else if (id !== undefined) answer({ error: { code: -32601, message: 'Method not found' } })
})
