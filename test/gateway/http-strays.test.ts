// Servers over HTTP that answer one request on the connection of another.
import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { test } from 'node:test'
import { events, json, scripted, upstreamAt, withSession } from '../support/http-upstream.ts'

const strays: readonly [
  what: string,
  stray: (response: ServerResponse, answer: string) => unknown,
  failed: RegExp,
][] = [
  ['as JSON', (response, answer) => json(response, answer), /^2 lost The server did not answer/],
  [
    'in a list',
    (response, answer) => json(response, `[${answer}]`),
    /^2 lost The server did not answer/,
  ],
  [
    'on a stream',
    (response, answer) =>
      events(
        response,
        `data: {"jsonrpc":"2.0","method":"notifications/x"}\n\ndata: ${answer}\n\n`,
      ).end(),
    /^2 lost .*ended before the answer/,
  ],
]
for (const [what, stray, failed] of strays)
  test(`an answer under the id of another open request is nobody's: ${what}`, async () => {
    let answerFirst = (): void => {}
    const server = await scripted(
      withSession(({ rpc }, response) => {
        if (rpc.id === 1) answerFirst = () => json(response, { id: 1, result: { of: 'the first' } })
        else stray(response, '{"jsonrpc":"2.0","id":1,"result":{"of":"the second"}}')
      }),
    )
    const end = upstreamAt(server.url)
    await end.begin('2025-03-26')
    end.send({ id: 1, method: 'tools/call', params: { name: 'a' } })
    await server.reached(({ rpc }) => rpc.id === 1)
    end.send({ id: 2, method: 'tools/call', params: { name: 'a' } })
    assert.match(await end.fails('2 '), failed)
    assert.equal(end.upstream.open, 1)
    answerFirst()
    assert.deepEqual((await end.hears('"of"')).result, { of: 'the first' })
    assert.equal(end.failed.length, 1)
  })
