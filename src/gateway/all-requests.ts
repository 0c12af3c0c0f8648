import { Fault } from '../core/faults.ts'
import {
  errorAnswer,
  LOG_LEVELS,
  META,
  memberOf,
  type Request,
  RPC_ERRORS,
  refusalAnswer,
  resultAnswer,
  withMembers,
} from '../mcp/wire/index.ts'
import { type AllKind, KINDS } from './all-lists.ts'
import type { AllServers, Asking, PassedOver } from './all-servers.ts'
import type { AllIntroduction } from './all-words.ts'
import { LEGACY, MODERN } from './modern-problem.ts'
import { isObject, readToolCall, shownName } from './tool-call.ts'

/** A request at the endpoint of all servers. */
export interface AllRequest extends Asking {
  readonly all: AllServers
  readonly isModern: boolean
  /** Servers that the caller may reach in more ways than one, and so in none here. */
  readonly passedOver: readonly PassedOver[]
  /** Resources of which clients with sessions want to be told. */
  readonly listened: Set<string>
  /** How we call ourselves. */
  readonly version: string
}

/** What lists say of how long they may be kept, in milliseconds: policies change. */
const TTL_MS = 1_000
const NOT_THERE = -32002

const INSTRUCTIONS =
  'Several servers stand behind this one. Their tools and prompts are called by SERVER.NAME, their resources by mcp://SERVER/URI; which of them answers is said by SERVER.'
const CAPABILITIES = {
  tools: { listChanged: true },
  prompts: { listChanged: true },
  resources: { listChanged: true, subscribe: true },
  completions: {},
  logging: {},
}

const LISTS: ReadonlyMap<string, AllKind> = new Map(
  (Object.keys(KINDS) as AllKind[]).map((kind) => [KINDS[kind].method, kind]),
)

/**
 * Answers one request.
 *
 * @throws {Fault} when a server that it is for is not there
 */
export async function answerAll(one: AllRequest): Promise<string> {
  const { request, isModern } = one
  const { idText, method } = request
  const kind = LISTS.get(method)
  if (kind !== undefined) return listed(kind, one)
  switch (method) {
    case 'initialize':
      if (!isModern) return resultAnswer(idText, greeting(one))
      break
    case 'ping':
      if (!isModern) return resultAnswer(idText, {})
      break
    case 'server/discover':
      return resultAnswer(idText, discovered(one))
    case 'tools/call':
      return called(one)
    case 'prompts/get':
      return prompted(one)
    case 'resources/read':
      return addressed(one, request.params?.value, 'uri')
    case 'completion/complete':
      return completed(one)
    case 'resources/subscribe':
    case 'resources/unsubscribe':
      if (!isModern) return subscribed(one)
      break
    case 'logging/setLevel':
      if (!isModern) return levelSet(one)
      break
    default:
  }
  return errorAnswer(idText, RPC_ERRORS.method, 'Method not found')
}

/** What a client with sessions says of itself when it begins one. */
export function introducedBy({ params }: Request): AllIntroduction {
  const declared = memberIn(params?.value, 'capabilities')
  const info = memberIn(params?.value, 'clientInfo')
  const kinds = ['sampling', 'elicitation', 'roots'].filter((kind) =>
    isObject(memberIn(declared, kind)),
  )
  return {
    capabilities: Object.fromEntries(kinds.map((kind) => [kind, memberIn(declared, kind)])),
    clientInfo: isObject(info) ? info : null,
    version: agreedOn(params?.value),
  }
}

function agreedOn(params: unknown): string {
  const wanted = memberIn(params, 'protocolVersion')
  return typeof wanted === 'string' && LEGACY.has(wanted) ? wanted : '2025-11-25'
}

function greeting({ request, version }: AllRequest): object {
  return {
    protocolVersion: agreedOn(request.params?.value),
    capabilities: CAPABILITIES,
    serverInfo: { name: 'sallyport', title: 'Sallyport', version },
    instructions: INSTRUCTIONS,
  }
}

function discovered({ version }: AllRequest): object {
  return {
    resultType: 'complete',
    supportedVersions: [MODERN],
    capabilities: CAPABILITIES,
    instructions: INSTRUCTIONS,
    ttlMs: TTL_MS,
    cacheScope: 'private',
    _meta: { [META.server]: { name: 'sallyport', version } },
  }
}

async function listed(kind: AllKind, { request, all, caller, isModern, ...one }: AllRequest) {
  const { items, passedOver } = await all.list(kind, caller)
  const missing = [...one.passedOver, ...passedOver]
  const { member } = KINDS[kind]
  const answer = resultAnswer(request.idText, {
    ...(isModern && { resultType: 'complete', ttlMs: TTL_MS, cacheScope: 'private' }),
    [member]: [],
    ...(missing.length > 0 && { _meta: { 'sallyport/passed-over': missing } }),
  })
  const result = memberOf(answer, 'result') ?? '{}'
  const texts = items.map(({ text }) => text)
  return withMembers(answer, { result: withMembers(result, { [member]: `[${texts.join(',')}]` }) })
}

async function called(one: AllRequest): Promise<string> {
  const { request, all } = one
  const read = readToolCall(request)
  if ('refused' in read) return refusalAnswer(read.refused)
  const { tool } = read.call
  const answer = await all.named('tools', tool, (name) => withParams(request, { name }), one)
  return answer === null
    ? errorAnswer(request.idText, RPC_ERRORS.params, `Unknown tool: ${shownName(tool)}`)
    : answered(answer, one)
}

async function prompted(one: AllRequest): Promise<string> {
  const { request, all } = one
  const name = memberIn(request.params?.value, 'name')
  if (typeof name !== 'string')
    return errorAnswer(request.idText, RPC_ERRORS.params, "'name' must be a text.")
  const textFor = (own: string): string => withParams(request, { name: own })
  const answer = await all.named('prompts', name, textFor, one)
  return answer === null
    ? errorAnswer(request.idText, RPC_ERRORS.params, `Unknown prompt: ${shownName(name)}`)
    : answered(answer, one)
}

/** @param at the member of the parameters that holds the address */
async function addressed(one: AllRequest, params: unknown, at: string): Promise<string> {
  const { request, all } = one
  const uri = memberIn(params, at)
  const answer = await all.addressed(uri, (own) => withParams(request, { [at]: own }), one)
  return answer === null ? notThere(one, uri) : answered(answer, one)
}

async function completed(one: AllRequest): Promise<string> {
  const { request, all } = one
  const ref = memberIn(request.params?.value, 'ref')
  const [name, uri] = [memberIn(ref, 'name'), memberIn(ref, 'uri')]
  const textFor = (edits: Readonly<Record<string, string>>): string => {
    const params = memberOf(request.text, 'params') ?? '{}'
    const text = memberOf(params, 'ref') ?? '{}'
    return withMembers(request.text, {
      params: withMembers(params, { ref: withMembers(text, asTexts(edits)) }),
    })
  }
  const answer =
    memberIn(ref, 'type') === 'ref/prompt' && typeof name === 'string'
      ? await all.named('prompts', name, (own) => textFor({ name: own }), one)
      : await all.addressed(uri, (own) => textFor({ uri: own }), one)
  return answer === null
    ? errorAnswer(request.idText, RPC_ERRORS.params, 'No server has what is to be completed.')
    : answered(answer, one)
}

async function subscribed(one: AllRequest): Promise<string> {
  const { request, all, caller, listened, signal } = one
  const asked = memberIn(request.params?.value, 'uri')
  if (typeof asked !== 'string')
    return errorAnswer(request.idText, RPC_ERRORS.params, "'uri' must be a text.")
  const uri = all.addressOf(asked)
  if (request.method === 'resources/unsubscribe') {
    if (listened.delete(uri)) all.unsubscribe(uri)
  } else if (!listened.has(uri)) {
    try {
      await all.subscribe(uri, caller, signal)
    } catch (error) {
      if (!(error instanceof Fault)) throw error
      const { code } = error.details
      if (error.code === 'NOT_FOUND' || code === NOT_THERE) return notThere(one, uri)
      // What the server says is said as by the server.
      if (typeof code !== 'number') throw error
      return errorAnswer(request.idText, code, error.message)
    }
    // Another request may have been as quick.
    if (listened.has(uri)) all.unsubscribe(uri)
    listened.add(uri)
  }
  return resultAnswer(request.idText, {})
}

async function levelSet({ request, all }: AllRequest): Promise<string> {
  const level = memberIn(request.params?.value, 'level')
  if (typeof level !== 'string' || !LOG_LEVELS.includes(level))
    return errorAnswer(request.idText, RPC_ERRORS.params, "'level' must be a level of a log.")
  await all.setLevel(level)
  return resultAnswer(request.idText, {})
}

function notThere({ request, isModern }: AllRequest, uri: unknown): string {
  const data = typeof uri === 'string' ? { uri } : {}
  const code = isModern ? RPC_ERRORS.params : NOT_THERE
  const error = { code, message: 'Resource not found', data }
  return `{"jsonrpc":"2.0","id":${request.idText},"error":${JSON.stringify(error)}}`
}

/** Servers are asked in an older revision; towards the newest, answers say what they are. */
function answered(answer: string, { request, isModern }: AllRequest): string {
  if (!isModern) return answer
  const error = memberOf(answer, 'error')
  if (error !== null)
    return memberOf(error, 'code') === String(NOT_THERE)
      ? withMembers(answer, { error: withMembers(error, { code: String(RPC_ERRORS.params) }) })
      : answer
  const result = memberOf(answer, 'result')
  if (result?.startsWith('{') !== true || memberOf(result, 'resultType') !== null) return answer
  const kept = request.method === 'resources/read' ? { ttlMs: '0', cacheScope: '"private"' } : {}
  return withMembers(answer, { result: withMembers(result, { resultType: '"complete"', ...kept }) })
}

function withParams(request: Request, edits: Readonly<Record<string, string>>): string {
  const params = memberOf(request.text, 'params') ?? '{}'
  return withMembers(request.text, { params: withMembers(params, asTexts(edits)) })
}

function asTexts(edits: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(edits).map(([name, one]) => [name, JSON.stringify(one)]))
}

function memberIn(value: unknown, name: string): unknown {
  return isObject(value) ? value[name] : undefined
}
