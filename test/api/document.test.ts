import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { serveTestApi, type TestApi } from '../support/api.ts'
import { ApiContract } from '../support/api-contract.ts'
import { openTestVault, type TestVault } from '../support/vault.ts'

const SCHEMA = { type: ['object', 'boolean'] }
const CONTENT = {
  type: 'object',
  minProperties: 1,
  propertyNames: { pattern: '^[a-z]+/[a-z0-9.+-]+$' },
  additionalProperties: {
    type: 'object',
    properties: { schema: SCHEMA },
    required: ['schema'],
    additionalProperties: false,
  },
}
const PARAMETER = {
  type: 'object',
  properties: {
    name: { type: 'string', minLength: 1 },
    in: { enum: ['path', 'query', 'header', 'cookie'] },
    description: { type: 'string' },
    required: { type: 'boolean' },
    schema: SCHEMA,
  },
  required: ['name', 'in', 'schema'],
  anyOf: [
    { properties: { in: { not: { const: 'path' } } } },
    { properties: { required: { const: true } }, required: ['required'] },
  ],
  additionalProperties: false,
}
const HEADER = {
  type: 'object',
  properties: {
    description: { type: 'string', minLength: 1 },
    required: { type: 'boolean' },
    schema: SCHEMA,
  },
  required: ['schema'],
  additionalProperties: false,
}
const OPERATION = {
  type: 'object',
  properties: {
    operationId: { type: 'string', pattern: '^[a-z][A-Za-z]+$' },
    tags: { type: 'array', items: { type: 'string' }, minItems: 1 },
    summary: { type: 'string', minLength: 1 },
    security: { type: 'array', items: { type: 'object' } },
    parameters: { type: 'array', items: PARAMETER },
    requestBody: {
      type: 'object',
      properties: { required: { type: 'boolean' }, content: CONTENT },
      required: ['content'],
      additionalProperties: false,
    },
    responses: {
      type: 'object',
      minProperties: 1,
      propertyNames: { pattern: '^(?:[1-5][0-9]{2}|default)$' },
      additionalProperties: {
        type: 'object',
        properties: {
          description: { type: 'string', minLength: 1 },
          headers: { type: 'object', additionalProperties: HEADER },
          content: CONTENT,
        },
        required: ['description'],
        additionalProperties: false,
      },
    },
  },
  required: ['operationId', 'tags', 'summary', 'responses'],
  additionalProperties: false,
}
/** What of the specification's own schema this document can be held to. @see https://spec.openapis.org/oas/v3.1.0 */
const OPENAPI_31 = {
  type: 'object',
  properties: {
    openapi: { type: 'string', pattern: '^3\\.1\\.\\d+$' },
    info: {
      type: 'object',
      properties: {
        title: { type: 'string' },
        version: { type: 'string' },
        summary: { type: 'string' },
        description: { type: 'string' },
      },
      required: ['title', 'version'],
      additionalProperties: false,
    },
    servers: { type: 'array', items: { type: 'object', required: ['url'] } },
    security: { type: 'array' },
    paths: {
      type: 'object',
      propertyNames: { pattern: '^/' },
      additionalProperties: {
        type: 'object',
        propertyNames: { enum: ['get', 'put', 'post', 'delete', 'patch'] },
        additionalProperties: OPERATION,
      },
    },
    components: {
      type: 'object',
      properties: {
        schemas: {
          type: 'object',
          propertyNames: { pattern: '^[a-zA-Z0-9._-]+$' },
          additionalProperties: SCHEMA,
        },
        securitySchemes: { type: 'object' },
      },
      additionalProperties: false,
    },
  },
  required: ['openapi', 'info', 'paths'],
  additionalProperties: false,
}

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

  test('names the header fields that a call reads', () => {
    const fields = (path: string, method: string): readonly string[] =>
      (api.document.paths[path]?.[method]?.parameters ?? [])
        .filter((one) => one.in === 'header')
        .map((one) => one.name)
    const rows: readonly [path: string, method: string, fields: readonly string[]][] = [
      ['/v1/vaults/{vault}/secrets/{path}', 'get', ['Prefer']],
      [
        '/v1/vaults/{vault}/secrets/{path}',
        'put',
        ['If-Match', 'If-None-Match', 'Prefer', 'Idempotency-Key'],
      ],
      ['/v1/vaults/{vault}/secrets/{path}', 'delete', ['If-Match', 'Prefer', 'Idempotency-Key']],
      ['/v1/vaults/{vault}/policies', 'post', ['Prefer', 'Idempotency-Key']],
      ['/v1/share/{id}', 'get', ['X-Share-Passphrase']],
      ['/v1/share/{id}/open', 'post', []],
      ['/v1/auth/agent-token', 'post', []],
    ]
    for (const [path, method, expected] of rows)
      assert.deepEqual(fields(path, method), expected, `${method} ${path}`)
  })

  test('says of every change that answers a key, a link or a value that a replay goes without it', () => {
    const secrets = /"(?:value|api_key|access_token|refresh_token|token|secret|share_url)":\{/
    const silent: string[] = []
    for (const [path, methods] of Object.entries(api.document.paths))
      for (const [method, { operationId, responses }] of Object.entries(methods)) {
        if (method === 'get' || path.startsWith('/v1/auth/')) continue
        const text = JSON.stringify(responses).replaceAll(
          /\{"\$ref":"#\/components\/schemas\/(\w+)"\}/g,
          (_, name: string) => JSON.stringify(api.document.components.schemas[name]),
        )
        if (secrets.test(text) && !text.includes('replayed_without')) silent.push(operationId)
      }
    assert.deepEqual(silent.toSorted(), [
      // The headers of a server hold references.
      'addGatewayServer',
      // What an approval shows are names.
      'approveApproval',
      'cancelApproval',
      'cancelPendingApproval',
      // The value of a variable is answered where one is asked for, never where it is set.
      'createEnvVar',
      'createOrgEnvVar',
      'decideApproval',
      'decidePendingApproval',
      'denyApproval',
      'executePendingApproval',
      'linkOrgEnvVar',
      'replaceEnvVar',
      'requestApproval',
      'submitPendingApproval',
      'updateEnvVar',
      'updateOrgEnvVar',
    ])
  })

  test('is one by the rules of OpenAPI 3.1', () => {
    const ajv = new Ajv2020({ allErrors: true, strict: false })
    const isDocument = ajv.compile(OPENAPI_31)
    assert.ok(isDocument(api.document), ajv.errorsText(isDocument.errors))
    // Two templates that differ in the names of their holes alone are one path.
    const shapes = Object.keys(api.document.paths).map((path) => path.replaceAll(/\{\w+\}/g, '{}'))
    assert.deepEqual(
      shapes.filter((shape, at) => shapes.indexOf(shape) !== at),
      [],
    )
    for (const [path, methods] of Object.entries(api.document.paths))
      for (const [method, { parameters = [], responses }] of Object.entries(methods)) {
        const names = parameters.map((one) => `${one.in} ${one.name}`)
        assert.equal(new Set(names).size, names.length, `${method} ${path}`)
        for (const [status, { content }] of Object.entries(responses))
          if (status === '204') assert.equal(content, undefined, `${method} ${path} ${status}`)
      }
  })

  test('has schemas that are schemas, and none that nothing refers to', () => {
    const text = JSON.stringify(api.document)
    const ajv = new Ajv2020({ strict: true, allowUnionTypes: true, strictTypes: false })
    addFormats.default(ajv)
    const schemas = JSON.stringify(api.document.components.schemas).replaceAll(
      '#/components/schemas/',
      'https://api.test/#/$defs/',
    )
    ajv.addSchema({ $id: 'https://api.test/', $defs: JSON.parse(schemas) as object })
    for (const name of Object.keys(api.document.components.schemas)) {
      assert.doesNotThrow(() => ajv.compile({ $ref: `https://api.test/#/$defs/${name}` }), name)
      assert.ok(text.includes(`"#/components/schemas/${name}"`), `nothing refers to ${name}`)
    }
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
