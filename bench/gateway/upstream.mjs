// A server of MCP on stdio with one tool, as cheap as one can be: what stands before it is what is measured.
import process from 'node:process'

const TOOLS = [
  {
    name: 'echo',
    inputSchema: { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] },
  },
]

function resultOf({ method, params }) {
  if (method === 'tools/call')
    return { content: [{ type: 'text', text: String(params.arguments?.text) }] }
  if (method === 'tools/list') return { tools: TOOLS }
  if (method === 'initialize')
    return {
      protocolVersion: params.protocolVersion,
      capabilities: { tools: {} },
      serverInfo: { name: 'echo', version: '1' },
    }
  return {}
}

let rest = ''
process.stdin.setEncoding('utf8').on('data', (chunk) => {
  const lines = (rest + chunk).split('\n')
  rest = lines.pop()
  let answers = ''
  for (const line of lines) {
    const message = JSON.parse(line)
    if (message.id === undefined) continue
    answers += `${JSON.stringify({ jsonrpc: '2.0', id: message.id, result: resultOf(message) })}\n`
  }
  if (answers !== '') process.stdout.write(answers)
})
