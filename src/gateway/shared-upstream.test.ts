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

const LOGGED = '"method":"notifications/message","params":{"level":"info","data":"of one"}'
const VENDOR = '"method":"notifications/vendor/word","params":{"data":"of one"}'
const CHANGED = '"method":"notifications/tools/list_changed"'
const ABOUT: readonly [
  what: string,
  notification: string,
  levels: readonly (string | null)[],
  heard: readonly number[],
][] = [
  ['what is logged, who asked for it', LOGGED, [null, 'debug'], [1]],
  ['what is logged, from its level on', LOGGED, ['warning', 'info'], [1]],
  ['what is logged, nobody who did not ask', LOGGED, [null], []],
  ['what is logged, neither of two', LOGGED, ['info', 'debug'], []],
  ['what has no level, nobody', LOGGED.replace('info', 'loud'), ['debug'], []],
  ['a word of its own, one alone', VENDOR, [null], [0]],
  ['a word of its own, neither of two', VENDOR, [null, null], []],
  ['a list that changed, everybody', CHANGED, [null, 'info'], [0, 1]],
]
for (const [what, notification, levels, heard] of ABOUT)
  test(`a shared server tells ${what}`, async () => {
    const told: number[] = []
    let tell: (text: string) => void | Promise<void> = () => {}
    const shared = new SharedUpstream(async ({ hear }) => {
      tell = (text) => hear(readMessage(text), null)
      return { send: () => {}, ended: new Promise(() => {}), close: async () => {} }
    }, silentLog)
    for (const [index, level] of levels.entries()) {
      const hear = (): void => {
        told.push(index)
      }
      const sharer = await shared.join({ hear, failed: () => {}, ended: () => {}, reader: null })
      const meta = level === null ? '' : `,"_meta":{"io.modelcontextprotocol/logLevel":"${level}"}`
      const text = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"${meta}}}`
      const message = readMessage(text)
      sharer.send(text, message.kind === 'refused' ? null : message)
    }
    await tell(`{"jsonrpc":"2.0",${notification}}`)
    assert.deepEqual(told, heard)
  })
