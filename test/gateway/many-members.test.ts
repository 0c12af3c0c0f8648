// However many members stand beside what is judged of a message, looking through them takes no longer than through it.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { SecretText } from '../../src/core/secret-text.ts'
import { type Between, between, vault } from '../support/between.ts'
import { AGENT } from '../support/vault.ts'

const value = randomBytes(300).toString('base64url')
await vault.vault.put(AGENT, 'default', { path: 'many/long', value: SecretText.fromText(value) })

const some = (name: string, count: number, text: string): Readonly<Record<string, string>> =>
  Object.fromEntries(Array.from({ length: count }, (_, at) => [`${name}${at}`, `${text}${at}`]))
const members = some('m', 10_000, 'v')
const words = some('k', 1_000, 'some words here and there ')
/** Alike is 1; the rest is what a busy machine adds. Ends of what is judged around each of them took 20 times as long. */
const MAX_RATIO = 5
/** Below it the clock says little. */
const MIN_US = 50_000

let calls = 0

/** The CPU time of one message, µs: the smallest of a few. Each is the answer to a call, or a call that passes. */
async function timeOf(one: Between, message: object, from: 'client' | 'server'): Promise<number> {
  let least = Number.POSITIVE_INFINITY
  for (let round = 0; round < 3; round += 1) {
    calls += 1
    if (from === 'server') await one.call(calls, 'echo')
    const passed = from === 'client' ? one.toServer : one.toClient
    const count = passed.length
    const before = process.cpuUsage()
    await one[from]({ id: calls, ...message })
    const { user, system } = process.cpuUsage(before)
    assert.equal(passed.length, count + 1)
    assert.doesNotMatch(passed.at(-1) ?? '', /"error"/)
    least = Math.min(least, user + system)
  }
  return least
}

const call = (params: object, more: object = {}): object => ({
  method: 'tools/call',
  params: { name: 'echo', arguments: words, ...params },
  ...more,
})

const SHAPES: readonly [what: string, message: object, from: 'client' | 'server'][] = [
  ['parameters', call(members), 'client'],
  ['members of _meta', call({ _meta: members }), 'client'],
  ['members of a call', call({}, members), 'client'],
  ['members of another method', { method: 'vendor/x', params: words, ...members }, 'client'],
  ['members of an answer', { result: words, ...members }, 'server'],
]

test('messages of many members take as long wherever those stand', async (t) => {
  const one = await between(null, { exfiltration: 'block' })
  const usual = await timeOf(one, call({ arguments: members }), 'client')
  for (const [what, message, from] of SHAPES)
    await t.test(what, async () => {
      const taken = await timeOf(one, message, from)
      assert.ok(taken <= Math.max(MIN_US, usual) * MAX_RATIO, `${usual} µs, and ${taken} µs`)
    })
})
