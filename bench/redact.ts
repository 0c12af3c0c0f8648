import { createHmac, randomBytes } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { lintSource } from '@secretlint/core'
import { creator as recommended } from '@secretlint/secretlint-rule-preset-recommend'
import { buildAutomaton } from '../src/inspect/automaton.ts'
import { fingerprintKey, fingerprintsOf, KnownValues } from '../src/inspect/index.ts'
import { type Floor, figure } from './report.ts'

export const summary =
  'Redacting known values from ordinary text, beside a bare search for ten values and beside secretlint.'

export const floors: Readonly<Record<string, Floor>> = {
  redact_mb_s_10: { minValue: 60 },
  redact_mb_s_10000: { minValue: 60, minRatio: 0.6 },
  redact_load_10000_ms: { maxValue: 2_000 },
}

const PRINCIPAL = 'agent:local'
const ROUNDS = 7
const TEXT_BYTES = 4_000_000
/** What a tool answers at once. */
const ANSWER = 16_384
const SECRETS = 10_000
/** One value stands in the text for each so many units. */
const PLANTED_EVERY = 200_000

const macKey = randomBytes(32)
const KEY = fingerprintKey((bytes) => createHmac('sha256', macKey).update(bytes).digest())

function newSecret(index: number): string {
  const kinds = [
    () => `sk_live_${randomBytes(18).toString('base64url')}`,
    () => randomBytes(16 + (index % 17)).toString('hex'),
    () => randomBytes(30 + (index % 24)).toString('base64'),
    () => `ghp_${randomBytes(27).toString('base64url')}`,
  ]
  return kinds[index % kinds.length]?.() ?? ''
}

/**
 * Documents and sources of this repository, and between them made lines: logs, JSON with escapes, URLs, hashes, digests.
 *
 * @param lines how many made lines follow each 12,000 characters; they are what has to be decoded
 */
function ordinaryText(lines: number): string {
  const root = join(import.meta.dirname, '..')
  const files = ['docs', 'src'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.(?:ts|md)$/.test(name))
      .toSorted()
      .map((name) => join(root, folder, name)),
  )
  let text = ''
  for (let turn = 0; text.length < TEXT_BYTES; turn++) {
    const source = readFileSync(files[turn % files.length] ?? '', 'latin1').replaceAll(
      /[^\0-~]/g,
      ' ',
    )
    text += source.slice(0, 12_000)
    for (let line = 0; line < lines; line++) text += `${madeLine(turn, line)}\n`
  }
  return text
}

function madeLine(turn: number, line: number): string {
  const lines = [
    () =>
      `2026-11-${10 + (turn % 20)}T10:${10 + line}:00Z INFO request=${turn}${line} path=/api/v1/items status=200 ms=${line}`,
    () =>
      JSON.stringify({
        id: turn * 100 + line,
        name: `item ${line}`,
        ok: true,
        note: 'said "yes"\nand left',
      }),
    () => `https://example.com/search?q=a%20b%20${line}&page=${turn}&sort=asc`,
    () => `"integrity": "sha512-${randomBytes(64).toString('base64')}"`,
    () => `commit ${randomBytes(20).toString('hex')} the ${line} files that changed`,
  ]
  return lines[line % lines.length]?.() ?? ''
}

function planted(text: string, secrets: readonly string[]): string {
  let out = ''
  for (let at = 0, index = 0; at < text.length; at += PLANTED_EVERY, index++) {
    const value = secrets[index % secrets.length] ?? ''
    out += `${text.slice(at, at + PLANTED_EVERY)} ${index % 2 === 0 ? value : btoa(`u:${value}`)} `
  }
  return out
}

function knowing(
  secrets: readonly (readonly [string, ReturnType<typeof fingerprintsOf>])[],
): KnownValues {
  const known = new KnownValues(KEY)
  for (const [path, { fingerprints }] of secrets)
    known.remember(PRINCIPAL, { id: path, path, version: 1 }, fingerprints)
  return known
}

function answersOf(text: string): readonly string[] {
  const answers: string[] = []
  for (let at = 0; at < text.length; at += ANSWER)
    answers.push(Buffer.from(text.slice(at, at + ANSWER)).toString())
  return answers
}

/** Million units a second of processor time, of all threads; the best of some rounds, for the machine is shared. */
async function speed(
  text: string,
  work: (answer: string) => unknown,
  rounds = ROUNDS,
): Promise<number> {
  const answers = answersOf(text)
  let best = 0
  for (let round = 0; round < rounds; round++) {
    const before = process.cpuUsage()
    for (const answer of answers) {
      const done = work(answer)
      if (done instanceof Promise) await done
    }
    const { user, system } = process.cpuUsage(before)
    best = Math.max(best, text.length / (user + system))
  }
  return best
}

/** What secretlint does with a file of its own, with its recommended rules. */
function lint(answer: string): Promise<unknown> {
  return lintSource({
    source: { content: answer, filePath: '/answer.txt', ext: '.txt', contentType: 'text' },
    options: {
      noPhysicFilePath: true,
      config: {
        rules: [
          {
            id: '@secretlint/secretlint-rule-preset-recommend',
            rule: recommended,
            options: {},
          },
        ],
      },
    },
  })
}

export async function bench(): Promise<void> {
  const values = Array.from({ length: SECRETS }, (_, index) => newSecret(index))
  const started = process.cpuUsage()
  const prints = values.map(
    (value, index) => [`keys/${index}`, fingerprintsOf(KEY, Buffer.from(value))] as const,
  )
  const made = process.cpuUsage(started).user / SECRETS
  const text = planted(ordinaryText(8), values.slice(0, 10))
  const encoded = planted(ordinaryText(60), values.slice(0, 10))

  const before = process.cpuUsage()
  const many = knowing(prints)
  many.scan(PRINCIPAL, 'the first look builds the table')
  const loaded = process.cpuUsage(before)
  const few = knowing(prints.slice(0, 10))

  const plain = values.slice(0, 10)
  const automaton = buildAutomaton(plain.map((value) => value.toLowerCase()))
  const keywords = await speed(text, (answer) => automaton.scan(answer, () => undefined))
  const anyOfThem = new RegExp(plain.map((value) => value.replaceAll(/\W/g, '\\$&')).join('|'), 'g')
  const regex = await speed(text, (answer) => answer.replaceAll(anyOfThem, '[REDACTED]'))
  const secretlint = await speed(text, lint, 2)
  // What is measured first would pay for the compilation of what is measured second.
  await speed(text, (answer) => void many.redact(PRINCIPAL, answer), 2)
  await speed(text, (answer) => void few.redact(PRINCIPAL, answer), 2)
  let found = 0
  const withFew = await speed(text, (answer) => {
    found += few.redact(PRINCIPAL, answer).matches.length
  })
  const withMany = await speed(text, (answer) => void many.redact(PRINCIPAL, answer))
  const withEncoded = await speed(encoded, (answer) => void many.redact(PRINCIPAL, answer))
  if (found < (text.length / PLANTED_EVERY) * ROUNDS * 0.9)
    throw new Error(`only ${found} were found`)

  const report = (name: string, value: number, unit: string, baseline: number | null): void =>
    figure({ bench: 'redact', figure: name, value, unit, baseline })
  report('redact_mb_s_10', withFew, 'MB/s', null)
  report('redact_mb_s_10000', withMany, 'MB/s', withFew)
  // Beside what looks for ten values as they stand, in no encoding: by our automaton and by one regular expression.
  report('redact_mb_s_10000_of_keyword_scan_10', withMany, 'MB/s', keywords)
  report('redact_mb_s_10000_of_regex_10', withMany, 'MB/s', regex)
  report('redact_mb_s_10000_of_secretlint', withMany, 'MB/s', secretlint)
  report('redact_encoded_mb_s_10000', withEncoded, 'MB/s', secretlint)
  report('redact_forms', many.count(PRINCIPAL), '', null)
  report('redact_fingerprint_us', made, 'us', null)
  report('redact_load_10000_ms', (loaded.user + loaded.system) / 1_000, 'ms', null)
}
