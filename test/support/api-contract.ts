import assert from 'node:assert/strict'
import type { ValidateFunction } from 'ajv'
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'

interface ResponseObject {
  readonly headers?: Readonly<Record<string, { readonly required?: boolean }>>
  readonly content?: Readonly<Record<string, unknown>>
}
interface OperationObject {
  readonly operationId: string
  readonly parameters?: readonly { readonly name: string; readonly in: string }[]
  readonly responses: Readonly<Record<string, ResponseObject>>
}
export interface OpenApi {
  readonly openapi: string
  readonly paths: Readonly<Record<string, Readonly<Record<string, OperationObject>>>>
  readonly components: { readonly schemas: Readonly<Record<string, unknown>> }
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: unknown
}

/** Holds answers to the OpenAPI document: known operation, declared status, type and shape of the body. */
export class ApiContract {
  readonly document: OpenApi
  readonly #ajv = new Ajv2020({ strict: false, allErrors: true })
  readonly #templates: readonly {
    readonly path: string
    readonly pattern: RegExp
    readonly holes: number
  }[]
  readonly #validators = new Map<string, ValidateFunction>()

  constructor(document: OpenApi) {
    this.document = document
    addFormats.default(this.#ajv)
    this.#ajv.addSchema({ ...document, $id: 'https://api.test/openapi.json' })
    this.#templates = Object.keys(document.paths)
      .map((path) => ({
        path,
        pattern: new RegExp(
          `^${path
            .replaceAll('.', '\\.')
            .replaceAll('{path}', '.+')
            .replaceAll(/\{\w+\}/g, '[^/]+')}$`,
        ),
        holes: path.split('{').length,
      }))
      .toSorted((a, b) => a.holes - b.holes)
  }

  check(method: string, target: string, answer: Answer): void {
    const path = target.split('?')[0] ?? ''
    const template = this.#templates.find(({ pattern }) => pattern.test(path))?.path
    const declared = template === undefined ? undefined : this.document.paths[template]
    const operation = declared?.[method.toLowerCase()]
    const where = `${method} ${path} -> ${answer.status}`
    if (operation === undefined || template === undefined) {
      assert.ok([400, 404, 405, 413].includes(answer.status), `${where} is not in the document`)
      this.#checkBody(where, ['components', 'schemas', 'ProblemDetails'], answer.body)
      return
    }
    const status = String(answer.status) in operation.responses ? String(answer.status) : 'default'
    if (status === 'default') assert.ok(answer.status >= 400, `${where} is not declared`)
    const { content, headers = {} } = operation.responses[status] ?? {}
    for (const [name, { required }] of Object.entries(headers))
      if (required === true) assert.ok(answer.headers.has(name), `${where} has no ${name}`)
    if (content === undefined) {
      assert.equal(answer.body, null, `${where} has a body`)
      return
    }
    const type = answer.headers.get('content-type') ?? ''
    assert.ok(type in content, `${where} is ${type}`)
    const at = ['paths', template, method.toLowerCase(), 'responses', status, 'content', type]
    this.#checkBody(where, [...at, 'schema'], answer.body)
  }

  #checkBody(where: string, pointer: readonly string[], body: unknown): void {
    const escaped = pointer.map((one) =>
      encodeURIComponent(one.replaceAll('~', '~0').replaceAll('/', '~1')),
    )
    const ref = `https://api.test/openapi.json#/${escaped.join('/')}`
    const known = this.#validators.get(ref)
    const validate = known ?? this.#ajv.compile({ $ref: ref })
    this.#validators.set(ref, validate)
    assert.ok(validate(body), `${where}: ${this.#ajv.errorsText(validate.errors)}`)
  }
}
