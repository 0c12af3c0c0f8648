import assert from 'node:assert/strict'
import { test } from 'node:test'
import { linesOf } from './value-lines.ts'

const HEX = 'ea5c3383037c46a4b66c0847c38db713'
const CASES: readonly [what: string, value: string, lines: readonly string[]][] = [
  ['nothing', '', []],
  ['one line, which is the whole', HEX, []],
  ['two lines', `${HEX}\n${HEX}x`, [HEX, `${HEX}x`]],
  ['the same line twice', `${HEX}\n\n  ${HEX}`, [HEX]],
  ['too short', `a\n${HEX.slice(0, 15)}`, []],
  ['line ends that are written', `a\\n${HEX}\\r\\nb`, [HEX]],
  [
    'names and quotes',
    `export A="${HEX}"\nb: '${HEX}1',\n"c" : "${HEX}2";`,
    [HEX, `${HEX}1`, `${HEX}2`],
  ],
  ['a name that holds the line', 'a\nC2xhY2s9JTIwTXI9YXNk=x', ['C2xhY2s9JTIwTXI9YXNk=x']],
  ['JSON', `{"a":{"b":["${HEX}"],"n":1},"c":"short"}`, [HEX]],
  ['what looks like JSON', `{ a: 1\n${HEX}`, [HEX]],
  [
    'a password in an address',
    'a\nDB=postgres://u:kD9-x7Qw2zP4@db/a',
    ['postgres://u:kD9-x7Qw2zP4@db/a'],
  ],
  [
    'addresses',
    'a\nhttps://accounts.google.com/o/oauth2/auth\nhttps://oauth2.googleapis.com/token',
    [],
  ],
  ['prose', 'a\n# Licensed under the Apache License, Version 2.0 (the "License");', []],
  [
    'code',
    'a\nimport { readFileSync } from "node:fs"\nconst known = await values.of(principal)',
    [],
  ],
  ['a time', 'a\n2026-11-21T17:17:01.000Z', []],
  ['a rule', `a\n${'-'.repeat(40)}\n${'='.repeat(40)}`, []],
  [
    'what is public by its armour',
    `-----BEGIN CERTIFICATE-----\n${HEX}\n${HEX}1\n-----END CERTIFICATE-----\n${HEX}2`,
    [`${HEX}2`],
  ],
]

for (const [what, value, lines] of CASES)
  test(`lines of a value: ${what}`, () => {
    assert.deepEqual(
      linesOf(value).map(({ text }) => text),
      lines,
    )
  })

test('lines of a value: what everybody has stands before the rest of the first line of a key', () => {
  const lines = linesOf(
    `-----BEGIN PRIVATE KEY-----\n${HEX}${HEX}\n${HEX}\n-----END PRIVATE KEY-----`,
  )
  assert.deepEqual(lines, [
    { text: `${HEX}${HEX}`, common: 48, isOfKey: true },
    { text: HEX, common: 0, isOfKey: true },
  ])
})

test('lines of a value: a hostile one takes no more than a second', () => {
  const started = process.cpuUsage()
  for (const unit of ['a', 'aB', '://a', '= ', '"', 'a:', '\\', '{'])
    linesOf(`x\n${unit.repeat(65_000 / unit.length)}`)
  const { user, system } = process.cpuUsage(started)
  assert.ok(user + system < 1_000_000, `${user} µs`)
})
