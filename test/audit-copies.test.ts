import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, test } from 'node:test'
import { auditEvidence } from '../src/audit/index.ts'
import { epochMs } from '../src/core/time.ts'
import { type HttpSink, httpSink, s3Judge } from './support/sink-servers.ts'
import { PERSON, type TestVault } from './support/vault.ts'
import { OpenVaults, POSTGRES, SQLITE, secret } from './support/vault-stores.ts'

const open = new OpenVaults()
const closing: (() => void | Promise<void>)[] = []
afterEach(async () => {
  await open.close(false)
  for (const close of closing.splice(0)) await close()
})

const START = Date.parse('2026-01-01T00:00:00Z')
const MINUTE = 60_000

/** A store whose clock the test moves. */
async function timed(store = SQLITE) {
  const time = { minutes: 0 }
  const vault = await open.fresh(store, () => epochMs(START + time.minutes * MINUTE))
  await vault.vault.put(PERSON, 'default', { path: 'a', value: secret('value') })
  return Object.assign(time, { vault })
}

/** A place that keeps what a sink is told, as text. */
interface Kept {
  readonly config: object
  text(): string
}

async function fileKept(): Promise<Kept> {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-copies-'))
  closing.push(() => rmSync(folder, { recursive: true, force: true }))
  const path = join(folder, 'audit.jsonl')
  return {
    config: { kind: 'file', path },
    text: () => (existsSync(path) ? readFileSync(path, 'utf8') : ''),
  }
}

const joined = (server: HttpSink): string =>
  server.received.map(({ body }) => body.toString()).join('')

async function webhookKept(): Promise<Kept> {
  const server = await httpSink()
  closing.push(() => server.close())
  const config = { kind: 'webhook', url: server.url, key: 'k'.repeat(32) }
  return { config, text: () => joined(server) }
}

/** Objects in the order of their names, as they are fetched from a bucket. */
async function s3Kept(): Promise<Kept> {
  const server = await httpSink(s3Judge('a secret word', 'eu-central-1'))
  closing.push(() => server.close())
  const config = {
    kind: 's3',
    endpoint: server.url,
    region: 'eu-central-1',
    bucket: 'audit-of-us',
    accessKeyId: 'id',
    secretAccessKey: 'a secret word',
  }
  return {
    config,
    text: () =>
      server.received
        .toSorted((one, other) => (one.path < other.path ? -1 : 1))
        .map(({ body }) => body.toString())
        .join(''),
  }
}

interface Line {
  readonly seq?: number
  readonly checkpoint?: { readonly size: number }
}

const linesIn = (text: string): readonly string[] => text.split('\n').filter((line) => line !== '')
const parsedLines = (text: string): readonly Line[] =>
  linesIn(text).map((line) => JSON.parse(line) as Line)
const sizesSigned = (text: string): readonly number[] =>
  parsedLines(text).flatMap(({ checkpoint }) => (checkpoint === undefined ? [] : [checkpoint.size]))

async function checked(vault: TestVault, lines: readonly string[], against: object[] = []) {
  async function* pages() {
    yield lines
  }
  return auditEvidence.verifyExport(
    pages(),
    against.map((one) => JSON.stringify(one)),
    await vault.audit.checkpointKeys(),
  )
}

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 1_000; i++) {
    if (await holds()) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  assert.fail(`${what} did not come`)
}

const sizeOf = async (vault: TestVault): Promise<number> => {
  await vault.ledger.flush()
  return (await vault.audit.verify()).size
}

const set = (vault: TestVault, kept: Kept, mode: string, more: object = {}): Promise<unknown> =>
  vault.audit.setSinks(
    PERSON,
    JSON.stringify({ sinks: [{ name: 'copy', mode, ...kept.config, ...more }] }),
  )

const read = (vault: TestVault): Promise<unknown> => vault.vault.get(PERSON, 'default', 'a')

/** Five minutes later, with one more record: everything recorded so far, and signed, is in the copy. */
async function settled(
  time: { readonly vault: TestVault; minutes: number },
  kept: Kept,
): Promise<number> {
  await time.vault.ledger.flush()
  time.minutes += 5
  // A refusal has no outcome that would follow it.
  await time.vault.vault.get(PERSON, 'default', 'none').catch(() => undefined)
  const size = await sizeOf(time.vault)
  await until('a checkpoint of everything', () => sizesSigned(kept.text()).includes(size))
  return size
}

for (const [kind, place] of [
  ['a file', fileKept],
  ['a webhook', webhookKept],
  ['S3, which checks the signature', s3Kept],
] as const)
  for (const mode of ['required', 'best-effort'])
    test(`what ${kind} kept (${mode}) is checked with nothing but itself and the public key`, async () => {
      const time = await timed()
      const { vault } = time
      const kept = await place()
      await set(vault, kept, mode)
      for (let i = 0; i < 5; i++) await read(vault)
      await until('the first checkpoint', () => sizesSigned(kept.text()).length === 1)
      await read(vault)
      const size = await settled(time, kept)
      const report = await checked(vault, linesIn(kept.text()))
      assert.deepEqual(report.findings, [])
      assert.deepEqual([report.first, report.size, report.proven], [1, size, { from: 1, to: size }])
      assert.equal(report.stamps, sizesSigned(kept.text()).length)
      assert.equal(report.root, (await vault.audit.verify()).root)
      assert.equal((await vault.audit.sinks())[0]?.signed, size)
    })

for (const store of [SQLITE, POSTGRES])
  test(`one checkpoint in five minutes, whichever process sends it (${store.name})`, {
    skip: store.skip,
  }, async () => {
    const time = await timed(store)
    const { vault } = time
    const kept = await webhookKept()
    await set(vault, kept, 'required')
    const twin = await open.twin(vault, () => epochMs(START + time.minutes * MINUTE))
    await until('the first', () => sizesSigned(kept.text()).length === 1)
    for (let i = 0; i < 10; i++) await Promise.all([read(vault), read(twin)])
    await new Promise((resolve) => setTimeout(resolve, 500))
    assert.equal(sizesSigned(kept.text()).length, 1)
    time.minutes += 4.9
    await Promise.all([read(vault), read(twin)])
    await new Promise((resolve) => setTimeout(resolve, 500))
    assert.equal(sizesSigned(kept.text()).length, 1)
    time.minutes += 0.2
    await Promise.all([read(vault), read(twin)])
    await until('the second', () => sizesSigned(kept.text()).length === 2)
    await new Promise((resolve) => setTimeout(resolve, 300))
    assert.equal(sizesSigned(kept.text()).length, 2)
    assert.deepEqual((await checked(vault, linesIn(kept.text()))).findings, [])
  })

test('no checkpoints where none are wanted, and then only --against shows that a copy is whole', async () => {
  const { vault } = await timed()
  const kept = await fileKept()
  await set(vault, kept, 'required', { checkpointMinutes: 0 })
  await read(vault)
  const checkpoint = await vault.audit.checkpoint()
  await new Promise((resolve) => setTimeout(resolve, 500))
  assert.deepEqual(sizesSigned(kept.text()), [])
  const lines = linesIn(kept.text())
  assert.deepEqual(
    (await checked(vault, lines)).findings.map(({ kind }) => kind),
    ['checkpoint-missing'],
  )
  const report = await checked(vault, lines, [checkpoint])
  assert.deepEqual([report.findings, report.checkpoints[0]?.holds], [[], true])
})

test('a copy that begins later stands on its first checkpoint', async () => {
  const time = await timed()
  const { vault } = time
  const kept = await fileKept()
  const before = await sizeOf(vault)
  await set(vault, kept, 'required', { from: 'now' })
  await settled(time, kept)
  for (let i = 0; i < 5; i++) await read(vault)
  const size = await settled(time, kept)
  const lines = linesIn(kept.text())
  const report = await checked(vault, lines)
  assert.deepEqual(report.findings, [])
  assert.ok(report.first > before && report.size === size)
  assert.deepEqual(report.proven, { from: report.first, to: size })
  assert.equal(sizesSigned(kept.text())[0], report.first - 1)
  // So does what is left when the older files of a sink are taken away.
  const later = lines.slice(lines.findIndex((line) => line.includes('"checkpoint":')))
  assert.deepEqual((await checked(vault, later)).findings, [])
})

test('a sink that is set after records were pruned stands on what was pruned', async () => {
  const time = await timed()
  const { vault } = time
  for (let i = 0; i < 5; i++) await read(vault)
  time.minutes += 60 * 24 * 60
  const { upTo } = await vault.audit.prune(PERSON, epochMs(START + MINUTE))
  for (let i = 0; i < 5; i++) await read(vault)
  const kept = await fileKept()
  await set(vault, kept, 'best-effort')
  const size = await settled(time, kept)
  const report = await checked(vault, linesIn(kept.text()))
  assert.deepEqual(report.findings, [])
  assert.deepEqual([report.first, report.proven], [upTo + 1, { from: upTo + 1, to: size }])
})

describe('whoever can write the copy', () => {
  const copied = async () => {
    const time = await timed()
    const kept = await fileKept()
    await set(time.vault, kept, 'required')
    for (let i = 0; i < 4; i++) await read(time.vault)
    await until('the first', () => sizesSigned(kept.text()).length === 1)
    for (let i = 0; i < 4; i++) await read(time.vault)
    await settled(time, kept)
    return { ...time, lines: linesIn(kept.text()) }
  }
  const recordAt = (lines: readonly string[], at: number): number => {
    const records = lines.flatMap((line, index) => (line.includes('"body":') ? [index] : []))
    return records.at(at) ?? 0
  }
  const without = (lines: readonly string[], at: number): readonly string[] =>
    lines.filter((_, index) => index !== at)

  const cases: readonly [
    what: string,
    change: (lines: readonly string[]) => readonly string[],
    found: readonly string[],
  ][] = [
    ['changes nothing', (lines) => lines, []],
    ['repeats lines', (lines) => [...lines, ...lines.slice(0, 9)], []],
    ['swaps two records', (lines) => swapped(lines, recordAt(lines, 4), recordAt(lines, 5)), []],
    [
      'changes a record',
      (lines) =>
        lines.map((line, at) =>
          at === recordAt(lines, 5)
            ? line.replace('"path\\":\\"a', '"path\\":\\"b').replace('\\"at\\":1', '\\"at\\":2')
            : line,
        ),
      ['history-changed'],
    ],
    ['drops one', (lines) => without(lines, recordAt(lines, 5)), ['record-missing']],
    [
      'drops the last, which was signed',
      (lines) => without(lines, recordAt(lines, -1)),
      ['tail-cut'],
    ],
    [
      'says two things of one number',
      (lines) => [...lines, (lines[recordAt(lines, 3)] ?? '').replace('\\"at\\":1', '\\"at\\":2')],
      ['record-changed'],
    ],
    [
      'moves a checkpoint to other records',
      (lines) =>
        lines.map((line) =>
          line.replace(/"size":(\d+)/, (_, size) => `"size":${Number(size) + 1}`),
        ),
      ['checkpoint-missing', 'checkpoint-unsigned'],
    ],
    [
      'takes the checkpoints away',
      (lines) => lines.filter((line) => !line.includes('"checkpoint":')),
      ['checkpoint-missing'],
    ],
    [
      'mixes in another store',
      (lines) =>
        lines.map((line, at) =>
          at === recordAt(lines, 2)
            ? line.replace(/"store":"[^"]+"/, '"store":"11111111-1111-4111-8111-111111111111"')
            : line,
        ),
      ['other-store'],
    ],
    [
      'leaves half a line',
      (lines) => [...lines.slice(0, -1), (lines.at(-1) ?? '').slice(0, 50)],
      ['line-unreadable'],
    ],
  ]
  for (const [what, change, found] of cases)
    test(`${what}: ${found.join(', ') || 'it holds'}`, async () => {
      const { vault, lines } = await copied()
      const { findings } = await checked(vault, change(lines))
      assert.deepEqual([...new Set(findings.map(({ kind }) => kind))].toSorted(), found)
    })
})

function swapped(lines: readonly string[], one: number, other: number): readonly string[] {
  return lines.map((line, at) => (at === one ? lines[other]! : at === other ? lines[one]! : line))
}
