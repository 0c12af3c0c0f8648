// What Redis as the place of counters has to bear: lost answers, silence, lost data, clocks, who may what.
import assert from 'node:assert/strict'
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Redis } from 'ioredis'
import type { CounterCharge, Counters, Taken } from '../../src/core/counter-port.ts'
import { type FaultCode, isFault } from '../../src/core/faults.ts'
import { epochMs, monotonicMs, sleep } from '../../src/core/time.ts'
import type { RedisCounters } from '../../src/store/redis-counters.ts'
import { authority, certificateFor } from '../support/certificates.ts'
import { keptLog, keptMarks, redisCounters } from '../support/counters.ts'
import { lossyProxy } from '../support/lossy-proxy.ts'
import { freePort } from '../support/postgres.ts'
import { REDIS, startRedis, type TestRedis } from '../support/redis.ts'

const NOW = epochMs(Date.UTC(2026, 10, 20, 12))
const SECOND = 1_000
const SHORT_MS = 300

let names = 0
const fresh = (max: number, more: Partial<CounterCharge> = {}): CounterCharge => {
  names += 1
  return {
    counter: `["counter",${names}]`,
    window: { kind: 'calendar', lengthMs: 86_400_000, offsetMs: 0 },
    amount: 1,
    max,
    isShadow: false,
    ...more,
  }
}

async function passes(counters: Counters, charge: CounterCharge, at = NOW): Promise<boolean> {
  return 'taken' in (await counters.take([charge], at))
}

/** Whether it passes, where it may be that nothing can be counted yet. */
const passesNow = (counters: Counters, charge: CounterCharge): Promise<boolean> =>
  passes(counters, charge).catch(() => false)

async function taken(
  counters: Counters,
  charge: CounterCharge,
  at = NOW,
): Promise<readonly Taken[]> {
  const reserved = await counters.take([charge], at)
  assert.ok('taken' in reserved)
  return reserved.taken
}

/** What is counted, whatever the marker. */
async function used(client: Redis, { counter }: CounterCharge): Promise<number> {
  return Number((await client.hget(`sallyport:{a-store}:counter:${counter}`, 's')) ?? 0)
}

/** The sum of all buckets, which what is given back changes. */
async function counted(client: Redis, { counter }: CounterCharge): Promise<number> {
  const all = await client.hgetall(`sallyport:{a-store}:counter:${counter}`)
  return Object.entries(all).reduce(
    (sum, [name, value]) => (/^\d+$/.test(name) ? sum + Number(value) : sum),
    0,
  )
}

async function faultOf(work: unknown): Promise<{ code: FaultCode; message: string; cure: string }> {
  try {
    await work
  } catch (error) {
    if (!isFault(error)) throw error
    const { remedy } = error.details
    return {
      code: error.code,
      message: error.message,
      cure: typeof remedy === 'string' ? remedy : error.help,
    }
  }
  throw new assert.AssertionError({ message: 'no fault' })
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  const deadline = monotonicMs() + 20_000
  while (!(await holds())) {
    assert.ok(monotonicMs() < deadline, `still not so: ${holds.toString()}`)
    await sleep(5)
  }
}

describe('counters in Redis', { skip: REDIS.skip }, () => {
  let server: TestRedis
  let client: Redis
  const open: RedisCounters[] = []
  const counting = (
    url = server.url,
    more: Parameters<typeof redisCounters>[1] = {},
  ): RedisCounters => {
    const one = redisCounters(url, more)
    open.push(one)
    return one
  }
  /** Takes two seconds to come together, so it is begun first and asked last. */
  let cluster: Promise<readonly [TestRedis, TestRedis]>
  before(async () => {
    cluster = twoNodes()
    server = await startRedis()
    client = server.client()
  })
  after(async () => {
    await Promise.all(open.map((one) => one.close()))
    for (const one of [server, ...(await cluster)]) await one.stop()
  })
  /** Another Redis for one test, which breaks it. */
  const own = async (
    work: (own: TestRedis) => Promise<void>,
    how?: Parameters<typeof startRedis>[0],
  ): Promise<void> => {
    const started = await startRedis(how)
    const first = open.length
    try {
      await work(started)
    } finally {
      await Promise.all(open.splice(first).map((one) => one.close()))
      await started.stop()
    }
  }

  test('the clock of Redis counts, whatever the clocks of nodes say', async () => {
    const marks = keptMarks()
    const [slow, fast] = [counting(server.url, { marks }), counting(server.url, { marks })]
    const limit = fresh(2, { window: { kind: 'sliding', lengthMs: 3_600_000, partMs: 60_000 } })
    assert.ok(await passes(slow, limit, epochMs(NOW - 1_000 * 86_400_000)))
    assert.ok(await passes(fast, limit, epochMs(NOW + 1_000 * 86_400_000)))
    assert.ok(!(await passes(slow, limit, epochMs(NOW - 900 * 86_400_000))))
    assert.ok(!(await passes(fast, limit, epochMs(NOW + 1_100 * 86_400_000))))
  })

  test('a clock that goes back lets nothing more through, and is believed again after a window', async () => {
    const counters = counting(server.url, { time: 'callers' })
    const limit = fresh(3, { window: { kind: 'sliding', lengthMs: 60_000, partMs: SECOND } })
    const at = (seconds: number) => epochMs(NOW + seconds * SECOND)
    assert.ok(await passes(counters, limit, at(100)))
    // Counted where the clock had been: at 160 it still counts.
    assert.ok(await passes(counters, limit, at(50)))
    assert.ok(await passes(counters, limit, at(100)))
    assert.ok(!(await passes(counters, limit, at(45))))
    assert.ok(!(await passes(counters, limit, at(155))))
    assert.ok(await passes(counters, limit, at(161)))
    // From a year ahead: all of it counts as of now, so it is free again within a window and not in a year.
    const later = at(366 * 86_400)
    assert.ok(await passes(counters, { ...limit, max: 9 }, later))
    assert.ok(await passes(counters, { ...limit, max: 2 }, at(400)))
    assert.ok(!(await passes(counters, { ...limit, max: 2 }, at(459))))
    assert.ok(await passes(counters, { ...limit, max: 2 }, at(461)))
  })

  test('every key but the standing of the store ends by itself', async () => {
    const counters = counting()
    const minute = fresh(5, { window: { kind: 'sliding', lengthMs: 60_000, partMs: SECOND } })
    await taken(counters, minute)
    const day = fresh(5)
    await taken(counters, day)
    const ttl = (name: string) => client.pttl(`sallyport:{a-store}:${name}`)
    const [short, long] = [
      await ttl(`counter:${minute.counter}`),
      await ttl(`counter:${day.counter}`),
    ]
    assert.ok(short > 59_000 && short <= 61_000, String(short))
    assert.ok(long > 0 && long <= 86_400_000)
    const endless = []
    for (const key of await client.keys('*')) if ((await client.pttl(key)) === -1) endless.push(key)
    assert.deepEqual(endless, ['sallyport:{a-store}:standing'])
  })

  test('all keys of a store hold its id as what places them in a cluster, and stores do not meet', async () => {
    const limit = fresh(1)
    const [one, two] = [counting(), counting(server.url, { storeId: 'another-store' })]
    assert.ok(await passes(one, limit))
    assert.ok(await passes(two, limit))
    assert.ok(!(await passes(one, limit)))
    for (const key of await client.keys('*'))
      assert.match(key, /^sallyport:\{(?:a|another)-store\}:(?:standing$|process:|counter(?::|$))/)
  })

  test('an answer that is lost costs nothing twice: not a charge, not a refund', async () => {
    const proxy = await lossyProxy(server.url)
    try {
      const counters = counting(proxy.url)
      const limit = fresh(100)
      proxy.loseAnswers(limit.counter, 3)
      const first = await taken(counters, limit)
      assert.equal(await used(client, limit), 1)
      for (let n = 0; n < 4; n += 1) await taken(counters, limit)
      proxy.loseAnswers(limit.counter, 2)
      await counters.refund(first)
      assert.equal(await counted(client, limit), 4)
      proxy.loseAnswers(limit.counter, 2)
      await counters.settle(first, new Map([[limit.counter, 11]]))
      assert.equal(await counted(client, limit), 14)
      // Many under way on a connection that breaks.
      proxy.loseAnswers(limit.counter, 4)
      const many = await Promise.all(Array.from({ length: 50 }, () => passes(counters, limit)))
      assert.deepEqual(
        many,
        Array.from({ length: 50 }, () => true),
      )
      assert.equal(await counted(client, limit), 64)
    } finally {
      await proxy.close()
    }
  })

  test('what arrives when nobody waits for it any more is not counted', async () => {
    const proxy = await lossyProxy(server.url)
    try {
      const counters = counting(proxy.url, { patienceMs: SHORT_MS })
      const limit = fresh(100)
      await until(() => passesNow(counters, limit))
      proxy.holdBack(limit.counter)
      assert.equal((await faultOf(counters.take([limit], NOW))).code, 'COUNTERS_UNAVAILABLE')
      // The next one goes by another connection; what undoes the first one, too.
      await until(() => passesNow(counters, limit))
      const before = await counted(client, limit)
      proxy.deliver()
      await taken(counters, limit)
      assert.equal(await counted(client, limit), before + 1)
    } finally {
      await proxy.close()
    }
  })

  test('a Redis that is silent denies in time, and what it does late is undone', async () => {
    await own(async (silent) => {
      const { log, lines } = keptLog()
      const counters = counting(silent.url, { patienceMs: SHORT_MS, log })
      await until(() => passesNow(counters, fresh(1)))
      lines.splice(0)
      const limit = fresh(100)
      silent.signal('SIGSTOP')
      const faults = await Promise.all([1, 2, 3].map(() => faultOf(counters.take([limit], NOW))))
      for (const { code, message } of faults)
        assert.deepEqual(
          [code, message],
          ['COUNTERS_UNAVAILABLE', `The counters at '${silent.url}?db=0' did not answer in time.`],
        )
      assert.equal(lines.length, 1)
      assert.match(lines[0] ?? '', /^calls with limits are denied/)
      silent.signal('SIGCONT')
      const looking = silent.client()
      await until(() => passesNow(counters, limit))
      await until(async () => (await counted(looking, limit)) === 1)
      assert.ok(lines.some((line) => line.includes('in reach again')))
    })
  })

  test('where there is no Redis, every call with a limit is denied until there is one', async () => {
    await own(async (gone) => {
      await gone.kill()
      const counters = counting(gone.url, { patienceMs: SHORT_MS })
      assert.deepEqual(await counters.take([], NOW), { taken: [], shadow: null })
      assert.deepEqual(await faultOf(counters.take([fresh(1)], NOW)), {
        code: 'COUNTERS_UNAVAILABLE',
        message: `The counters at '${gone.url}?db=0' can't be reached (ECONNREFUSED).`,
        cure: 'check that Redis runs and that SALLYPORT_COUNTERS_URL is right',
      })
      await gone.start()
      await until(() => passesNow(counters, fresh(1)))
    })
  })

  test('a Redis that is emptied denies until somebody accepts it, and then counts for everybody', async () => {
    await own(async (emptied) => {
      const marks = keptMarks()
      const { log, lines } = keptLog()
      const [one, two] = [1, 2].map(() => counting(emptied.url, { marks, log })) as [
        RedisCounters,
        RedisCounters,
      ]
      const limit = fresh(2)
      await taken(one, limit)
      await taken(two, limit)
      await emptied.client().flushall()
      for (const counters of [one, two, one, counting(emptied.url, { marks })]) {
        const { code, message, cure } = await faultOf(counters.take([limit], NOW))
        assert.equal(code, 'COUNTERS_LOST')
        assert.match(
          message,
          /^What was counted at 'unix:.*' is not there any more, or not all of it\.$/,
        )
        assert.match(cure, /sallyport counters accept/)
      }
      assert.equal((await faultOf(one.look(NOW))).code, 'COUNTERS_LOST')
      assert.equal(
        (await faultOf(one.refund([{ counter: 'x', bucket: 1, amount: 1 }]))).code,
        'COUNTERS_LOST',
      )
      assert.equal(lines.filter((line) => line.includes('what was counted is lost')).length, 2)
      marks.kept = await one.mark('accepted', true)
      for (const counters of [two, one]) assert.ok(await passes(counters, limit))
      assert.ok(!(await passes(two, limit)))
    })
  })

  test('a Redis that starts without its data denies', async () => {
    await own(async (restarted) => {
      const counters = counting(restarted.url)
      await taken(counters, fresh(2))
      await restarted.kill()
      await restarted.start()
      assert.equal((await faultOf(counters.take([fresh(2)], NOW))).code, 'COUNTERS_LOST')
    })
  })

  test('a Redis that kept every write goes on where it was', async () => {
    await own(
      async (kept) => {
        const counters = counting(kept.url)
        const limit = fresh(2)
        await taken(counters, limit)
        await kept.kill()
        await kept.start()
        await taken(counters, limit)
        assert.ok(!(await passes(counters, limit)))
      },
      { isKept: true },
    )
  })

  test('older data that comes back is noticed: by who counted, by a new process, and past newer counts', async () => {
    await own(async (older) => {
      const marks = keptMarks()
      const limit = fresh(100)
      const first = counting(older.url, { marks })
      await taken(first, limit)
      const looking = older.client()
      await looking.save()
      copyFileSync(join(older.folder, 'dump.rdb'), join(older.folder, 'kept.rdb'))
      await taken(first, limit)
      await taken(first, limit)
      await first.close()
      const before = marks.kept
      assert.equal(before?.changes, 3)
      const putBack = async (): Promise<void> => {
        await older.kill()
        copyFileSync(join(older.folder, 'kept.rdb'), join(older.folder, 'dump.rdb'))
        await older.start()
      }
      await putBack()
      assert.equal(
        (await faultOf(counting(older.url, { marks }).take([limit], NOW))).code,
        'COUNTERS_LOST',
      )

      // Of two that counted, one knows of less than came back, and counts on until there is as much as the other saw.
      await putBack()
      marks.kept = { marker: 'first', changes: 0 }
      const [much, little] = [1, 2].map(() =>
        counting(older.url, { marks: { ...marks, saw: async () => {} } }),
      ) as [RedisCounters, RedisCounters]
      await taken(much, limit)
      await taken(much, limit)
      await putBack()
      for (let n = 0; n < 5; n += 1) await taken(little, limit)
      assert.equal((await faultOf(much.take([limit], NOW))).code, 'COUNTERS_LOST')
      // What one of them noticed holds for all.
      assert.equal((await faultOf(little.take([limit], NOW))).code, 'COUNTERS_LOST')
    })
  })

  test('a Redis that would throw counters away is not used', async () => {
    await own(
      async (evicting) => {
        const { code, message, cure } = await faultOf(counting(evicting.url).take([fresh(1)], NOW))
        assert.equal(code, 'COUNTERS_UNAVAILABLE')
        assert.match(message, /may throw counters away .*\(maxmemory-policy volatile-lru\)\.$/)
        assert.equal(cure, 'set maxmemory-policy noeviction there')
      },
      { options: ['--maxmemory', '50mb', '--maxmemory-policy', 'volatile-lru'] },
    )
  })

  test('a Redis without memory denies, and counts nothing by halves', async () => {
    await own(async (full) => {
      const counters = counting(full.url)
      const [one, two] = [fresh(5), fresh(5)]
      await counters.take([one, two], NOW)
      const looking = full.client()
      await looking.config('SET', 'maxmemory', '1')
      const { code, message } = await faultOf(counters.take([one, two], NOW))
      assert.deepEqual(
        [code, message],
        ['COUNTERS_UNAVAILABLE', `The counters at '${full.url}?db=0' have no memory left.`],
      )
      await looking.config('SET', 'maxmemory', '0')
      assert.deepEqual([await counted(looking, one), await counted(looking, two)], [1, 1])
    })
  })

  test('a replica counts nothing, and goes on when it is the primary', async () => {
    await own(async (replica) => {
      const counters = counting(replica.url)
      const limit = fresh(2)
      await taken(counters, limit)
      const admin = replica.client()
      await admin.replicaof('127.0.0.1', '1')
      assert.equal(
        (await faultOf(counters.take([limit], NOW))).message,
        `The counters at '${replica.url}?db=0' are a replica that only reads.`,
      )
      await admin.replicaof('NO', 'ONE')
      await until(() => passesNow(counters, limit))
      assert.ok(!(await passes(counters, limit)))
    })
  })

  test('a user with the rights of the guide is enough, a wrong password is said without it', async () => {
    await own(async (guarded) => {
      const admin = guarded.client()
      await admin.acl('SETUSER', 'gate', ...'on >canary-password'.split(' '), ...RIGHTS)
      const asUser = `${guarded.url}?username=gate&password=`
      const counters = counting(`${asUser}canary-password`)
      const limit = fresh(2)
      const first = await taken(counters, limit)
      await counters.refund(first)
      await taken(counters, limit)
      assert.equal((await counters.look(NOW)).length, 1)
      await counters.tidy(NOW)
      const { log, lines } = keptLog()
      const wrong = await faultOf(counting(`${asUser}canary-wrong`, { log }).take([limit], NOW))
      assert.match(wrong.message, /refuse the user or the password\.$/)
      await admin.acl('SETUSER', 'gate', '-evalsha', '-eval')
      const less = await faultOf(counting(`${asUser}canary-password`, { log }).take([limit], NOW))
      assert.match(less.message, /do not let this user run '(?:eval|evalsha)'\.$/)
      assert.ok(lines.length > 0)
      assert.doesNotMatch(JSON.stringify([lines, wrong, less]), /canary/)
    })
  })

  test('TLS: who vouches for the certificate has to be known', async () => {
    const port = await freePort()
    const ours = authority('the authority of this test')
    const { cert, key } = certificateFor(ours, ['127.0.0.1'])
    const folder = server.folder
    const file = (name: string, text: string): string => {
      writeFileSync(join(folder, name), text, { mode: 0o600 })
      return join(folder, name)
    }
    const caFile = file('ca.pem', ours.cert)
    await own(
      async () => {
        const url = `rediss://127.0.0.1:${port}`
        assert.ok(await passes(counting(url, { caFile }), fresh(1)))
        const { message, cure } = await faultOf(
          counting(url, { patienceMs: 500 }).take([fresh(1)], NOW),
        )
        assert.match(message, /cannot be trusted \([A-Z_]+\)\.$/)
        assert.match(cure, /SALLYPORT_NET_CA/)
      },
      {
        options: (
          `--tls-port ${port} --bind 127.0.0.1 --tls-auth-clients no --tls-ca-cert-file ${caFile} ` +
          `--tls-cert-file ${file('cert.pem', cert)} --tls-key-file ${file('key.pem', key)}`
        ).split(' '),
      },
    )
  })

  test('a cluster: the node that has our keys is found, whichever is named', async () => {
    const [one, two] = await cluster
    const marks = keptMarks()
    const limit = fresh(2)
    for (const { url } of [one, two]) await taken(counting(url, { marks }), limit)
    assert.ok(!(await passes(counting(one.url, { marks }), limit)))
    assert.equal(await counted(two.client(), limit), 2)
  })

  test('what is on its way is finished before the counters are closed', async () => {
    const counters = counting()
    const limit = fresh(9)
    const first = await taken(counters, limit)
    const given = counters.refund(first)
    await counters.close()
    await given
    assert.equal(await counted(client, limit), 0)
  })
})

/** A cluster in which the second node has the keys of the store, and the first one all others. */
async function twoNodes(): Promise<readonly [TestRedis, TestRedis]> {
  const ports = [await freePort(), await freePort()] as const
  const options = '--cluster-enabled yes --cluster-port 0 --cluster-announce-ip 127.0.0.1'.split(
    ' ',
  )
  const [one, two] = await Promise.all([
    startRedis({ port: ports[0], options }),
    startRedis({ port: ports[1], options }),
  ])
  const [first, second] = [one.client(), two.client()]
  const slot = await first.cluster('KEYSLOT', '{a-store}')
  await first.cluster('ADDSLOTSRANGE', 0, slot - 1, slot + 1, 16_383)
  await second.cluster('ADDSLOTSRANGE', slot, slot)
  await first.cluster('MEET', '127.0.0.1', ports[1])
  for (const node of [first, second])
    await until(async () => (await node.cluster('INFO')).includes('state:ok'))
  return [one, two]
}

/** What the guide gives a user of its own. */
const RIGHTS = (
  /^ACL SETUSER gateway on >PASSWORD (.*)$/m.exec(
    readFileSync(new URL('../../docs/gateway.md', import.meta.url), 'utf8'),
  )?.[1] ?? assert.fail('no rights in docs/gateway.md')
).split(' ')
