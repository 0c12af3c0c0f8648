// Requests to the API, made from its own document and then bent. The same seed makes the same requests.
import type { OpenApi } from './api-contract.ts'

export type Random = (below: number) => number

export interface RandomRequest {
  readonly operation: string
  readonly method: string
  readonly target: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

interface Schema {
  readonly [name: string]: unknown
  readonly type?: string
  readonly properties?: Readonly<Record<string, Schema>>
  readonly items?: Schema
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly anyOf?: readonly Schema[]
  readonly $ref?: string
  readonly format?: string
}

interface Declared {
  readonly id: string
  readonly method: string
  readonly path: string
  readonly query: readonly { readonly name: string; readonly schema: Schema }[]
  readonly body: Schema | null
}

/** What would leave nothing to ask: the one who asks frozen or out of everything. */
const LEFT_OUT: ReadonlySet<string> = new Set(['freeze', 'createFreeze', 'setQuota', 'setQuotas'])

const TEXTS = [
  '',
  ' ',
  'a',
  'config/db',
  'default',
  'null',
  'undefined',
  '0',
  '-1',
  '1e309',
  '9007199254740993',
  'true',
  '[]',
  '{}',
  '__proto__',
  'constructor',
  'toString',
  '../../etc/passwd',
  '%00',
  '\u0000',
  '\ud800',
  '\u202e',
  'ﬁ',
  'İ',
  "'; drop table secrets; --",
  '%s%n',
  '${7*7}',
  '<script>',
  '**',
  '*/**/*',
  '[a',
  'env-vars/KEY',
  '2026-11-21T10:00:00Z',
  '2026-11-21T10:00:00',
  '0000-00-00T00:00:00Z',
  '9999-12-31T23:59:59.999999999Z',
  '+275760-09-13T00:00:00.001Z',
  '00000000-0000-4000-8000-000000000000',
  '10.0.0.0/8',
  '::/0',
  'https://example.org/x',
  'file:///etc/passwd',
  'user@example.org',
  'agent:local',
  'x'.repeat(5000),
]
const NUMBERS = [0, -0, 1, -1, 0.5, 1e21, -1e21, 2 ** 31, 2 ** 53, -(2 ** 63), 1e308, 429_496_729_6]
const SEGMENTS = [...TEXTS, '.', '..', '%2e%2e', '%2F', '%252F', '%', '%zz', '%c3', '%C3%A9', '\\']
const HEADERS: Readonly<Record<string, readonly string[]>> = {
  'if-match': ['"1"', '"0"', '*', 'W/"1"', '"99999999999"', '1', '"1", "2"', '', '"-1"'],
  'if-none-match': ['*', '"1"', '', '* '],
  'idempotency-key': [
    'one',
    'two',
    '',
    ' ',
    'k'.repeat(256),
    'k'.repeat(255),
    'é',
    'a b',
    '\u0000',
  ],
  'content-type': [
    'application/json',
    'application/json; charset=utf-16',
    'application/x-www-form-urlencoded',
    'application/problem+json',
    'text/plain',
    'multipart/form-data; boundary=a',
    '',
    'application/jsonx',
  ],
  prefer: ['respond-async', 'respond-async, wait=1', 'wait=100', ',,,', ';'],
  'x-request-id': ['short', 'abcdefgh', 'x'.repeat(65), 'a\nb', ''],
  dpop: ['a.b.c', '', 'eyJhbGciOiJub25lIn0.e30.'],
  'x-share-passphrase': ['x', '', 'é', 'p'.repeat(5000)],
  'x-vault-id': ['default', ''],
  host: ['localhost', '', 'a b', 'evil.test:99999', '[::1', 'x'.repeat(300)],
  accept: ['text/html', '*/*', ''],
  'user-agent': ['', 'x'.repeat(5000), '\u0007'],
  authorization: ['', 'Bearer', 'Bearer ', 'Basic eDp5', 'DPoP x', 'Bearer a.b.c', 'bearer ocv_x'],
}

export class RandomRequests {
  readonly #random: Random
  readonly #declared: readonly Declared[]
  readonly #schemas: Readonly<Record<string, Schema>>
  /** Ids and paths that answers told of, so that requests find something. */
  readonly #known: string[] = []

  constructor(document: OpenApi, random: Random) {
    this.#random = random
    this.#schemas = document.components.schemas as Readonly<Record<string, Schema>>
    this.#declared = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => declaredOf(path, method, operation)),
    )
  }

  /** @param bearers any of which asks */
  next(bearers: readonly string[]): RandomRequest {
    const declared = this.#declaredOne()
    const bearer = this.#one(bearers)
    const headers: Record<string, string> = { authorization: `Bearer ${bearer}` }
    if (declared.body !== null) headers['content-type'] = 'application/json'
    for (const [name, values] of Object.entries(HEADERS))
      if (this.#random(12) === 0) headers[name] = this.#one(values)
    return {
      operation: declared.id,
      method: this.#random(30) === 0 ? this.#one(METHODS) : declared.method,
      target: this.#target(declared),
      headers,
      body: declared.body === null && this.#random(10) > 0 ? NO_BYTES : this.#body(declared.body),
    }
  }

  /** Remembers what of an answer later requests may name. */
  learn(value: unknown): void {
    if (typeof value !== 'object' || value === null) return
    for (const [name, inner] of Object.entries(value)) {
      if (typeof inner === 'object') this.learn(inner)
      const isNamed = /(?:^|_)(?:id|path|key|slug|name|cursor|hash|token)$/.test(name)
      if (isNamed && typeof inner === 'string' && inner.length < 500) this.#known.push(inner)
    }
    if (this.#known.length > 400) this.#known.splice(0, 200)
  }

  #declaredOne(): Declared {
    for (;;) {
      const declared = this.#one(this.#declared)
      if (!LEFT_OUT.has(declared.id)) return declared
    }
  }

  #target({ path, query }: Declared): string {
    const filled = path.replaceAll(/\{(\w+)\}/g, (_hole, name: string) => this.#hole(name))
    const bent = this.#random(25) === 0 ? this.#bent(filled) : filled
    const fields = query.flatMap(({ name, schema }) =>
      this.#random(3) === 0 ? [[name, this.#asText(this.#value(schema, 0))] as const] : [],
    )
    if (this.#random(20) === 0) fields.push([this.#one(TEXTS), this.#one(TEXTS)])
    if (this.#random(20) === 0 && fields[0] !== undefined) fields.push(fields[0])
    if (fields.length === 0) return bent
    return `${bent}?${fields.map(([name, value]) => `${escaped(name)}=${escaped(value)}`).join('&')}`
  }

  #hole(name: string): string {
    if (name === 'vault' && this.#random(4) > 0) return 'default'
    if (name === 'path') {
      if (this.#random(3) > 0) return this.#one(['config/db', 'a/b', 'new/one', 'env-vars/KEY/x'])
      return Array.from({ length: 1 + this.#random(4) }, () => this.#segment()).join('/')
    }
    return this.#segment()
  }

  #segment(): string {
    if (this.#known.length > 0 && this.#random(2) === 0) return escaped(this.#one(this.#known))
    const text = this.#one(SEGMENTS)
    return this.#random(2) === 0 ? escaped(text) : text.replaceAll(/[?#\s]/g, '_')
  }

  #body(schema: Schema | null): Uint8Array {
    const kind = this.#random(12)
    if (kind === 0) return NO_BYTES
    if (kind === 1) return Buffer.from(this.#one(RAW), 'latin1')
    const value = schema === null ? this.#anything(0) : this.#value(schema, 0)
    const text = JSON.stringify(value) ?? ''
    return Buffer.from(kind === 2 ? this.#bent(text) : text, 'utf8')
  }

  #value(schema: Schema, depth: number): unknown {
    if (this.#random(14) === 0 || depth > 8) return this.#anything(depth)
    const { $ref, anyOf } = schema
    if ($ref !== undefined)
      return this.#value(this.#schemas[$ref.split('/').at(-1) ?? ''] ?? {}, depth + 1)
    if (anyOf !== undefined) return this.#value(this.#one(anyOf), depth + 1)
    if (schema.const !== undefined) return schema.const
    if (schema.enum !== undefined) return this.#one(schema.enum)
    return this.#typed(schema, depth)
  }

  #typed({ type, properties = {}, items, format }: Schema, depth: number): unknown {
    if (type === 'object') {
      const entries = Object.entries(properties).flatMap(([name, inner]) =>
        this.#random(5) === 0 ? [] : [[name, this.#value(inner, depth + 1)] as const],
      )
      if (this.#random(10) === 0) entries.push([this.#one(TEXTS), this.#anything(depth + 1)])
      return Object.fromEntries(entries)
    }
    if (type === 'array')
      return Array.from({ length: this.#random(4) }, () => this.#value(items ?? {}, depth + 1))
    if (type === 'integer') return this.#random(2) === 0 ? this.#random(50) : this.#one(NUMBERS)
    if (type === 'number') return this.#one(NUMBERS)
    if (type === 'boolean') return this.#random(2) === 0
    if (type === 'null') return null
    if (format === 'date-time' && this.#random(2) === 0) return '2026-12-01T00:00:00Z'
    if (this.#known.length > 0 && this.#random(3) === 0) return this.#one(this.#known)
    return this.#one(TEXTS)
  }

  #anything(depth: number): unknown {
    const kind = this.#random(depth > 20 ? 5 : 7)
    if (kind === 0) return null
    if (kind === 1) return this.#one(NUMBERS)
    if (kind === 2) return this.#random(2) === 0
    if (kind < 5) return this.#one(TEXTS)
    if (kind === 5) return Array.from({ length: this.#random(3) }, () => this.#anything(depth + 1))
    return { [this.#one(TEXTS)]: this.#anything(depth + 1) }
  }

  /** With something cut out, doubled or put in. */
  #bent(text: string): string {
    const at = this.#random(text.length + 1)
    const kind = this.#random(3)
    if (kind === 0) return text.slice(0, at)
    if (kind === 1) return text.slice(0, at) + text.slice(this.#random(text.length + 1))
    return text.slice(0, at) + this.#one(TEXTS) + text.slice(at)
  }

  #asText(value: unknown): string {
    return typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
  }

  #one<T>(list: readonly T[]): T {
    return list[this.#random(list.length)] as T
  }
}

const NO_BYTES = new Uint8Array()
const METHODS = [
  'GET',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'HEAD',
  'OPTIONS',
  'TRACE',
  'get',
  '',
  'X',
]
const RAW = [
  '{',
  'null',
  '0',
  '"',
  '[]',
  '{"a":1}{"a":2}',
  '\xff\xfe{\x00}\x00',
  '\xef\xbb\xbf{}',
  '\x00',
  '\xc3\x28',
  '['.repeat(20_000),
  '{"a":'.repeat(5_000),
  '{"value":"a","value":"b"}',
  '{"__proto__":{"value":"x"}}',
  'value=x&value=y',
  ' '.repeat(10_000),
]

function escaped(text: string): string {
  return encodeURIComponent(text.toWellFormed())
}

function declaredOf(path: string, method: string, operation: object): Declared {
  const { operationId, parameters, requestBody } = operation as {
    operationId: string
    parameters?: readonly { in: string; name: string; schema: Schema }[]
    requestBody?: { content: Readonly<Record<string, { schema: Schema }>> }
  }
  return {
    id: operationId,
    method: method.toUpperCase(),
    path,
    query: (parameters ?? []).filter((one) => one.in === 'query'),
    body: requestBody?.content['application/json']?.schema ?? null,
  }
}
