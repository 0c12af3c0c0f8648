import { afterEach } from 'node:test'
import type { OpenApiOptions } from '../../src/app/open-api.ts'
import { serveTestApi, type TestApi } from './api.ts'
import type { TestVault } from './vault.ts'
import { OpenVaults, type VaultStore } from './vault-stores.ts'

export interface ServedStores {
  readonly open: OpenVaults
  /** A new vault and its API. */
  fresh(rest?: Partial<OpenApiOptions>): Promise<{ vault: TestVault; api: TestApi }>
  /** The API of a vault that is open. */
  serve(vault: TestVault, rest?: Partial<OpenApiOptions>): Promise<TestApi>
}

/** Vaults with their APIs, for the tests of one `describe`: after each all stop, and every store must verify clean. */
export function servedStores(store: VaultStore): ServedStores {
  const open = new OpenVaults()
  const serving: TestApi[] = []
  afterEach(async () => {
    await Promise.all(serving.splice(0).map((api) => api.stop()))
    await open.close(true)
  })
  const serve = async (vault: TestVault, rest: Partial<OpenApiOptions> = {}): Promise<TestApi> => {
    const api = await serveTestApi(vault, rest)
    serving.push(api)
    return api
  }
  return {
    open,
    serve,
    async fresh(rest = {}) {
      const vault = await open.fresh(store, rest.clock)
      return { vault, api: await serve(vault, rest) }
    },
  }
}
