import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { monotonicMs } from '../../src/core/time.ts'
import { registerAgent, serveTestApi } from '../support/api.ts'
import { PERSON, type TestVault } from '../support/vault.ts'
import { fault, OpenVaults, SQLITE, secret, textOf } from '../support/vault-stores.ts'

const open = new OpenVaults()
const closing: (() => void | Promise<void>)[] = []
after(async () => {
  await open.close(false)
  for (const close of closing.splice(0)) await close()
})

const DEADLINE_MS = 400
/** A busy machine is slow, but not this slow. */
const SLACK_MS = 1_500

/** A TCP server that does with its peers whatever the test wants. */
async function peer(onSocket: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>()
  const server: Server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket))
    onSocket(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closing.push(async () => {
    for (const socket of sockets) socket.destroy()
    server.close()
    await once(server, 'close')
  })
  return (server.address() as AddressInfo).port
}

/** Sends a text one byte at a time. */
function dribbled(socket: Socket, text: string, everyMs: number): void {
  let at = 0
  const timer = setInterval(() => {
    const byte = text[at++]
    if (byte === undefined || socket.destroyed) clearInterval(timer)
    else socket.write(byte)
  }, everyMs)
  socket.on('close', () => clearInterval(timer))
}

const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'
const webhook = (port: number): object => ({
  kind: 'webhook',
  url: `http://127.0.0.1:${port}/in`,
  key: 'k'.repeat(32),
})
const syslog = (port: number, transport: string): object => ({
  kind: 'syslog',
  transport,
  host: '127.0.0.1',
  port,
})

interface Failing {
  /** How the sink is configured. */
  config(): Promise<object>
  /** What the refusal says. */
  readonly says: RegExp
  readonly skip?: string | false
}

const LATE = /did not take a record within 400 ms/

const CASES: Readonly<Record<string, Failing>> = {
  'a webhook that accepts and never answers': {
    config: async () => webhook(await peer((socket) => void socket.resume())),
    says: LATE,
  },
  'a webhook that accepts and never reads': {
    config: async () => webhook(await peer((socket) => void socket.pause())),
    says: LATE,
  },
  'a webhook that answers a byte a second': {
    config: async () => webhook(await peer((socket) => dribbled(socket.resume(), OK, 1_000))),
    says: LATE,
  },
  'a webhook whose body never ends': {
    config: async () =>
      webhook(
        await peer((socket) => {
          socket.resume().write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n')
          dribbled(socket, '1\r\nx\r\n'.repeat(50), 100)
        }),
      ),
    says: LATE,
  },
  'a webhook that closes in the middle of its answer': {
    config: async () => webhook(await peer((socket) => void socket.end(OK.slice(0, 20)))),
    says: /did not take a record: /,
  },
  'S3 that accepts and never answers': {
    config: async () => ({
      kind: 's3',
      endpoint: `http://127.0.0.1:${await peer((socket) => void socket.resume())}`,
      region: 'eu-central-1',
      bucket: 'audit-of-us',
      accessKeyId: 'id',
      secretAccessKey: 'word',
    }),
    says: LATE,
  },
  'syslog over TLS whose handshake never ends': {
    config: async () => syslog(await peer((socket) => void socket.resume()), 'tls'),
    says: LATE,
  },
  'syslog over TCP that nobody listens for': {
    config: async () => syslog(1, 'tcp'),
    says: /did not take a record: ECONNREFUSED/,
  },
  'a file on a full disk': {
    config: async () => ({ kind: 'file', path: '/dev/full' }),
    says: /did not take a record: ENOSPC/,
    skip: existsSync('/dev/full') ? false : 'there is no /dev/full',
  },
  'a file that is a pipe which nobody reads': {
    config: async () => {
      const folder = mkdtempSync(join(tmpdir(), 'sallyport-pipe-'))
      closing.push(() => rmSync(folder, { recursive: true, force: true }))
      const path = join(folder, 'pipe')
      execFileSync('mkfifo', [path])
      return { kind: 'file', path }
    },
    says: /did not take a record/,
    skip: process.platform === 'win32' ? 'there are no such pipes' : false,
  },
  'a file in a folder that is gone': {
    config: async () => ({ kind: 'file', path: '/nonexistent/audit.jsonl' }),
    says: /did not take a record: ENOENT/,
  },
}

async function stored(): Promise<TestVault> {
  const vault = await open.fresh(SQLITE)
  await vault.vault.put(PERSON, 'default', { path: 'a', value: secret('value') })
  return vault
}

/** Sets it, however that ends: what is set is recorded, and the sink does not take the record. */
async function setFailing(vault: TestVault, config: object): Promise<void> {
  const sink = { name: 'siem', mode: 'required', deadlineMs: DEADLINE_MS, ...config }
  await vault.audit.setSinks(PERSON, JSON.stringify({ sinks: [sink] })).catch(() => undefined)
}

async function took<T>(work: Promise<T>): Promise<number> {
  const began = monotonicMs()
  await work
  return monotonicMs() - began
}

// Beside each other: each waits for its own deadlines.
describe('a required sink that fails', { concurrency: 4 }, () => {
  for (const [what, { config, says, skip = false }] of Object.entries(CASES))
    test(`${what}: refused in time, nothing released, and everything can be ended`, {
      skip,
    }, async () => {
      const vault = await stored()
      await setFailing(vault, await config())
      const reads = Array.from({ length: 5 }, () =>
        assert.rejects(vault.vault.get(PERSON, 'default', 'a'), fault('AUDIT_UNAVAILABLE', says)),
      )
      assert.ok((await took(Promise.all(reads))) < DEADLINE_MS + SLACK_MS)
      await assert.rejects(
        vault.vault.put(PERSON, 'default', { path: 'b', value: secret('other') }),
        fault('AUDIT_UNAVAILABLE', says),
      )
      const ended = await took(open.shut(vault))
      assert.ok(ended < 2 * DEADLINE_MS + 2 * SLACK_MS, `${ended} ms`)
      const again = await open.twin(vault)
      await again.audit.setSinks(PERSON, '{"sinks":[]}')
      assert.equal(textOf(await again.vault.get(PERSON, 'default', 'a')), 'value')
      await assert.rejects(again.vault.get(PERSON, 'default', 'b'), fault('SECRET_NOT_FOUND'))
      assert.deepEqual((await again.audit.verify()).findings, [])
    })

  test('over HTTP it is 503 within the deadline, and health is told all the while', async () => {
    const vault = await stored()
    const agent = await registerAgent(vault, [['**', ['read']]])
    const api = await serveTestApi(vault)
    closing.push(() => api.stop())
    const [first] = await vault.vault.listVaults(PERSON)
    const target = `/v1/vaults/${first?.id ?? ''}/secrets/a`
    assert.equal((await api.ask(target, { bearer: agent.key })).status, 200)
    await setFailing(vault, webhook(await peer((socket) => dribbled(socket.resume(), OK, 1_000))))
    const began = monotonicMs()
    const replies = await Promise.all(
      Array.from({ length: 8 }, () => api.ask(target, { bearer: agent.key })),
    )
    assert.ok(monotonicMs() - began < DEADLINE_MS + SLACK_MS)
    for (const { status, body } of replies) {
      assert.equal(status, 503)
      assert.ok(!JSON.stringify(body).includes('value'))
    }
    assert.ok((await took(api.ask('/v1/health'))) < SLACK_MS)
  })
})

describe('syslog over TCP that is closed midway', () => {
  test('is connected anew, and what was lost with it comes again', async () => {
    const vault = await stored()
    let received = ''
    let connections = 0
    const port = await peer((socket) => {
      connections += 1
      const isFirst = connections === 1
      socket.on('data', (chunk) => {
        if (isFirst) socket.destroy()
        else received += chunk.toString()
      })
    })
    await setFailing(vault, syslog(port, 'tcp'))
    const read = (): Promise<boolean> =>
      vault.vault.get(PERSON, 'default', 'a').then(
        () => true,
        () => false,
      )
    for (let i = 0; i < 600 && !(connections >= 2 && (await read())); i++) {
      await read()
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    await vault.ledger.flush()
    const { size } = await vault.audit.verify()
    const isWhole = (): boolean =>
      Array.from({ length: size }, (_, at) => at + 1).every((seq) =>
        received.includes(`"seq":${seq},`),
      )
    for (let i = 0; i < 300 && !isWhole(); i++)
      await new Promise((resolve) => setTimeout(resolve, 10))
    assert.ok(isWhole())
  })

  test('that closes every connection at once releases nothing for long', async () => {
    const vault = await stored()
    const port = await peer((socket) => void socket.destroy())
    await setFailing(vault, syslog(port, 'tcp'))
    let refused = 0
    for (let i = 0; i < 20; i++) {
      await vault.vault.get(PERSON, 'default', 'a').catch((error: unknown) => {
        fault('AUDIT_UNAVAILABLE')(error)
        refused += 1
      })
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    assert.ok(refused > 0, `${refused} of 20`)
  })
})
