// A server of 2026-07-28 and of nothing else, on the SDK: for clients of older revisions that come through a gateway.
//   modern-server.mjs stdio | http      http: prints its port on standard error
import { createServer } from 'node:http'
import process from 'node:process'
import { toNodeHandler } from '@modelcontextprotocol/node'
import {
  acceptedContent,
  createMcpHandler,
  inputRequired,
  McpServer,
  ResourceNotFoundError,
} from '@modelcontextprotocol/server'
import { serveStdio } from '@modelcontextprotocol/server/stdio'
import { z } from 'zod'

const text = (value) => ({ content: [{ type: 'text', text: value }] })
const NAME = { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] }

function build() {
  const server = new McpServer(
    { name: 'modern', version: '1.0.0' },
    {
      instructions: 'Be kind.',
      capabilities: { logging: {}, tools: { listChanged: true }, resources: { subscribe: true } },
    },
  )
  const tool = (name, shape, run) =>
    server.registerTool(name, { description: name, inputSchema: z.object(shape) }, run)
  tool('echo', { text: z.string() }, ({ text: said }) => text(said))
  const numbers = { description: 'numbers', outputSchema: z.array(z.number()) }
  server.registerTool('numbers', { ...numbers, inputSchema: z.object({}) }, () => ({
    ...text('[1,2]'),
    structuredContent: [1, 2],
  }))
  tool('ask', {}, (_args, ctx) => {
    const given = acceptedContent(ctx.mcpReq.inputResponses, 'name')
    if (given !== undefined) return text(`hello ${String(given.name)}`)
    return inputRequired({
      inputRequests: { name: inputRequired.elicit({ message: 'Name?', requestedSchema: NAME }) },
      requestState: 'state of the server',
    })
  })
  tool('visit', {}, (_args, ctx) => {
    const given = ctx.mcpReq.inputResponses?.page
    if (given !== undefined) return text(`visit: ${given.action}`)
    return inputRequired({
      inputRequests: {
        page: inputRequired.elicitUrl({ message: 'Go.', url: 'https://a.example/' }),
      },
    })
  })
  tool('many', {}, (_args, ctx) => {
    const { roots, said } = ctx.mcpReq.inputResponses ?? {}
    if (roots === undefined || said === undefined)
      return inputRequired({
        inputRequests: {
          roots: inputRequired.listRoots(),
          said: inputRequired.createMessage({
            messages: [{ role: 'user', content: { type: 'text', text: 'Say it.' } }],
            maxTokens: 9,
          }),
        },
      })
    return text(`${roots.roots[0].uri} ${said.content.text}`)
  })
  tool('work', { ms: z.number().optional() }, async ({ ms = 50 }, ctx) => {
    const { progressToken } = ctx.mcpReq._meta ?? {}
    if (progressToken !== undefined)
      await ctx.mcpReq.notify({
        method: 'notifications/progress',
        params: { progressToken, progress: 1, total: 2 },
      })
    await ctx.mcpReq.log('warning', 'half way')
    // The SDK's client drops what comes in the same moment as the answer.
    await new Promise((resolve) => setTimeout(resolve, ms))
    return text('done')
  })
  tool('change', {}, () => {
    server.sendToolListChanged?.()
    changed()
    return text('changed')
  })
  server.registerResource('one', 'test://one', { description: 'one' }, (uri) => ({
    contents: [{ uri: uri.href, text: 'one' }],
  }))
  server.registerPrompt('hi', { description: 'hi' }, () => ({
    messages: [{ role: 'user', content: { type: 'text', text: 'hi' } }],
  }))
  void ResourceNotFoundError
  return server
}

let changed = () => {}
if (process.argv[2] === 'stdio') serveStdio(build, { legacy: 'reject' })
else {
  const handler = createMcpHandler(build, { legacy: 'reject' })
  changed = () => {
    handler.notify.toolsChanged()
    handler.notify.resourceUpdated('test://one')
  }
  const server = createServer(toNodeHandler(handler))
  server.listen(0, '127.0.0.1', () => process.stderr.write(`${server.address().port}\n`))
}
