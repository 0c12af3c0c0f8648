import type * as z from 'zod'
import type { Caller } from '../core/principals.ts'
import type { BrowserSession } from './browser-session.ts'

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

/** What one status means and carries. */
export interface AnswerContract {
  readonly description: string
  /** Left out: no body. */
  readonly schema?: z.ZodType
}

/** What a handler is given: everything was checked against the contract. */
export interface Call<Q = unknown, B = unknown> {
  /** Of operations with authentication `bearer` or `session`. */
  readonly caller: Caller
  /** Segments named in the path, percent-decoded; `path` is a secret's path, parsed. */
  readonly params: Readonly<Record<string, string>>
  readonly query: Q
  readonly body: B
  /** Address of the client after trusted proxies, or null. */
  readonly address: string | null
  readonly scheme: 'http' | 'https'
  /** Scheme and host that the client asked, as far as they are this server's. */
  readonly site: string
  readonly method: Method
  /** Path and query as they were sent. */
  readonly target: string
  /** The bearer as it was sent, or null. */
  readonly bearer: string | null
  /** Of the browser whose session makes the call; null: it is made with a bearer, or by nobody. */
  readonly session: BrowserSession | null
  header(name: string): string | null
}

export interface Answered {
  readonly status: number
  /** Becomes JSON. Left out: no body. */
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

/** One call of the API: the contract, from which routes and the OpenAPI document are made, and what answers it. */
export interface Operation {
  /** `operationId` of the document. */
  readonly id: string
  readonly method: Method
  /** `{name}` is one segment; `{path}` is the path of a secret, with its slashes; it may be followed by one segment. */
  readonly path: string
  readonly tag: string
  readonly summary: string
  /** `bearer`: with one, or in a browser's session. `none`: answered without. `itself`: the handler asks for a bearer. */
  readonly authentication: 'bearer' | 'session' | 'none' | 'itself'
  /** Answers the token that every other call of a browser's session carries. */
  readonly handsOutToken: boolean
  readonly query: z.ZodType | null
  readonly body: z.ZodType | null
  /** The body may also come as a form, as OAuth has it. */
  readonly takesForm: boolean
  readonly answers: Readonly<Record<number, AnswerContract>>
  /** Header fields by which the caller says what must hold. A change refuses those it does not know. */
  readonly conditions: readonly Condition[]
  /** Answers show one thing, and carry the `ETag` of the state in which they show it. */
  readonly isTagged: boolean
  /** Other header fields that it reads, and what they say. */
  readonly headers: Readonly<Record<string, string>>
  /** Members of the answer that are shown once: a replay by `Idempotency-Key` goes without them. */
  readonly withheld: readonly string[]
  handle(call: Call): Promise<Answered>
}

export type Condition = 'If-Match' | 'If-None-Match'

const UNMET = { 412: { description: 'What is there is not what a condition names.' } }

interface Declared<Q extends z.ZodType, B extends z.ZodType>
  extends Pick<Operation, 'id' | 'method' | 'path' | 'tag' | 'summary' | 'answers'> {
  readonly isPublic?: true
  readonly authenticates?: 'itself' | 'session'
  readonly handsOutToken?: true
  readonly takesForm?: true
  readonly conditions?: readonly Condition[]
  readonly tagged?: true
  readonly headers?: Readonly<Record<string, string>>
  readonly withheld?: readonly string[]
  readonly query?: Q
  readonly body?: B
  handle(call: Call<z.output<Q>, z.output<B>>): Promise<Answered>
}

/** Ties the types of a handler to the schemas it was declared with. */
export function operation<Q extends z.ZodType, B extends z.ZodType>(
  declared: Declared<Q, B>,
): Operation {
  const { id, method, path, tag, summary } = declared
  const conditions = declared.conditions ?? []
  return {
    id,
    method,
    path,
    tag,
    summary,
    answers: conditions.length === 0 ? declared.answers : { ...UNMET, ...declared.answers },
    authentication: declared.isPublic === true ? 'none' : (declared.authenticates ?? 'bearer'),
    handsOutToken: declared.handsOutToken === true,
    conditions,
    isTagged: declared.tagged === true,
    headers: declared.headers ?? {},
    withheld: declared.withheld ?? [],
    query: declared.query ?? null,
    body: declared.body ?? null,
    takesForm: declared.takesForm === true,
    // The server parsed both with these schemas.
    handle: (call) => declared.handle(call as Call<z.output<Q>, z.output<B>>),
  }
}
