import type { ApiServer } from '../../src/api/index.ts'
import { callInspection } from '../../src/app/call-inspection.ts'
import { openApi } from '../../src/app/open-api.ts'
import { silentLog } from '../../src/core/log.ts'
import { monotonicMs } from '../../src/core/time.ts'
import { ApiContract, type OpenApi } from './api-contract.ts'
import { type Random, type RandomRequest, RandomRequests } from './random-requests.ts'
import { agentWith, userWith } from './registered.ts'
import { openTestVault } from './vault.ts'

/** Longer than anything here takes that is not hung. */
const MAX_MS = 5_000

export interface BentResult {
  /** How often each status was answered. */
  readonly statuses: ReadonlyMap<number, number>
  /** Operations that were answered with success at least once. */
  readonly reached: ReadonlySet<string>
  /** What must not be, one line each: a failure of the server's own, an answer that the document does not have. */
  readonly found: readonly string[]
}

/** Random requests of an owner and an agent to a new vault, and what is wrong with its store afterwards. */
export async function bendNewVault(wanted: {
  readonly count: number
  readonly random: Random
}): Promise<BentResult> {
  const vault = await openTestVault()
  try {
    const inspection = callInspection(vault.settings, async () => null, silentLog)
    const api = openApi(vault, { log: silentLog, inspection })
    const owner = await userWith(vault, 'owner')
    const agent = await agentWith(vault, [['**', ['list', 'read', 'write', 'delete', 'share']]])
    const result = await sendBent(api, [owner.key, owner.key, agent.key], wanted)
    const { findings } = await vault.audit.verify()
    const broken = findings.map(({ kind, detail }) => `${kind}: ${detail}`)
    return { ...result, found: [...result.found, ...broken] }
  } finally {
    await vault.dispose()
  }
}

/** Sends random requests, one after the other, and looks at every answer. */
async function sendBent(
  api: ApiServer,
  bearers: readonly string[],
  { count, random }: { readonly count: number; readonly random: Random },
): Promise<BentResult> {
  const document = await documentOf(api)
  const contract = new ApiContract(document)
  const requests = new RandomRequests(document, random)
  const statuses = new Map<number, number>()
  const reached = new Set<string>()
  const found: string[] = []
  for (let made = 0; made < count && found.length < 10; made += 1) {
    const request = requests.next(bearers)
    const begun = monotonicMs()
    const { status, headers, body } = await answerOf(api, request)
    statuses.set(status, (statuses.get(status) ?? 0) + 1)
    const parsed: unknown = body === null ? null : JSON.parse(body)
    const seen = `#${made} ${request.method} ${request.target.slice(0, 200)} -> ${status}`
    const sent = Buffer.from(request.body).toString('utf8').slice(0, 300)
    if (status >= 500)
      found.push(`${seen} ${body ?? ''} ${JSON.stringify(request.headers)} ${sent}`)
    else if (monotonicMs() - begun > MAX_MS) found.push(`${seen} took too long: ${sent}`)
    else
      try {
        contract.check(request.method, request.target, {
          status,
          headers: new Headers(body === null ? {} : headers),
          body: parsed,
        })
      } catch (error) {
        found.push(`${seen}: ${String(error).slice(0, 400)} ${sent}`)
      }
    if (status < 300) {
      reached.add(request.operation)
      requests.learn(parsed)
    }
  }
  return { statuses, reached, found }
}

async function documentOf(api: ApiServer): Promise<OpenApi> {
  const { body } = await api.answer({
    method: 'GET',
    target: '/openapi.json',
    address: '127.0.0.1',
    scheme: 'http',
    header: () => null,
    body: async () => new Uint8Array(),
  })
  return JSON.parse(body ?? '{}') as OpenApi
}

function answerOf(api: ApiServer, { method, target, headers, body }: RandomRequest) {
  return api.answer({
    method,
    target,
    address: '127.0.0.1',
    scheme: 'http',
    header: (name) => headers[name] ?? null,
    body: async () => Uint8Array.from(body),
  })
}
