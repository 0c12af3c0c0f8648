import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createEngine } from '../../engine.ts'
import { PII } from './index.ts'

const engine = createEngine(PII)

/** `id:text` of what was found from confidence 0.5. */
const found = (text: string): readonly string[] =>
  engine
    .inspect(text, { kind: 'text' })
    .filter((one) => one.confidence >= 0.5)
    .map((one) => `${one.detector}:${text.slice(one.start, one.end)}`)

const cases: readonly [what: string, text: string, expected: readonly string[]][] = [
  ['an address in brackets', 'Ana <ana.b@mail.example.hr>, hi', ['email:ana.b@mail.example.hr']],
  ['an address at the end of a sentence', 'ask jo@firma.de.', ['email:jo@firma.de']],
  ['an internationalised domain', 'user@xn--80ak6aa92e.com', ['email:user@xn--80ak6aa92e.com']],
  ['a repository', 'git@code.example.com:team/app.git', []],
  ['a file', 'logo@2x.png', []],
  ['a package', 'lodash@4.17.21', []],
  ['a number of social security', 'SSN: 536-22-8214', ['us-ssn:536-22-8214']],
  ['the highest area', '899-22-8214', ['us-ssn:899-22-8214']],
  ['an area that is not given', '900-22-8214', []],
  ['a group that is not given', '536-00-8214', []],
  ['the number printed on a sample card', '078-05-1120', []],
  ['a card in groups', 'pay 4012 8888 8888 1881 now', ['credit-card:4012 8888 8888 1881']],
  ['a card of 15 digits', '378282246310005', ['credit-card:378282246310005']],
  ['a card whose check digit is wrong', 'card 4012 8888 8888 1882', []],
  ['a card of no issuer', 'card 9012 8888 8888 1886', []],
  ['a time stamp', 'at 1718000000000 ms', []],
  ['a card inside a longer number', '94012888888881881', []],
  ['a card after a name of an id', 'order_id=4012888888881881', []],
  ['an international number', 'ring +420 601 123 456', ['phone:+420 601 123 456']],
  ['a number with an extension', '(415) 555-0132 x77', ['phone:(415) 555-0132 x77']],
  ['a local number beside a word', 'Fax: 03.93.92.16.85', ['phone:03.93.92.16.85']],
  ['a word two lines before', 'Fax:\n\n03.93.92.16.85', ['phone:03.93.92.16.85']],
  ['a word three lines before', 'Fax:\n\n\n03.93.92.16.85', []],
  ['a word on a line before others', 'Fax\nsee 03.93.92.16.85', []],
  ['a word with a digit between', 'Fax 7: 03.93.92.16.85', []],
  ['a word too far before', `Fax${' '.repeat(29)}03.93.92.16.85`, []],
  ['a word just near enough', `Fax${' '.repeat(28)}03.93.92.16.85`, ['phone:03.93.92.16.85']],
  ['the same number beside none', 'see 03.93.92.16.85', []],
  ['a date', 'call on 2024-05-17 at 10:33', []],
  ['a bank account in groups', 'DE89 3704 0044 0532 0130 00', ['iban:DE89 3704 0044 0532 0130 00']],
  ['a bank account with a wrong digit', 'DE89 3704 0044 0532 0130 01', []],
  ['a bank account that is too short', 'DE89 3704 0044 0532 0130', []],
  ['a bank account before another word', 'NL91ABNA0417164300 please', ['iban:NL91ABNA0417164300']],
  ['an address of somebody', 'from 81.2.69.142 port 22', ['ip:81.2.69.142']],
  ['an address of nobody', 'from 192.168.1.20 port 22', []],
  ['a version', 'Chrome/120.0.6099.109', []],
  ['version 6', 'peer 2a02:4780:8:1::5:31 up', ['ip:2a02:4780:8:1::5:31']],
  ['a scope operator', 'std::dec::value', []],
]
for (const [what, text, expected] of cases)
  test(`personal data: ${what}`, () => assert.deepEqual(found(text), expected))

test('numbers are read under their names, and ids are ids', () => {
  const findings = engine.inspect({
    card: 4012888888881881,
    ref: 4012888888881881,
    id: 4012888888881881,
  })
  assert.deepEqual(
    findings.filter((one) => one.confidence >= 0.5).map((one) => `${one.detector} ${one.path}`),
    ['credit-card $.card', 'credit-card $.ref'],
  )
})
