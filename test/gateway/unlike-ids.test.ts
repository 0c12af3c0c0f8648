// Servers that answer a number under the text of it, or a text under its number.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { META } from '../../src/mcp/wire/index.ts'
import { between, last } from '../support/between.ts'
import { temporaryHome } from '../support/serving.ts'
import { startWrapped } from '../support/wrapped.ts'

const UNLIKE = {
  code: -32603,
  message:
    "The server's answer is not valid. Its id is that of the request, but not of the same type.",
}
for (const [asked, answered] of [
  [19, '19'],
  ['19', 19],
  [-1.5, '-1.5'],
] as const)
  test(`an answer under ${JSON.stringify(answered)} ends the call ${JSON.stringify(asked)}, and no other`, async () => {
    const one = await between({ default: 'allow' })
    for (const id of [asked, 20])
      await one.client({ id, method: 'tools/call', params: { name: 'x' } })
    for (const id of [answered, 'x', true]) await one.server({ id, result: {} })
    assert.deepEqual(
      one.toClient.map((text) => JSON.parse(text)),
      [{ jsonrpc: '2.0', id: asked, error: UNLIKE }],
    )
  })

test('of calls whose ids read the same, each has the answer under its own', async () => {
  const one = await between({ default: 'allow' })
  for (const id of [7, '7']) await one.client({ id, method: 'tools/call', params: { name: 'x' } })
  await one.server({ id: '7', result: { content: [] } })
  assert.deepEqual([last(one).id, one.toClient.length], ['7', 1])
  await one.server({ id: 7, result: { content: [] } })
  assert.deepEqual([last(one).id, one.toClient.length], [7, 2])
  // Nobody waits for one that was cancelled, whatever it is answered under.
  await one.client({ id: 8, method: 'tools/call', params: { name: 'x' } })
  await one.client({ method: 'notifications/cancelled', params: { requestId: 8 } })
  await one.server({ id: '8', result: { content: [] } })
  assert.equal(one.toClient.length, 2)
})

const { home, remove } = await temporaryHome()
after(remove)

/** Answers `initialize` under its id and everything else under the text of it. */
const TEXTS_FOR_IDS = `
  const result = { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: { name: 's', version: '1' } }
  require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
    const { id, method } = JSON.parse(line)
    if (id === undefined) return
    const error = { code: -32601, message: 'Unknown.' }
    const answer = method === 'initialize' ? { id, result } : method === 'server/discover' ? { id, error } : { id: String(id), result: {} }
    console.log(JSON.stringify({ jsonrpc: '2.0', ...answer }))
  })`

for (const era of ['legacy', 'modern'])
  test(`wrap, ${era}: a call of a server that makes texts of ids does not wait in vain`, async () => {
    const wrapped = startWrapped(home, { command: [process.execPath, '-e', TEXTS_FOR_IDS] })
    after(() => wrapped.child.kill('SIGKILL'))
    const _meta = { [META.version]: '2026-07-28', [META.capabilities]: {} }
    if (era === 'legacy')
      await wrapped.ask(0, 'initialize', { protocolVersion: '2025-11-25', capabilities: {} })
    const params = { name: 'x', arguments: {}, ...(era === 'modern' && { _meta }) }
    assert.deepEqual((await wrapped.ask(19, 'tools/call', params)).error, UNLIKE)
    assert.equal(await wrapped.end(), 0)
  })
