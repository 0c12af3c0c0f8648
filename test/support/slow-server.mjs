// A server that takes its time to introduce itself, and writes down every line that reaches it. Plain JavaScript, so that
// nothing else takes any.
//   slow-server.mjs LOG MS [TOOL]     MS: if any, it says nothing at all to what it does not know; TOOL: its one, else t
import { appendFileSync } from 'node:fs'
import process from 'node:process'
import { createInterface } from 'node:readline'

const [log, ms, tool = 't'] = process.argv.slice(2)
const uri = 'test://one'
const CAPABILITIES = { tools: {}, prompts: {}, resources: { subscribe: true } }

appendFileSync(log, `started ${process.pid}\n`)
createInterface({ input: process.stdin }).on('line', (line) => {
  appendFileSync(log, `${line}\n`)
  const { id, method, params } = JSON.parse(line)
  if (id === undefined) return
  const write = (more) =>
    process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', id, ...more })}\n`)
  const answer = (result) => write({ result })
  switch (method) {
    case 'initialize': {
      const { protocolVersion } = params
      const serverInfo = { name: 'slow', version: '1' }
      setTimeout(
        () => answer({ protocolVersion, capabilities: CAPABILITIES, serverInfo }),
        Number(ms),
      )
      return
    }
    case 'tools/list':
      answer({ tools: [{ name: tool, inputSchema: { type: 'object' } }] })
      return
    case 'prompts/list':
      answer({ prompts: [{ name: 'p' }] })
      return
    case 'resources/list':
      answer({ resources: [{ uri, name: 'one' }] })
      return
    case 'resources/subscribe':
      answer({})
      return
    case 'tools/call':
      if (params.arguments?.die === true) process.exit(7)
      answer({ content: [{ type: 'text', text: params.name }] })
      return
    default:
      if (ms === '0') write({ error: { code: -32601, message: 'Method not found' } })
  }
})
