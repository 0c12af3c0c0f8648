// Rules on what a server says of its tools.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { between, last, textOf } from '../support/between.ts'

const listed = (id: number, ...tools: readonly object[]) => ({ id, result: { tools } })
const READERS_ONLY = {
  default: 'allow',
  all_tools: {
    require: [
      {
        conditions: [{ path: 'annotations.readOnlyHint', op: 'eq', value: true }],
        on_deny: 'Only what reads.',
      },
    ],
  },
} as const

test('a rule on annotations denies until a list was seen, then holds by what it said last', async () => {
  const one = await between(READERS_ONLY)
  await one.call(1, 'look')
  assert.match(textOf(one), /^\[POLICY DENIED\] Only what reads\./)
  await one.client({ id: 2, method: 'tools/list' })
  await one.server(
    listed(2, { name: 'look', annotations: { readOnlyHint: true } }, { name: 'write' }),
  )
  assert.ok(last(one).result)
  const sent = one.toServer.length
  await one.call(3, 'look')
  assert.equal(one.toServer.length, sent + 1)
  await one.call(4, 'write')
  assert.match(textOf(one), /Only what reads\./)
  await one.client({ id: 5, method: 'tools/list' })
  await one.server(listed(5, { name: 'look', annotations: { readOnlyHint: false } }))
  await one.call(6, 'look')
  assert.match(textOf(one), /Only what reads\./)
  assert.equal(one.toServer.length, sent + 2)
})

test('annotations that could be read two ways are no annotations', async () => {
  const one = await between(READERS_ONLY)
  await one.client({ id: 1, method: 'tools/list' })
  await one.server(
    listed(
      1,
      { name: 'odd', annotations: { readOnlyHint: true, ReadOnlyHint: false } },
      { name: 'list', annotations: [true] },
      { name: 'text', annotations: 'readOnlyHint' },
    ),
  )
  const sent = one.toServer.length
  for (const [at, name] of ['odd', 'list', 'text'].entries()) await one.call(2 + at, name)
  assert.equal(one.toServer.length, sent)
})
