// What a server says of the arguments of its tools tells inspection what kind of text each of them is.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { between, last, textOf } from '../support/between.ts'

const ALL = { default: 'allow' } as const
const SNIPPET = { v: 'a.txt; whoami' }

/** Behind a server that lists one tool with such a schema of its argument. */
async function listing(schema: object) {
  const one = await between(ALL)
  await one.client({ id: 1, method: 'tools/list' })
  const inputSchema = { type: 'object', properties: { v: schema } }
  await one.server({ id: 1, result: { tools: [{ name: 'run', inputSchema }] } })
  const listed = one.toServer.length
  return { one, passed: () => one.toServer.length - listed }
}

test('what reads as a command in a text is none in code', async () => {
  const text = await listing({ type: 'string' })
  await text.one.call(2, 'run', SNIPPET)
  assert.equal(text.passed(), 0)
  assert.match(textOf(text.one), /shell-chain critical v/)
  const code = await listing({ type: 'string', contentMediaType: 'text/javascript' })
  await code.one.call(2, 'run', SNIPPET)
  assert.equal(code.passed(), 1)
})

for (const number of ['18446744073709551615', '-9223372036854775808', '0.12345678901234567890123'])
  test(`a list is passed on, and learnt, with ${number} in a schema`, async () => {
    const one = await between(ALL)
    await one.client({ id: 1, method: 'tools/list' })
    const v = `{"type":"string","contentMediaType":"text/javascript","default":${number}}`
    const schema = `{"type":"object","maxProperties":${number},"properties":{"v":${v}}}`
    const list = `{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"run","inputSchema":${schema}}]}}`
    await one.server(list)
    assert.equal(one.toClient.at(-1), list)
    const listed = one.toServer.length
    await one.call(2, 'run', SNIPPET)
    assert.equal(one.toServer.length - listed, 1)
  })

const exempting: readonly object[] = [
  { type: 'string', writeOnly: true },
  { type: 'string', format: 'password' },
]
for (const schema of exempting)
  test(`a server cannot say that nobody looks: ${JSON.stringify(schema)}`, async () => {
    const { one, passed } = await listing(schema)
    await one.call(2, 'run', SNIPPET)
    assert.equal(passed(), 0)
    assert.ok(last(one).result)
  })
