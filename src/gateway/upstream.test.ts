import assert from 'node:assert/strict'
import { PassThrough, Writable } from 'node:stream'
import { test } from 'node:test'
import { silentLog } from '../core/log.ts'
import type { StdioServer } from './stdio-server.ts'
import { stdioUpstream } from './upstream.ts'

test('what a server asks that takes no answers is not heard', async () => {
  const stdin = new Writable({ write() {} })
  const stdout = new PassThrough()
  const heard: string[] = []
  const ended = Promise.resolve({ how: 'gone' })
  const server = { stdin, stdout, ended, finish: () => stdout.end() } as unknown as StdioServer
  const upstream = stdioUpstream(
    server,
    {
      hear: (message) => {
        if (message.kind !== 'refused')
          heard.push(`${message.kind} ${'idText' in message ? message.idText : ''}`)
      },
      failed: () => {},
    },
    { maxMessageBytes: 1_000_000, log: silentLog },
  )
  const said = async (id: number, rest: string): Promise<void> => {
    stdout.write(`{"jsonrpc":"2.0","id":${id},${rest}}\n`)
    await new Promise(setImmediate)
  }
  await said(1, '"method":"roots/list"')
  for (let n = 0; n < 65; n += 1) stdin.write(Buffer.alloc(1_048_576))
  await said(2, '"method":"roots/list"')
  await said(3, '"result":{}')
  await upstream.close()
  assert.deepEqual(heard, ['request 1', 'response 3'])
})
