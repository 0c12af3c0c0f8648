import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, test } from 'node:test'
import { monotonicMs } from '../src/core/time.ts'
import { type HttpSink, httpSink, seqsOf, syslogServer } from './support/sink-servers.ts'
import { rows, run } from './support/tampering.ts'
import { PERSON, type TestVault } from './support/vault.ts'
import { fault, OpenVaults, POSTGRES, SQLITE, secret, textOf } from './support/vault-stores.ts'

const open = new OpenVaults()
const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  await open.close(false)
  for (const close of closing.splice(0)) await close()
})

const key = 'k'.repeat(32)

async function server(): Promise<HttpSink> {
  const made = await httpSink()
  closing.push(() => made.close())
  return made
}

/** Short, so that tests need not wait for what never comes. The others have the default: machines are busy. */
const HANGS = { deadlineMs: 300 }

function webhook(to: HttpSink, mode: string, more: object = {}): string {
  const sink = { name: 'siem', kind: 'webhook', mode, url: to.url, key, ...more }
  return JSON.stringify({ sinks: [sink] })
}

const arrivedAt = (to: HttpSink): readonly number[] =>
  to.received.flatMap(({ body }) => seqsOf(body.toString()))

/** What arrived, each number once, in order. */
const kept = (to: HttpSink): readonly number[] =>
  [...new Set(arrivedAt(to))].toSorted((one, other) => one - other)

const upTo = (size: number): readonly number[] => Array.from({ length: size }, (_, at) => at + 1)

async function sizeOf(vault: TestVault): Promise<number> {
  await vault.ledger.flush()
  return (await vault.audit.verify()).size
}

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 1_000; i++) {
    if (await holds()) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  assert.fail(`${what} did not come`)
}

async function stored(vault: TestVault, path = 'a'): Promise<void> {
  await vault.vault.put(PERSON, 'default', { path, value: secret('value'), maxAccessCount: 200 })
}

const read = (vault: TestVault): Promise<string> =>
  vault.vault.get(PERSON, 'default', 'a').then(textOf)

for (const store of [SQLITE, POSTGRES])
  describe(`sinks on ${store.name}`, { skip: store.skip }, () => {
    test('a required sink has the record before the value is out, and all before it', async () => {
      const vault = await open.fresh(store)
      const siem = await server()
      await stored(vault)
      await vault.audit.setSinks(PERSON, webhook(siem, 'required'))
      assert.equal(await read(vault), 'value')
      const [entry] = await vault.audit.query({ action: 'secret.read', limit: 1 })
      assert.ok(arrivedAt(siem).includes(entry?.seq ?? 0))
      const size = await sizeOf(vault)
      await until('everything', () => kept(siem).length === size)
      assert.deepEqual(kept(siem), upTo(size))
      assert.equal((await vault.audit.verify()).ok, true)
    })

    test('another process heeds a required sink from its next batch on', async () => {
      const vault = await open.fresh(store)
      await stored(vault)
      const twin = await open.twin(vault)
      assert.equal(await read(twin), 'value')
      const siem = await server()
      siem.answer = null
      await vault.audit.setSinks(PERSON, webhook(siem, 'required', HANGS))
      await assert.rejects(read(twin), fault('AUDIT_UNAVAILABLE', /'siem' did not take a record/))
      siem.answer = 200
      await until('a read', () =>
        read(twin).then(
          () => true,
          () => false,
        ),
      )
      const size = await sizeOf(twin)
      await until('everything', () => kept(siem).length >= size)
    })

    test('two processes: what either releases is there, and little of it twice', async () => {
      const vault = await open.fresh(store)
      await stored(vault)
      const siem = await server()
      await vault.audit.setSinks(PERSON, webhook(siem, 'required'))
      const twin = await open.twin(vault)
      for (let i = 0; i < 10; i++) await Promise.all([read(vault), read(twin)])
      await twin.ledger.flush()
      const size = await sizeOf(vault)
      await until('everything', () => kept(siem).length === size)
      assert.deepEqual(kept(siem), upTo(size))
      assert.ok(arrivedAt(siem).length < 2 * size, `${arrivedAt(siem).length} of ${size}`)
    })
  })

describe('a required sink that hangs', () => {
  test('refuses within its deadline, then at once, releases nothing and hangs nothing', async () => {
    const vault = await open.fresh(SQLITE)
    const siem = await server()
    await stored(vault)
    await vault.audit.setSinks(PERSON, webhook(siem, 'required', HANGS))
    await read(vault)
    const before = (await vault.vault.describe(PERSON, 'default', 'a')).accessCount
    siem.answer = null
    const began = monotonicMs()
    const first = await Promise.allSettled(Array.from({ length: 20 }, () => read(vault)))
    const took = monotonicMs() - began
    for (const one of first) {
      assert.equal(one.status, 'rejected')
      fault(
        'AUDIT_UNAVAILABLE',
        /^The audit sink 'siem' did not take a record within 300 ms\. /,
      )(one.status === 'rejected' ? one.reason : null)
    }
    assert.ok(took < 1_500, `${took} ms`)
    const again = monotonicMs()
    await assert.rejects(
      read(vault),
      fault('AUDIT_UNAVAILABLE', /Nothing was released or changed\.$/),
    )
    await assert.rejects(stored(vault, 'new'), fault('AUDIT_UNAVAILABLE'))
    assert.ok(monotonicMs() - again < 250, 'the sink is not waited for again')
    siem.answer = 200
    await until('a read', () =>
      read(vault).then(
        () => true,
        () => false,
      ),
    )
    const after = await vault.vault.describe(PERSON, 'default', 'a')
    // Spent in the batch that could not be exported, and one read now; those refused at once cost nothing.
    assert.ok(after.accessCount - before <= 21, `${after.accessCount - before}`)
    const paths = (await vault.vault.list(PERSON, 'default')).secrets.map(({ path }) => path)
    assert.deepEqual(paths, ['a'])
    const size = await sizeOf(vault)
    await until('everything', () => kept(siem).length === size)
    assert.deepEqual(kept(siem), upTo(size))
    const dropped = await vault.audit.query({ action: 'secret.read', limit: 100 })
    assert.equal(dropped.filter(({ outcome }) => outcome === 'dropped').length, 20)
  })

  for (const [what, answer] of [
    ['answers 500', 500],
    ['answers 302', 302],
  ] as const)
    test(`one that ${what} refuses too`, async () => {
      const vault = await open.fresh(SQLITE)
      const siem = await server()
      await stored(vault)
      await vault.audit.setSinks(PERSON, webhook(siem, 'required', HANGS))
      await read(vault)
      siem.answer = answer
      await assert.rejects(
        read(vault),
        fault(
          'AUDIT_UNAVAILABLE',
          new RegExp(`answered with ${answer}\\. It is recorded; nothing`),
        ),
      )
    })

  test('a syslog server that no longer reads is noticed when the buffers are full', async () => {
    const vault = await open.fresh(SQLITE)
    const syslog = await syslogServer()
    closing.push(() => syslog.close())
    await stored(vault)
    const sink = { name: 'log', kind: 'syslog', mode: 'required', transport: 'tcp' }
    const text = JSON.stringify({
      sinks: [{ ...sink, host: '127.0.0.1', port: syslog.port, deadlineMs: 300 }],
    })
    await vault.audit.setSinks(PERSON, text)
    await read(vault)
    await until('a message', () => syslog.messages.length > 0)
    syslog.hang()
    const missing = (path: string): Promise<unknown> => vault.vault.get(PERSON, 'default', path)
    let refused = 0
    for (let i = 0; i < 400 && refused === 0; i++) {
      const work = Array.from({ length: 200 }, () => missing(`x/${'y'.repeat(200)}`))
      for (const one of await Promise.allSettled(work))
        if (
          one.status === 'rejected' &&
          (one.reason as { code: string }).code === 'AUDIT_UNAVAILABLE'
        )
          refused += 1
    }
    assert.ok(refused > 0)
  })

  test('the person can still take it away', async () => {
    const vault = await open.fresh(SQLITE)
    const siem = await server()
    await stored(vault)
    await vault.audit.setSinks(PERSON, webhook(siem, 'required', HANGS))
    siem.answer = null
    await assert.rejects(read(vault), fault('AUDIT_UNAVAILABLE'))
    await assert.rejects(read(vault), fault('AUDIT_UNAVAILABLE'))
    const [standing] = await vault.audit.sinks()
    assert.equal(standing?.state, 'failing')
    assert.match(standing?.problem ?? '', /did not take a record/)
    await vault.audit.setSinks(PERSON, '{"sinks":[]}')
    assert.equal(await read(vault), 'value')
    assert.deepEqual(await vault.audit.sinks(), [])
    assert.equal((await vault.audit.verify()).ok, true)
  })

  test('a process that begins while it fails changes nothing before it has found out', async () => {
    const vault = await open.fresh(SQLITE)
    const siem = await server()
    await stored(vault)
    await vault.audit.setSinks(PERSON, webhook(siem, 'required', HANGS))
    await read(vault)
    siem.answer = null
    await assert.rejects(stored(vault, 'b'), fault('AUDIT_UNAVAILABLE', /It is recorded/))
    const twin = await open.twin(vault)
    await assert.rejects(stored(twin, 'c'), fault('AUDIT_UNAVAILABLE', /or changed\.$/))
    siem.answer = 200
    const third = await open.twin(vault)
    await stored(third, 'd')
    const { secrets } = await third.vault.list(PERSON, 'default')
    assert.deepEqual(secrets.map(({ path }) => path).toSorted(), ['a', 'b', 'd'])
  })
})

describe('a best-effort sink', () => {
  test('holds nobody up, and gets what it missed when it is back, across a restart', async () => {
    const vault = await open.fresh(SQLITE)
    const siem = await server()
    siem.answer = null
    await vault.audit.setSinks(PERSON, webhook(siem, 'best-effort', HANGS))
    await stored(vault)
    const began = monotonicMs()
    for (let i = 0; i < 5; i++) await read(vault)
    assert.ok(monotonicMs() - began < 1_000)
    await open.shut(vault)
    assert.deepEqual(kept(siem), [])
    siem.answer = 200
    const next = await open.twin(vault)
    const size = await sizeOf(next)
    await until('everything', () => kept(siem).length === size)
    assert.deepEqual(arrivedAt(siem), upTo(size), 'in order, each once')
    const [standing] = await next.audit.sinks()
    assert.deepEqual([standing?.delivered, standing?.lacking], [size, 0])
    await open.shut(next)
    const last = await open.twin(vault)
    await read(last)
    const grown = await sizeOf(last)
    await until('what is new', () => kept(siem).length === grown)
    assert.deepEqual(arrivedAt(siem), upTo(grown), 'nothing comes twice after a clean end')
  })

  test('from now on, if that is wanted', async () => {
    const vault = await open.fresh(SQLITE)
    const siem = await server()
    await stored(vault)
    const before = await sizeOf(vault)
    await vault.audit.setSinks(PERSON, webhook(siem, 'best-effort', { from: 'now' }))
    await read(vault)
    const size = await sizeOf(vault)
    await until('what is new', () => kept(siem).length >= size - before)
    assert.ok((kept(siem)[0] ?? 0) > before)
  })

  test('one that is set again keeps its place, one of another name begins anew', async () => {
    const vault = await open.fresh(SQLITE)
    const siem = await server()
    await vault.audit.setSinks(PERSON, webhook(siem, 'best-effort'))
    const size = await sizeOf(vault)
    await until('everything', () => kept(siem).length === size)
    await vault.audit.setSinks(PERSON, webhook(siem, 'best-effort', { deadlineMs: 500 }))
    const later = await sizeOf(vault)
    await until('the rest', () => kept(siem).length === later)
    assert.deepEqual(arrivedAt(siem), upTo(later))
    const other = await server()
    await vault.audit.setSinks(PERSON, webhook(other, 'best-effort', { name: 'other' }))
    const all = await sizeOf(vault)
    await until('the whole', () => kept(other).length === all)
    assert.deepEqual(arrivedAt(other), upTo(all))
  })

  test('of two processes one brings it everything, and the other when the first has gone', async () => {
    const vault = await open.fresh(SQLITE)
    const siem = await server()
    await stored(vault)
    await vault.audit.setSinks(PERSON, webhook(siem, 'best-effort'))
    const twin = await open.twin(vault)
    for (let i = 0; i < 40; i++) {
      await Promise.all([read(vault), read(twin)])
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    await twin.ledger.flush()
    const size = await sizeOf(vault)
    await until('everything', () => kept(siem).length === size)
    assert.deepEqual(arrivedAt(siem), upTo(size), 'in order, each once')
    await open.shut(vault)
    await read(twin)
    const grown = await sizeOf(twin)
    await until('the rest', () => kept(siem).length === grown)
    assert.deepEqual(arrivedAt(siem), upTo(grown))
  })

  test('of many records each comes once and in order', async () => {
    const vault = await open.fresh(SQLITE)
    const siem = await server()
    await stored(vault)
    await Promise.allSettled(
      Array.from({ length: 1_500 }, (_, i) => vault.vault.get(PERSON, 'default', `none/${i}`)),
    )
    await vault.audit.setSinks(PERSON, webhook(siem, 'best-effort', { deadlineMs: 5_000 }))
    const size = await sizeOf(vault)
    assert.ok(size > 1_500)
    await until('everything', () => kept(siem).length === size)
    assert.deepEqual(arrivedAt(siem), upTo(size))
    assert.ok(siem.received.length >= 4)
  })
})

describe('what is stored of sinks', () => {
  test('keys are sealed, and whoever changes the row stops everything', async () => {
    const vault = await open.fresh(SQLITE)
    const siem = await server()
    await stored(vault)
    await vault.audit.setSinks(PERSON, webhook(siem, 'required'))
    const file = readFileSync(join(vault.settings.dataDir, 'vault.db')).toString('latin1')
    const log = join(vault.settings.dataDir, 'vault.db-wal')
    const all = `${file}${existsSync(log) ? readFileSync(log).toString('latin1') : ''}`
    assert.ok(!all.includes(key) && !all.includes(siem.url))
    const [row] = rows(vault, 'select * from audit_sinks')
    assert.equal(row?.['revision'], 1)
    run(vault, 'update audit_sinks set set_at = set_at + 1')
    assert.deepEqual(
      (await vault.audit.verify()).findings.map(({ kind }) => kind),
      ['row-changed'],
    )
    await assert.rejects(open.twin(vault), fault('STORE_TAMPERED'))
    run(vault, 'delete from audit_sinks')
    assert.deepEqual(
      (await vault.audit.verify()).findings.map(({ kind }) => kind),
      ['row-missing'],
    )
  })

  test('a cursor that was moved ahead keeps no record of its own batch from a required sink', async () => {
    const vault = await open.fresh(SQLITE)
    const siem = await server()
    await stored(vault)
    await vault.audit.setSinks(PERSON, webhook(siem, 'required'))
    run(vault, 'update audit_sink_cursors set delivered = 1000000')
    const twin = await open.twin(vault)
    await read(twin)
    const [entry] = await twin.audit.query({ action: 'secret.read', limit: 1 })
    assert.ok(arrivedAt(siem).includes(entry?.seq ?? 0))
  })

  test('that they were taken away is the last thing that required sinks hear', async () => {
    const vault = await open.fresh(SQLITE)
    const siem = await server()
    await vault.audit.setSinks(PERSON, webhook(siem, 'required'))
    await stored(vault)
    await vault.audit.setSinks(PERSON, '{"sinks":[]}')
    await stored(vault)
    const lines = siem.received.flatMap(({ body }) => body.toString().trimEnd().split('\n'))
    const last = lines.findLast((line) => line.includes('"body":')) ?? '{}'
    assert.match((JSON.parse(last) as { body: string }).body, /"action":"audit\.sinks"/)
  })

  test('a record names the sinks, and nothing of their keys', async () => {
    const vault = await open.fresh(SQLITE)
    const siem = await server()
    await vault.audit.setSinks(PERSON, webhook(siem, 'best-effort'))
    const [entry] = await vault.audit.query({ action: 'audit.sinks' })
    assert.deepEqual((JSON.parse(entry?.body ?? '{}') as { detail: object }).detail, {
      sinks: ['siem webhook best-effort'],
    })
    await assert.rejects(
      vault.audit.setSinks(PERSON, '{"sinks":[{"name":"x"}]}'),
      fault('BAD_INPUT', /sinks\[0\]\.kind/),
    )
  })
})

test('a process that is killed loses nothing that it released', async () => {
  const vault = await open.fresh(SQLITE)
  const siem = await server()
  await vault.audit.setSinks(PERSON, webhook(siem, 'required', { deadlineMs: 2_000 }))
  const program = join(import.meta.dirname, 'support', 'vault-process.ts')
  const child = spawn(process.execPath, [program, vault.home, 'fill', '500'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let said = ''
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString()
    if (said.split('\n').length > 8) child.kill('SIGKILL')
  })
  await once(child, 'close')
  const there = new Set(siem.received.flatMap(({ body }) => pathsOf(body.toString())))
  const released = [...said.matchAll(/^stored (\S+)/gm)].map(([, path]) => path)
  assert.ok(released.length >= 6)
  for (const path of released) assert.ok(there.has(path), path)
  await stored(vault)
  const size = await sizeOf(vault)
  await until('everything', () => kept(siem).length === size)
  assert.deepEqual(kept(siem), upTo(size))
})

function pathsOf(text: string): readonly (string | undefined)[] {
  return text
    .split('\n')
    .filter((line) => line.includes('"body":'))
    .map(
      (line) => (JSON.parse((JSON.parse(line) as { body: string }).body) as { path?: string }).path,
    )
}
