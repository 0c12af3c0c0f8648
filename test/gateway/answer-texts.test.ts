// What rules on answers read of them.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { between, last } from '../support/between.ts'

test('all text in an answer is judged, whatever stands beside it, but not what pictures are made of', async () => {
  const on_result = {
    deny_if: [
      { conditions: [{ path: 'text', op: 'regex', value: 'SECRET|complete|12345|version' }] },
    ],
  }
  const one = await between({
    default: 'allow',
    tools: { t: { on_result } },
    methods: { 'resources/read': { on_result }, 'prompts/get': { on_result } },
  })
  const image = { type: 'image', mimeType: 'image/png', data: 'SECRET' }
  const file = { uri: 'x', mimeType: 'image/png', blob: 'SECRET' }
  const calls = { method: 'tools/call', params: { name: 't' } }
  const reads = { method: 'resources/read', params: { uri: 'x' } }
  const prompts = { method: 'prompts/get', params: { name: 'x' } }
  const answers: readonly [of: object, result: object | string, isShown: boolean][] = [
    [calls, { content: [image, { ...image, type: 'audio' }], resultType: 'complete' }, true],
    [calls, { content: [{ type: 'resource', resource: file }] }, true],
    [
      calls,
      { content: [], _meta: { 'io.modelcontextprotocol/serverInfo': { version: '1' } } },
      true,
    ],
    [calls, { structuredContent: { version: '1' } }, false],
    [reads, { contents: [file] }, true],
    [prompts, { messages: [{ role: 'user', content: image }] }, true],
    [prompts, { messages: [{ role: 'user', content: [image] }] }, true],
    [calls, { structuredContent: { mimeType: 'text/plain', data: 'SECRET' } }, false],
    [calls, { structuredContent: { files: [{ mimeType: 'text/html', blob: 'SECRET' }] } }, false],
    [calls, { structuredContent: { content: [image] } }, false],
    [calls, { structuredContent: { resultType: 'complete' } }, false],
    [calls, { content: [{ type: 'text', mimeType: 'x', data: 'SECRET', text: 'hi' }] }, false],
    [calls, { content: [{ ...image, data: { of: 'SECRET' } }] }, false],
    [calls, { content: [{ ...image, description: 'SECRET' }] }, false],
    [calls, { content: [{ type: 'text', text: 'hi', resource: file }] }, false],
    [calls, { contents: [file] }, false],
    [calls, { content: [], more: image }, false],
    [reads, { contents: [{ ...file, data: 'SECRET' }] }, false],
    [calls, { structuredContent: { SECRET: 1 } }, false],
    [calls, { content: [], SECRET: 1 }, false],
    [calls, { content: [{ type: 'text', text: 'hi', _meta: { SECRET: 1 } }] }, false],
    [calls, '{"content":[],"structuredContent":{"n":12345}}', true],
    [calls, '{"content":[],"structuredContent":{"n":12345.0000000000000000001}}', true],
  ]
  for (const [id, [asked, result, isShown]] of answers.entries()) {
    await one.client({ id, ...asked })
    const text = typeof result === 'string' ? result : JSON.stringify(result)
    await one.server(`{"jsonrpc":"2.0","id":${id},"result":${text}}`)
    assert.equal(!JSON.stringify(last(one)).includes('[POLICY DENIED]'), isShown, text)
  }
})
