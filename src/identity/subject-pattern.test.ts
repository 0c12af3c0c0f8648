import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isFault } from '../core/faults.ts'
import { checkedSubject, isSubject } from './subject-pattern.ts'

const MAIN = 'repo:acme/app:ref:refs/heads/main'
const cases: readonly [pattern: string, subject: string, isOne: boolean][] = [
  [MAIN, MAIN, true],
  [MAIN, `${MAIN}x`, false],
  [MAIN, `${MAIN}/x`, false],
  [MAIN, MAIN.toUpperCase(), false],
  ['repo:acme/*:ref:refs/heads/main', MAIN, true],
  ['repo:acme/*:ref:refs/heads/main', 'repo:acme/app/x:ref:refs/heads/main', false],
  ['repo:acme/*:ref:refs/heads/main', 'repo:acme/:ref:refs/heads/main', false],
  ['repo:acme/*:ref:refs/heads/main', 'repo:acmee/app:ref:refs/heads/main', false],
  ['repo:acme/app:*', 'repo:acme/app:pull_request', true],
  ['repo:acme/app:*', MAIN, false],
  ['repo:acme/app:*:*', 'repo:acme/app:environment:prod', true],
  // A delimiter is not another delimiter.
  ['repo:acme/*:x', 'repo:acme/app/x', false],
  ['system:serviceaccount:ci:*', 'system:serviceaccount:ci:deploy', true],
  ['system:serviceaccount:ci:*', 'system:serviceaccount:other:deploy', false],
]
for (const [pattern, subject, isOne] of cases)
  test(`subject: ${subject} is ${isOne ? '' : 'not '}${pattern}`, () => {
    assert.equal(isSubject(checkedSubject(pattern), subject), isOne)
  })

for (const pattern of [
  '',
  '*',
  'repo:*',
  'repo:*/app:ref:refs/heads/main',
  '*:acme/app',
  'repo:acme*/app',
  'repo:acme/app:**',
  'repo:acme/a b',
  'repo:acme/a\n',
  'x'.repeat(513),
])
  test(`subject: '${pattern.slice(0, 40)}' is refused`, () => {
    assert.throws(
      () => checkedSubject(pattern),
      (error) => isFault(error, 'BAD_INPUT') && error.details['field'] === 'subject',
    )
  })
