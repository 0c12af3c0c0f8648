// Rules on what a server says of its tools.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Between, between, last, textOf } from '../support/between.ts'

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

/** Whether a call goes on to the server. */
async function passes(one: Between, id: number, name: string): Promise<boolean> {
  const { length } = one.toServer
  await one.call(id, name)
  return one.toServer.length > length
}

const READER = { name: 'look', annotations: { readOnlyHint: true } }
const WRITER = { name: 'look', annotations: { readOnlyHint: false } }
const OTHER = { name: 'other', annotations: { readOnlyHint: true } }

/** Lists tools, page by page. */
async function list(one: Between, ...pages: readonly (readonly object[])[]): Promise<void> {
  for (const [at, tools] of pages.entries()) {
    const id = `list-${at}`
    const params = at === 0 ? {} : { cursor: `page-${at}` }
    await one.client({ id, method: 'tools/list', params })
    const next = at + 1 < pages.length ? { nextCursor: `page-${at + 1}` } : {}
    await one.server({ id, result: { tools, ...next } })
  }
}

for (const [what, pages] of [
  ['on one page', [[WRITER, READER]]],
  ['the other way round', [[READER, WRITER]]],
  ['on two pages', [[WRITER], [READER]]],
  ['with none the second time', [[READER, { name: 'look' }]]],
  ['three times', [[READER, WRITER], [READER]]],
] as const)
  test(`a tool that is listed twice with other annotations has none: ${what}`, async () => {
    const one = await between(READERS_ONLY)
    await list(one, ...pages)
    assert.equal(await passes(one, 1, 'look'), false)
    // Until a listing says one thing of it.
    await list(one, [READER, OTHER], [READER])
    assert.equal(await passes(one, 2, 'look'), true)
  })

test('what a server says of a tool holds until it says that its tools changed, and again once they are listed', async () => {
  const one = await between(READERS_ONLY)
  const changed = { method: 'notifications/tools/list_changed' }
  await list(one, [READER], [OTHER])
  assert.equal(await passes(one, 1, 'look'), true)
  await one.server(changed)
  assert.equal(await passes(one, 2, 'look'), false)
  await list(one, [READER], [OTHER])
  assert.equal(await passes(one, 3, 'look'), true)
  // A listing that began before says nothing of now.
  await one.client({ id: 4, method: 'tools/list' })
  await one.server({ id: 4, result: { tools: [READER], nextCursor: 'page-1' } })
  await one.server(changed)
  await one.client({ id: 5, method: 'tools/list', params: { cursor: 'page-1' } })
  await one.server({ id: 5, result: { tools: [OTHER] } })
  assert.deepEqual([await passes(one, 6, 'look'), await passes(one, 7, 'other')], [false, false])
  await list(one, [READER, OTHER])
  assert.deepEqual([await passes(one, 8, 'look'), await passes(one, 9, 'other')], [true, true])
})

test('a tool that a whole listing does not have any more has no annotations, and one on another page has', async () => {
  const one = await between(READERS_ONLY)
  await list(one, [READER], [OTHER])
  assert.deepEqual([await passes(one, 1, 'look'), await passes(one, 2, 'other')], [true, true])
  // The first of two pages does not say what is on the second.
  await one.client({ id: 3, method: 'tools/list' })
  await one.server({ id: 3, result: { tools: [OTHER], nextCursor: 'page-1' } })
  assert.deepEqual([await passes(one, 4, 'look'), await passes(one, 5, 'other')], [true, true])
  await one.client({ id: 6, method: 'tools/list', params: { cursor: 'page-1' } })
  await one.server({ id: 6, result: { tools: [], nextCursor: '' } })
  assert.deepEqual([await passes(one, 7, 'look'), await passes(one, 8, 'other')], [false, true])
})

test('of two listings at once, the end of the first is not that of the second', async () => {
  const one = await between(READERS_ONLY)
  const page = async (id: number, cursor: string | undefined, result: object): Promise<void> => {
    await one.client({ id, method: 'tools/list', params: { cursor } })
    await one.server({ id, result })
  }
  await page(1, undefined, { tools: [READER], nextCursor: 'a' })
  await page(2, undefined, { tools: [OTHER], nextCursor: 'b' })
  await page(3, 'a', { tools: [OTHER] })
  assert.deepEqual([await passes(one, 4, 'look'), await passes(one, 5, 'other')], [true, true])
  await page(6, 'b', { tools: [READER] })
  assert.deepEqual([await passes(one, 7, 'look'), await passes(one, 8, 'other')], [true, true])
})
