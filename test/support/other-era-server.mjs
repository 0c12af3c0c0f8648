// A server that answers as clients of the other era have no word for. Plain JavaScript, so that it starts at once.
//   other-era-server.mjs legacy   refuses every call until the person was at an address
//   other-era-server.mjs modern   asks its client to come back twice, whatever it calls; listens to nothing
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

let tries = 0
const modern = {
  'server/discover': () => ({
    result: { resultType: 'complete', supportedVersions: ['2026-07-28'], capabilities: {} },
  }),
  'subscriptions/listen': () => ({ result: { resultType: 'complete' } }),
  'tools/call': ({ requestState = 'begun' }) => {
    tries += 1
    const content = [{ type: 'text', text: `${requestState} ${tries}` }]
    return tries < 3
      ? { result: { resultType: 'input_required', requestState: `try ${tries}` } }
      : { result: { resultType: 'complete', content } }
  },
}

const eras = { legacy, modern }
const methods = eras[process.argv[2]]

createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, method, params = {} } = JSON.parse(line)
  if (id === undefined) return
  const unknown = () => ({ error: { code: -32601, message: 'Method not found' } })
  say({ id, ...(methods[method] ?? unknown)(params) })
})
