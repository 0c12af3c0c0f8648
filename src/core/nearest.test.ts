import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nearest } from './nearest.ts'

const names = ['secret put', 'secret get', 'secret ls', 'doctor', 'up', 'lock', 'unlock']

const cases: readonly [typed: string, meant: string | null][] = [
  ['secret pt', 'secret put'],
  ['secret gte', 'secret get'],
  ['docotr', 'doctor'],
  ['pu', 'up'],
  ['lokc', 'lock'],
  ['unlok', 'unlock'],
  ['completely other', null],
  ['', null],
  ['x', null],
]
for (const [typed, meant] of cases)
  test(`nearest to '${typed}'`, () => assert.equal(nearest(typed, names), meant))

test('nearest of nothing is nothing', () => assert.equal(nearest('up', []), null))
