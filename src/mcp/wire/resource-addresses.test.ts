import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isWithin } from './resource-addresses.ts'

const cases: readonly [what: string, uri: string, addresses: readonly string[], is: boolean][] = [
  ['the same one', 'file:///d/', ['a://1', 'file:///d/'], true],
  ['below a folder', 'file:///d/e/a.txt', ['file:///d/'], true],
  ['below a folder without its slash', 'file:///d/a.txt', ['file:///d'], true],
  ['a part', 'a://1#x', ['a://1'], true],
  ['a query', 'a://1?x', ['a://1'], true],
  ['a longer name', 'file:///data', ['file:///d'], false],
  ['the folder above', 'file:///d/', ['file:///d/a.txt'], false],
  ['the folder itself, without its slash', 'file:///d', ['file:///d/'], false],
  ['another case', 'FILE:///d/a', ['file:///d/'], false],
  ['nothing', 'a://1', [], false],
  ['below an empty one', 'a://1', [''], false],
]
for (const [what, uri, addresses, is] of cases)
  test(`a resource within others: ${what}`, () =>
    assert.equal(isWithin(uri, new Set(addresses)), is))
