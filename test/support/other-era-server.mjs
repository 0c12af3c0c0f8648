// A server that answers as clients of the other era have no word for. Plain JavaScript, so that it starts at once.
//   other-era-server.mjs legacy   refuses every call until the person was at an address
import process from 'node:process'
import { createInterface } from 'node:readline'

const say = (message) => process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`)
const place = { mode: 'url', elicitationId: 'e', url: 'https://a.example/', message: 'Go.' }

const legacy = {
  initialize: ({ protocolVersion }) => ({
    result: {
      protocolVersion,
      capabilities: { tools: {} },
      serverInfo: { name: 'legacy', version: '1' },
    },
  }),
  'tools/call': () => ({
    error: { code: -32042, message: 'go', data: { elicitations: [place] } },
  }),
}

const eras = { legacy }
const methods = eras[process.argv[2]]

createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, method, params = {} } = JSON.parse(line)
  if (id === undefined) return
  const unknown = () => ({ error: { code: -32601, message: 'Method not found' } })
  say({ id, ...(methods[method] ?? unknown)(params) })
})
