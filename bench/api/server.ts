// A process that serves the API of a vault in a folder, or the same API over values in memory.
import { createServer } from 'node:http'
import { serveApi } from '../../src/api/index.ts'
import { arrivalOf } from '../../src/app/arrival.ts'
import { callInspection } from '../../src/app/call-inspection.ts'
import { openApi } from '../../src/app/open-api.ts'
import { silentLog } from '../../src/core/log.ts'
import { SecretText } from '../../src/core/secret-text.ts'
import type { ListedSecret, VaultPort } from '../../src/core/vault-port.ts'
import { openTestVault, PERSON, type TestVault } from '../../test/support/vault.ts'
import { CALLERS, pathOf } from '../vault/place.ts'

/** What the process is started with, as JSON. */
export interface ApiSetup {
  readonly what: 'audited' | 'bare'
  /** Folder of the vault. */
  readonly home: string
}

/** What it answers once it listens. */
export interface ApiReady {
  readonly port: number
  readonly vaultId: string
  readonly bearer: string
}

const VALUE = 'k'.repeat(32)
const setup = JSON.parse(process.argv[2] ?? '{}') as ApiSetup

/** What every read would answer, without a lock, a look or a record. */
function inMemory(vault: VaultPort, secrets: readonly ListedSecret[]): VaultPort {
  const byPath = new Map(secrets.map((one) => [one.path, one]))
  const fixed: Pick<VaultPort, 'get'> = {
    async get(_caller, _vault, path) {
      const info = byPath.get(path)
      if (info === undefined) throw new Error(`no ${path}`)
      return { info, value: SecretText.fromText(VALUE) }
    },
  }
  return Object.assign(Object.create(vault) as VaultPort, fixed)
}

async function setUp(stack: TestVault): Promise<ApiReady & { secrets: readonly ListedSecret[] }> {
  for (let caller = 0; caller < CALLERS; caller++)
    await stack.vault.put(PERSON, 'default', {
      path: pathOf(caller),
      value: SecretText.fromText(VALUE),
    })
  const { agent, key } = await stack.identity.agents.create(PERSON, { name: 'bench' })
  await stack.policies.create(PERSON, 'default', {
    pattern: 'bench/**',
    permissions: ['list', 'read'],
    principalType: 'agent',
    principalId: agent.id,
  })
  const origin = { address: '127.0.0.1', channel: 'http' } as const
  const { token } = await stack.identity.authentication.exchange(key.reveal(), null, origin)
  const { secrets } = await stack.vault.list(PERSON, 'default')
  return { port: 0, vaultId: secrets[0]?.vaultId ?? '', bearer: token.reveal(), secrets }
}

const stack = await openTestVault({ home: setup.home })
const { secrets, ...ready } = await setUp(stack)
const served =
  setup.what === 'audited'
    ? stack
    : Object.assign(Object.create(stack) as TestVault, { vault: inMemory(stack.vault, secrets) })
const api = openApi(served, {
  log: silentLog,
  inspection: callInspection(stack.settings, async () => null, silentLog),
})
const server = createServer((incoming, outgoing) => {
  void serveApi(api, incoming, outgoing, arrivalOf(incoming, []))
})
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  process.send?.({ ...ready, port } satisfies ApiReady)
})

process.on('message', (message: 'cpu' | 'close') => {
  if (message === 'cpu') {
    const { user, system } = process.cpuUsage()
    process.send?.(user + system)
    return
  }
  server.closeAllConnections()
  server.close()
  void stack.close().then(() => process.disconnect())
})
