import assert from 'node:assert/strict'
import { test } from 'node:test'
import { silentLog } from '../core/log.ts'
import { readMessage } from '../mcp/wire/index.ts'
import { SharedUpstream } from './shared-upstream.ts'

const SENT: readonly [method: string, isRead: boolean][] = [
  ['tools/call', true],
  // Whoever stands before the server would take it for a client of the older revisions that begins anew.
  ['initialize', false],
]
for (const [method, isRead] of SENT)
  test(`${method} goes to a shared server under an id of ours, ${isRead ? 'as it was read' : 'as a text'}`, async () => {
    const heard: unknown[] = []
    const shared = new SharedUpstream(
      async () => ({
        send: (text, message) => heard.push(text, message),
        ended: new Promise(() => {}),
        close: async () => {},
      }),
      silentLog,
    )
    const sharer = await shared.join({
      hear: async () => {},
      failed: () => {},
      ended: () => {},
      reader: null,
    })
    const text = `{"jsonrpc":"2.0","id":7,"method":"${method}","params":{"name":"a"}}`
    const message = readMessage(text)
    assert.ok(message.kind === 'request')
    sharer.send(text, message)
    const sent = `{"jsonrpc":"2.0","id":"g1","method":"${method}","params":{"name":"a"}}`
    assert.deepEqual(heard, [sent, isRead ? readMessage(sent) : null])
  })
