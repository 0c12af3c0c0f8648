import * as z from 'zod'
import { cookieName } from '../pages/index.ts'
import { AWAITING } from './awaiting.ts'
import { CSRF_HEADER } from './browser-session.ts'
import { problemSchema } from './contract/schemas.ts'
import type { AnswerContract, Operation } from './operation.ts'

type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json }
export type JsonObject = { readonly [name: string]: Json }

/**
 * The OpenAPI 3.1 document of the operations.
 *
 * @param version of this program
 */
export function openApiDocument(operations: readonly Operation[], version: string): JsonObject {
  const named = new Map<string, JsonObject>()
  const problem = jsonSchema(problemSchema, 'output', named)
  const paths: Record<string, Record<string, Json>> = {}
  for (const operation of operations) {
    const methods = paths[operation.path] ?? {}
    paths[operation.path] = methods
    methods[operation.method.toLowerCase()] = operationObject(operation, named, problem)
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Sallyport',
      version,
      summary: 'A vault for people and agents.',
      description:
        'Paths of secrets stand in targets as they are, each segment percent-encoded or not; an encoded slash is refused. ' +
        'Errors are problem details (RFC 9457) with a stable code.',
    },
    servers: [{ url: '/' }],
    security: [...WITH_TOKEN, IN_SESSION],
    paths,
    components: {
      schemas: Object.fromEntries([...named].toSorted(([a], [b]) => (a < b ? -1 : 1))),
      securitySchemes: {
        bearer: {
          type: 'http',
          scheme: 'bearer',
          description: "An agent's token or key, or a person's key.",
        },
        dpop: {
          type: 'http',
          scheme: 'dpop',
          description:
            'A token that is bound to a key, beside a proof in the field DPoP (RFC 9449).',
        },
        cookieAuth: {
          type: 'apiKey',
          in: 'cookie',
          name: cookieName('session', true),
          description: `The session of a browser in which a person signed in; over plain HTTP, on the machine of the server alone, its name is ${cookieName('session', false)}. It counts from the server's own origin, and not beside a bearer.`,
        },
        csrfToken: {
          type: 'apiKey',
          in: 'header',
          name: CSRF_HEADER,
          description: 'csrf_token of GET /v1/auth/session.',
        },
      },
    },
  }
}

function operationObject(
  operation: Operation,
  named: Map<string, JsonObject>,
  problem: JsonObject,
): JsonObject {
  const parameters = [
    ...pathParameters(operation),
    ...(operation.query === null
      ? []
      : queryParameters(jsonSchema(operation.query, 'input', named))),
    ...headerParameters(operation),
  ]
  return {
    operationId: operation.id,
    tags: [operation.tag],
    summary: operation.summary,
    ...securityOf(operation),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(operation.body === null
      ? {}
      : {
          requestBody: {
            required: !operation.body.safeParse({}).success,
            content: Object.fromEntries(
              bodyTypes(operation).map((type) => [
                type,
                { schema: jsonSchema(operation.body ?? z.never(), 'input', named) },
              ]),
            ),
          },
        }),
    responses: {
      ...Object.fromEntries(
        Object.entries(operation.answers).map(([status, answer]) => [
          status,
          {
            ...responseObject(Number(status), answerOf(operation, answer), named, problem),
            ...(operation.isTagged && Number(status) < 202 ? { headers: ETAG } : {}),
          },
        ]),
      ),
      default: problemResponse('Refused.', problem),
    },
  }
}

const ETAG: JsonObject = {
  ETag: {
    description: 'Names the state that is shown, for If-Match.',
    required: true,
    schema: { type: 'string', pattern: '^"[!#-~]+"$' },
  },
}

const WITH_TOKEN: readonly JsonObject[] = [{ bearer: [] }, { dpop: [] }]
const IN_SESSION: JsonObject = { cookieAuth: [], csrfToken: [] }

/** Where it is another one than that of the document. */
function securityOf({ authentication, handsOutToken }: Operation): JsonObject {
  switch (authentication) {
    case 'bearer':
      return {}
    case 'none':
      return { security: [] }
    case 'itself':
      return { security: WITH_TOKEN }
    case 'session':
      return { security: [handsOutToken ? { cookieAuth: [] } : IN_SESSION] }
  }
}

function headerParameters(operation: Operation): readonly JsonObject[] {
  const { method, authentication, conditions, headers, answers } = operation
  const field = (name: string, description: string, schema: JsonObject): JsonObject => ({
    name,
    in: 'header',
    description,
    schema,
  })
  const isKeyed = method !== 'GET' && authentication === 'bearer'
  return [
    ...conditions.map((name) =>
      name === 'If-Match'
        ? field(
            name,
            'ETag of the state that must be current. Of a secret it is one; elsewhere there may be several, or * for any.',
            { type: 'string', pattern: '^(?:\\*|"[!#-~]+"(?:[ \\t]*,[ \\t]*"[!#-~]+")*)$' },
          )
        : field(name, 'Only where nothing is yet.', { const: '*' }),
    ),
    ...Object.entries(headers).map(([name, text]) => field(name, text, { type: 'string' })),
    ...(Object.values(answers).includes(AWAITING)
      ? [
          field('Prefer', 'respond-async: 202 instead of 403 while a person decides.', {
            type: 'string',
          }),
        ]
      : []),
    ...(isKeyed
      ? [
          field('Idempotency-Key', 'The same request with the same key is done once in 24 hours.', {
            type: 'string',
            pattern: '^[!-~]{1,255}$',
          }),
        ]
      : []),
  ]
}

function bodyTypes({ takesForm }: Operation): readonly string[] {
  return ['application/json', ...(takesForm ? ['application/x-www-form-urlencoded'] : [])]
}

/** A replay leaves out what is shown once, and says so. */
function answerOf({ withheld }: Operation, answer: AnswerContract): AnswerContract {
  const { schema } = answer
  if (withheld.length === 0 || !(schema instanceof z.ZodObject)) return answer
  const rest = z.object({
    ...Object.fromEntries(
      Object.entries(schema.shape).filter(([name]) => !withheld.includes(name)),
    ),
    replayed_without: z
      .array(z.enum(withheld))
      .describe('What is shown once, with the first answer.'),
  })
  return { ...answer, schema: z.union([schema, rest]) }
}

function responseObject(
  status: number,
  { description, schema }: AnswerContract,
  named: Map<string, JsonObject>,
  problem: JsonObject,
): JsonObject {
  if (status >= 400 && schema === undefined) return problemResponse(description, problem)
  if (schema === undefined) return { description }
  return {
    description,
    content: { 'application/json': { schema: jsonSchema(schema, 'output', named) } },
  }
}

function problemResponse(description: string, problem: JsonObject): JsonObject {
  return { description, content: { 'application/problem+json': { schema: problem } } }
}

function pathParameters({ path }: Operation): readonly JsonObject[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => ({
    name,
    in: 'path',
    required: true,
    ...(name === 'path'
      ? { description: 'Path of a secret; its slashes stand as they are.' }
      : name === 'vault'
        ? { description: 'Id or name of a vault.' }
        : {}),
    schema: { type: 'string' },
  }))
}

function queryParameters(schema: JsonObject): readonly JsonObject[] {
  const required = Array.isArray(schema['required']) ? (schema['required'] as unknown[]) : []
  return Object.entries((schema['properties'] ?? {}) as JsonObject).map(([name, one]) => {
    const { description, ...rest } = one as JsonObject
    return {
      name,
      in: 'query',
      ...(required.includes(name) ? { required: true } : {}),
      ...(description === undefined ? {} : { description }),
      schema: rest,
    }
  })
}

/** A schema as the document writes it: what has an id stands among the components. */
function jsonSchema(
  schema: z.ZodType,
  io: 'input' | 'output',
  named: Map<string, JsonObject>,
): JsonObject {
  // A schema that is not the root of what is asked for becomes a definition when it has an id.
  const made = z.toJSONSchema(z.object({ root: schema }), {
    io,
    target: 'draft-2020-12',
    unrepresentable: 'any',
  }) as unknown as JsonObject
  const definitions = (made['$defs'] ?? {}) as JsonObject
  for (const [name, definition] of Object.entries(definitions)) {
    const { id: _id, ...rest } = definition as JsonObject
    named.set(name, relocated(rest) as JsonObject)
  }
  return relocated((made['properties'] as JsonObject)['root'] ?? {}) as JsonObject
}

function relocated(value: Json): Json {
  if (Array.isArray(value)) return value.map((one) => relocated(one as Json))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value as JsonObject).map(([name, one]) => [
      name,
      name === '$ref' && typeof one === 'string'
        ? one.replace('#/$defs/', '#/components/schemas/')
        : relocated(one),
    ]),
  )
}
