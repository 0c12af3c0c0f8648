import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { serveTestApi, type TestApi } from '../support/api.ts'
import { ApiContract } from '../support/api-contract.ts'
import { openTestVault, type TestVault } from '../support/vault.ts'

describe('API: the OpenAPI document', () => {
  let vault: TestVault & { dispose(): Promise<void> }
  let api: TestApi
  before(async () => {
    vault = await openTestVault()
    api = await serveTestApi(vault)
  })
  after(async () => {
    await api.stop()
    await vault.dispose()
  })

  test('is served, and every reference in it leads somewhere', () => {
    const { document } = api
    assert.equal(document.openapi, '3.1.0')
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)]
    assert.ok(references.length > 10)
    for (const [, reference = ''] of references) {
      const name = reference.replace('#/components/schemas/', '')
      assert.ok(name in document.components.schemas, reference)
    }
  })

  test('names each operation once and declares every hole of its path', () => {
    const ids: string[] = []
    for (const [path, methods] of Object.entries(api.document.paths))
      for (const [method, operation] of Object.entries(methods)) {
        ids.push(operation.operationId)
        const holes = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
        const declared = (operation.parameters ?? [])
          .filter((one) => one.in === 'path')
          .map((one) => one.name)
        assert.deepEqual(declared, holes, `${method} ${path}`)
      }
    assert.equal(new Set(ids).size, ids.length)
  })

  test('is what the answers of the other tests are held to', () => {
    const contract = new ApiContract(api.document)
    const headers = new Headers({ 'content-type': 'application/json' })
    const check =
      (body: unknown, status = 200) =>
      () =>
        contract.check('GET', '/v1/vaults', { status, headers, body })
    check({ vaults: [] })()
    assert.throws(check({ vaults: [{ id: 1 }] }), /vaults/)
    assert.throws(check({ vaults: [], more: 1 }), /additional/)
    assert.throws(check({ vaults: [] }, 202), /not declared/)
    assert.throws(check({ vaults: [] }, 403), /is application\/json/)
  })
})
