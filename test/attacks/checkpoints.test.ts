import assert from 'node:assert/strict'
import { copyFileSync } from 'node:fs'
import { afterEach, describe, test } from 'node:test'
import { auditEvidence } from '../../src/audit/index.ts'
import type { Checkpoint, ExportReport } from '../../src/core/audit-evidence.ts'
import { isFault } from '../../src/core/faults.ts'
import { cutTo, headFile, lived, run } from '../support/tampering.ts'
import { PERSON, type TestVault } from '../support/vault.ts'
import { fault, OpenVaults, secret } from '../support/vault-stores.ts'

const open = new OpenVaults()
afterEach(() => open.close(false))

async function exported(vault: TestVault): Promise<string[]> {
  const lines: string[] = []
  for await (const line of vault.audit.export()) lines.push(line)
  return lines
}

async function* inOne(
  lines: readonly (string | null)[],
): AsyncGenerator<readonly (string | null)[]> {
  yield lines
}

async function checked(
  lines: readonly (string | null)[],
  checkpoints: readonly Checkpoint[],
  keys: string,
): Promise<ExportReport> {
  const texts = checkpoints.map((one) => JSON.stringify(one))
  return auditEvidence.verifyExport(inOne(lines), texts, keys)
}

const kindsOf = ({ findings }: ExportReport): string[] =>
  findings.map(({ kind }) => kind).toSorted()

describe('checkpoints', () => {
  test('a line that states another epoch is found, in whichever of the epochs', async () => {
    const vault = await lived(open)
    const keys = await vault.audit.checkpointKeys()
    const checkpoint = await vault.audit.checkpoint()
    const lines = await exported(vault)
    const other = '11111111-1111-4111-8111-111111111111'
    for (const at of [0, lines.length - 2]) {
      const bent = lines.map((line, index) =>
        index === at ? (line ?? '').replace(/"epoch":"[^"]+"/, `"epoch":"${other}"`) : line,
      )
      const report = await checked(bent, [checkpoint], keys)
      assert.deepEqual(
        report.findings.map(({ kind, seq }) => [kind, seq]),
        [['epoch-changed', at + 1]],
      )
    }
  })

  test('a copy is whole, and what was signed before it grew stays true', async () => {
    const vault = await lived(open)
    const keys = await vault.audit.checkpointKeys()
    const first = await vault.audit.checkpoint()
    await vault.vault.put(PERSON, 'default', { path: 'd', value: secret('more') })
    const second = await vault.audit.checkpoint()
    assert.ok(second.size > first.size)
    assert.equal(second.key_id, first.key_id)
    assert.equal(await vault.audit.checkpointKeys(), keys)
    const nothing = await vault.audit.checkpoint(0)
    const part = await vault.audit.checkpoint(3)
    const report = await checked(await exported(vault), [nothing, part, first, second], keys)
    assert.deepEqual(report.findings, [])
    assert.equal(report.ok, true)
    assert.equal(report.size, second.size)
    assert.equal(report.root, second.root)
    assert.deepEqual(
      report.checkpoints.map(({ size, holds }) => [size, holds]),
      [
        [0, true],
        [3, true],
        [first.size, true],
        [second.size, true],
      ],
    )
    const again = await vault.audit.checkpoint(first.size)
    assert.deepEqual([again.size, again.root], [first.size, first.root])
    assert.equal((await vault.audit.verify()).ok, true, 'the row of the new key is in a record')
  })

  test('another process signs with the same key', async () => {
    const vault = await lived(open)
    const one = await vault.audit.checkpoint()
    const twin = await open.twin(vault)
    assert.equal((await twin.audit.checkpoint()).key_id, one.key_id)
  })

  test('two processes that never signed make one key', async () => {
    const vault = await lived(open)
    const twin = await open.twin(vault)
    const [one, other] = await Promise.all([vault.audit.checkpoint(), twin.audit.checkpoint()])
    assert.equal(one.key_id, other.key_id)
    assert.equal((await vault.audit.checkpointKeys()).match(/BEGIN/g)?.length, 1)
    assert.equal((await vault.audit.verify()).ok, true)
  })

  test('the key outlives a rekey', async () => {
    const vault = await lived(open)
    const keys = await vault.audit.checkpointKeys()
    await vault.db.write(async (tx) => {
      const { finish } = await vault.keys.rekey(tx, await vault.keys.prepareRekey())
      return finish
    })
    assert.equal(await vault.audit.checkpointKeys(), keys)
  })

  test('someone with all keys who writes a history that fits is contradicted', async () => {
    const vault = await lived(open)
    const keys = await vault.audit.checkpointKeys()
    const checkpoint = await vault.audit.checkpoint()
    const old = headFile(vault)
    // The machine's owner goes back and lives another life, with every key at hand.
    cutTo(vault, checkpoint.size - 3)
    const again = await open.twin(vault)
    await again.heads.adopt()
    for (const path of ['x', 'y', 'z'])
      await again.vault.put(PERSON, 'default', { path, value: secret('other') })
    await again.ledger.flush()
    copyFileSync(headFile(again), old)
    const report = await checked(await exported(again), [checkpoint], keys)
    assert.deepEqual(kindsOf(report), ['history-changed'])
    assert.deepEqual(
      report.checkpoints.map(({ holds }) => holds),
      [false],
    )
  })

  test('nothing is signed while the tree does not follow from its head', async () => {
    const vault = await lived(open)
    await vault.audit.checkpoint()
    cutTo(vault, 3)
    await assert.rejects(vault.audit.checkpoint(), fault('AUDIT_BROKEN'))
  })

  test('nothing is proved over records that were changed', async () => {
    const vault = await lived(open)
    const { size } = await vault.audit.checkpoint()
    run(vault, `update audit_records set body = ? where seq = 2`, Buffer.from('{}'))
    for (const work of [
      () => vault.audit.checkpoint(3),
      () => vault.audit.proveInclusion(4),
      () => vault.audit.proveConsistency(3, size),
    ])
      await assert.rejects(work(), fault('AUDIT_BROKEN'))
  })

  for (const [what, work] of [
    ['a tree that is larger than it is', (vault) => vault.audit.checkpoint(9_999)],
    ['a record that is not there', (vault) => vault.audit.proveInclusion(9_999)],
    ['a record after the tree', (vault) => vault.audit.proveInclusion(4, 3)],
    ['a smaller tree that is the larger one', (vault) => vault.audit.proveConsistency(4, 3)],
    ['half a record', (vault) => vault.audit.proveInclusion(1.5)],
  ] satisfies [string, (vault: TestVault) => Promise<unknown>][])
    test(`no proof of ${what}`, async () => {
      const vault = await lived(open)
      await assert.rejects(work(vault), fault('BAD_INPUT'))
    })
})

describe('copies that were changed', () => {
  const other = (line: string, from: RegExp, to: string): string => {
    assert.match(line, from)
    return line.replace(from, to)
  }
  const cases: readonly [
    what: string,
    change: (lines: string[]) => (string | null)[],
    found: string[],
  ][] = [
    ['nothing', (lines) => lines, []],
    ['empty lines', (lines) => lines.flatMap((line) => ['', line]), []],
    [
      'a record says something else',
      (lines) => lines.with(3, other(lines[3]!, /secret\.\w+/, 'secret.none')),
      ['history-changed', 'history-changed'],
    ],
    [
      'a record is gone',
      (lines) => lines.toSpliced(3, 1),
      ['record-missing', 'tail-cut', 'tail-cut'],
    ],
    [
      'two records changed places',
      (lines) => lines.with(3, lines[4]!).with(4, lines[3]!),
      ['history-changed', 'history-changed', 'record-missing', 'record-missing', 'record-missing'],
    ],
    [
      'a record bears the number of another',
      (lines) => lines.with(3, other(lines[3]!, /^\{"seq":4/, '{"seq":5')),
      ['record-changed', 'record-missing', 'record-missing'],
    ],
    ['the end is gone', (lines) => lines.slice(0, -1), ['export-cut']],
    ['the tail is gone', (lines) => lines.toSpliced(-3, 2), ['tail-cut', 'tail-cut']],
    ['all is gone', () => [], ['export-cut', 'tail-cut']],
    ['a line is no JSON', (lines) => lines.toSpliced(3, 0, 'nonsense'), ['line-unreadable']],
    ['a line is too long', (lines) => [null, ...lines], ['line-unreadable']],
    [
      'something stands after the end',
      (lines) => [...lines.slice(0, -2), lines.at(-1)!, lines.at(-2)!],
      ['record-added'],
    ],
    [
      'the end is that of another store',
      (lines) => [
        ...lines.slice(0, -1),
        other(lines.at(-1)!, /"store":"[^"]+"/, '"store":"00000000-0000-4000-8000-000000000000"'),
      ],
      ['other-store'],
    ],
    [
      'its head is not that of its records',
      (lines) => [...lines.slice(0, -1), other(lines.at(-1)!, /"frontier":"../, '"frontier":"zz')],
      ['history-changed'],
    ],
    ['it had no head', (lines) => [...lines.slice(0, -1), '{"head":"missing"}'], ['head-missing']],
  ]
  for (const [what, change, found] of cases)
    test(what, async () => {
      const vault = await lived(open)
      const keys = await vault.audit.checkpointKeys()
      const checkpoint = await vault.audit.checkpoint()
      const report = await checked(change(await exported(vault)), [checkpoint], keys)
      assert.deepEqual(kindsOf(report), found)
      assert.equal(report.ok, found.length === 0)
    })
})

describe('checkpoints that were changed', () => {
  const cases: readonly [
    what: string,
    change: (one: Checkpoint) => object,
    found: string[] | null,
  ][] = [
    [
      'another time',
      (one) => ({ ...one, at: '2020-01-01T00:00:00.000Z' }),
      ['checkpoint-unsigned'],
    ],
    [
      'another root',
      (one) => ({ ...one, root: 'a'.repeat(64) }),
      ['checkpoint-unsigned', 'history-changed'],
    ],
    ['a smaller size', (one) => ({ ...one, size: 2 }), ['checkpoint-unsigned', 'history-changed']],
    ['a larger size', (one) => ({ ...one, size: 9_999 }), ['checkpoint-unsigned', 'tail-cut']],
    [
      'another store',
      (one) => ({ ...one, store: '00000000-0000-4000-8000-000000000000' }),
      ['checkpoint-unsigned', 'other-store'],
    ],
    ['a member more', (one) => ({ ...one, note: 'x' }), []],
    ['no signature', ({ signature: _gone, ...one }) => one, null],
    ['a short signature', (one) => ({ ...one, signature: 'abc' }), null],
    ['another type', (one) => ({ ...one, type: 'sallyport-checkpoint-2' }), null],
    ['a size that is text', (one) => ({ ...one, size: '3' }), null],
    ['a newline in the time', (one) => ({ ...one, at: `${one.at}\n` }), null],
    ['half a root', (one) => ({ ...one, root: one.root.slice(32) }), null],
  ]
  for (const [what, change, found] of cases)
    test(what, async () => {
      const vault = await lived(open)
      const keys = await vault.audit.checkpointKeys()
      const changed = JSON.stringify(change(await vault.audit.checkpoint()))
      const lines = await exported(vault)
      const work = auditEvidence.verifyExport(inOne(lines), [changed], keys)
      if (found === null) await assert.rejects(work, fault('BAD_INPUT'))
      else assert.deepEqual(kindsOf(await work), found)
    })

  test('another store signed it', async () => {
    const vault = await lived(open)
    const stranger = await lived(open)
    const keys = await stranger.audit.checkpointKeys()
    const checkpoint = await vault.audit.checkpoint()
    const lines = await exported(vault)
    assert.deepEqual(kindsOf(await checked(lines, [checkpoint], keys)), ['checkpoint-unsigned'])
    const both = `${keys}${await vault.audit.checkpointKeys()}`
    assert.equal((await checked(lines, [checkpoint], both)).ok, true)
  })

  test('a key that is none', () =>
    assert.throws(
      () => auditEvidence.checkProof('{}', 'nonsense', null),
      (error) => isFault(error, 'BAD_INPUT'),
    ))
})

describe('proofs', () => {
  test('a record is in the tree, and no other text is', async () => {
    const vault = await lived(open)
    const keys = await vault.audit.checkpointKeys()
    const proof = await vault.audit.proveInclusion(4)
    const { checkpoint } = proof
    const good = auditEvidence.checkProof(JSON.stringify(proof), keys, null)
    assert.deepEqual(good, {
      ok: true,
      lines: [`Record 4 is one of the ${checkpoint.size} that were signed ${checkpoint.at}.`],
    })
    const early = JSON.stringify(await vault.audit.proveInclusion(2, 3))
    assert.equal(auditEvidence.checkProof(early, keys, null).ok, true)
    for (const changed of [
      { ...proof, seq: 5 },
      { ...proof, record: proof.record.replace('"seq":4', '"seq":04') },
      { ...proof, record: proof.record.replace('secret.', 'nothing.') },
      { ...proof, proof: proof.proof.slice(1) },
      { ...proof, checkpoint: { ...checkpoint, size: checkpoint.size + 1 } },
      { ...proof, checkpoint: await vault.audit.checkpoint(5) },
    ])
      assert.equal(auditEvidence.checkProof(JSON.stringify(changed), keys, null).ok, false)
  })

  test('the tree only grew, from the checkpoint that was kept', async () => {
    const vault = await lived(open)
    const keys = await vault.audit.checkpointKeys()
    const kept = JSON.stringify(await vault.audit.checkpoint(3))
    const later = JSON.stringify(await vault.audit.checkpoint(4))
    const proof = JSON.stringify(await vault.audit.proveConsistency(3))
    assert.equal(auditEvidence.checkProof(proof, keys, null).ok, true)
    assert.equal(auditEvidence.checkProof(proof, keys, kept).ok, true)
    assert.equal(auditEvidence.checkProof(proof, keys, later).ok, false)
    const equal = JSON.stringify(await vault.audit.proveConsistency(4, 4))
    assert.equal(auditEvidence.checkProof(equal, keys, later).ok, true)
    const stranger = await lived(open)
    const foreign = JSON.stringify(await stranger.audit.checkpoint(3))
    assert.equal(auditEvidence.checkProof(proof, keys, foreign).ok, false)
  })

  for (const text of [
    '',
    '{}',
    'null',
    '[]',
    '{"type":"sallyport-inclusion-1"}',
    '{"type":"sallyport-consistency-1","first":{}}',
  ])
    test(`'${text}' is no proof`, async () => {
      const keys = await (await lived(open)).audit.checkpointKeys()
      assert.throws(
        () => auditEvidence.checkProof(text, keys, null),
        (error) => isFault(error, 'BAD_INPUT'),
      )
    })
})
