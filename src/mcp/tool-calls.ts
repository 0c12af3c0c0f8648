import { createHash, randomBytes, randomUUID } from 'node:crypto'
import {
  type CallToolRequest,
  type CallToolResult,
  CLIENT_CAPABILITIES_META_KEY,
  CLIENT_INFO_META_KEY,
  type ClientCapabilities,
  createRequestStateCodec,
  type Implementation,
  type InputRequiredResult,
  inputRequired,
  ProtocolError,
  ProtocolErrorCode,
  type Server,
  type ServerContext,
} from '@modelcontextprotocol/server'
import { Fault } from '../core/faults.ts'
import type {
  ServerDefinition,
  ToolAnswer,
  ToolCall,
  ToolDefinition,
  Visit,
  VisitRequest,
} from './definition.ts'
import type { Peer } from './server.ts'

/** How often a waiting call says that it is alive. Clients give up after 60 s without a sign. */
const PROGRESS_MS = 5_000
/** A page lives five minutes; the state that leads back to it a little longer. */
const STATE_TTL_SECONDS = 600
/** Name of the one input request a tool makes. */
const PAGE = 'page'
/** The first revision with URL-mode elicitation. */
const FIRST_WITH_VISITS = '2025-11-25'

/** What `requestState` carries from the call that asked for a visit to the one that follows it. */
interface VisitState {
  readonly handle: string
  readonly digest: string
}

interface Envelope {
  readonly [CLIENT_CAPABILITIES_META_KEY]?: ClientCapabilities
  readonly [CLIENT_INFO_META_KEY]?: Implementation
}

export interface ToolCalls<S> {
  call(
    server: Server,
    era: 'legacy' | 'modern',
    peer: Peer<S>,
    params: CallToolRequest['params'],
    context: ServerContext,
  ): Promise<CallToolResult | InputRequiredResult>
  /** Rejects state that this process did not seal, or sealed more than ten minutes ago. */
  verifyState(state: string, context: ServerContext): Promise<VisitState>
}

export function createToolCalls<S>(definition: ServerDefinition<S>): ToolCalls<S> {
  let tools: Promise<ReadonlyMap<string, ToolDefinition<S>>> | undefined
  const states = createRequestStateCodec<VisitState>({
    key: randomBytes(32),
    ttlSeconds: STATE_TTL_SECONDS,
  })

  async function run(
    tool: ToolDefinition<S>,
    server: Server,
    era: 'legacy' | 'modern',
    peer: Peer<S>,
    params: CallToolRequest['params'],
    context: ServerContext,
  ): Promise<ToolAnswer | InputRequiredResult> {
    const args = checkedArguments(tool, params.arguments)
    const digest = digestOf([peer.owner, tool.name, args])
    const call: ToolCall<S> = {
      session: await peer.session(),
      client: clientNameOf(server, context),
      signal: context.mcpReq.signal,
      canVisit: canVisit(server, era, context),
      hearsProgress: context.mcpReq._meta?.progressToken !== undefined,
      visit: visitOf(context, digest),
      waitFor: (work, message) => waitFor(context, work, message),
    }
    const outcome = await tool.run(args, call)
    if (!('visit' in outcome)) return outcome
    if (era === 'modern') {
      const { handle, message, url } = outcome.visit
      return inputRequired({
        inputRequests: { [PAGE]: inputRequired.elicitUrl({ message, url }) },
        requestState: await states.mint({ handle, digest }, context),
      })
    }
    return await visitLegacy(server, context, outcome, (visit) =>
      tool.run(args, { ...call, visit }),
    )
  }

  return {
    verifyState: (state, context) => states.verify(state, context),
    async call(server, era, peer, params, context) {
      tools ??= definition
        .loadTools()
        .then((loaded) => new Map(loaded.map((each) => [each.name, each])))
      const tool = (await tools).get(params.name)
      if (tool === undefined)
        throw new ProtocolError(
          ProtocolErrorCode.InvalidParams,
          `Unknown tool: ${clipped(params.name)}`,
        )
      try {
        const outcome = await run(tool, server, era, peer, params, context)
        return isAnswer(outcome) ? toResult(outcome) : outcome
      } catch (error) {
        if (error instanceof ProtocolError) throw error
        const client = clientNameOf(server, context)
        return toResult({
          ...(await definition.explain(error, tool.name, params.arguments, peer, client)),
          isError: true,
        })
      }
    },
  }
}

/** The older revisions have a request from server to client for it, and a notification that says that it is over. */
async function visitLegacy(
  server: Server,
  context: ServerContext,
  { visit: { handle, url, message } }: VisitRequest,
  again: (visit: Visit) => Promise<ToolAnswer | VisitRequest>,
): Promise<ToolAnswer> {
  const elicitationId = randomUUID()
  let action: Visit['action']
  try {
    const answer = await server.elicitInput(
      { mode: 'url', message, url, elicitationId },
      {
        relatedRequestId: context.mcpReq.id,
        timeout: STATE_TTL_SECONDS * 1000,
        signal: context.mcpReq.signal,
      },
    )
    action = answer.action
  } catch {
    action = 'failed'
  }
  try {
    const outcome = await again({ handle, action })
    if ('visit' in outcome) throw new Error('a tool asked for a second visit')
    return outcome
  } finally {
    // The client may be gone, and an answer must not fail because of it.
    server
      .createElicitationCompletionNotifier(elicitationId, { relatedRequestId: context.mcpReq.id })()
      .catch(() => {})
  }
}

function visitOf(context: ServerContext, digest: string): Visit | null {
  const state = context.mcpReq.requestState<VisitState>()
  if (state === undefined) return null
  if (state.digest !== digest)
    throw new ProtocolError(ProtocolErrorCode.InvalidParams, 'Invalid or expired requestState')
  const response: unknown = context.mcpReq.inputResponses?.[PAGE]
  const action =
    typeof response === 'object' && response !== null && 'action' in response
      ? response.action
      : undefined
  if (action === 'accept' || action === 'decline' || action === 'cancel')
    return { handle: state.handle, action }
  return { handle: state.handle, action: 'unanswered' }
}

/** @throws {Fault} `BAD_INPUT` that names the first field that is wrong, and never what it holds */
function checkedArguments<S>(tool: ToolDefinition<S>, args: unknown): unknown {
  const parsed = tool.input.safeParse(args ?? {})
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const field = issue?.path.map(String).join('.') ?? ''
  const unknown = issue?.code === 'unrecognized_keys' ? issue.keys.map(clipped) : []
  const what = unknown.length > 0 ? `unknown argument '${unknown[0]}'` : (issue?.message ?? '')
  throw new Fault('BAD_INPUT', field === '' ? `${tool.name}: ${what}.` : `'${field}': ${what}.`, {
    details: { tool: tool.name, field: field === '' ? (unknown[0] ?? '') : field },
  })
}

function clipped(text: string): string {
  return text.length > 64 ? `${text.slice(0, 64)}…` : text
}

function digestOf(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('base64url')
}

function canVisit(server: Server, era: 'legacy' | 'modern', context: ServerContext): boolean {
  if (era === 'modern')
    return envelopeOf(context)[CLIENT_CAPABILITIES_META_KEY]?.elicitation?.url !== undefined
  return (
    server.getNegotiatedProtocolVersion() === FIRST_WITH_VISITS &&
    server.getClientCapabilities()?.elicitation?.url !== undefined
  )
}

/** The SDK checked the envelope before the handler ran; its type does not name the keys. */
function envelopeOf(context: ServerContext): Envelope {
  return context.mcpReq.envelope ?? {}
}

/** The client's name for itself, or null. Kept short: it is shown to the person and recorded. */
export function clientNameOf(server: Server, context: ServerContext): string | null {
  const info = envelopeOf(context)[CLIENT_INFO_META_KEY] ?? server.getClientVersion()
  return info === undefined ? null : clipped(info.name)
}

async function waitFor<T>(context: ServerContext, work: Promise<T>, message: string): Promise<T> {
  const progressToken = context.mcpReq._meta?.progressToken
  if (progressToken === undefined) return await work
  let progress = 0
  const tell = (): void => {
    progress += 1
    context.mcpReq
      .notify({
        method: 'notifications/progress',
        params: { progressToken, progress, message },
      })
      .catch(() => {})
  }
  tell()
  const timer = setInterval(tell, PROGRESS_MS)
  try {
    return await work
  } finally {
    clearInterval(timer)
  }
}

function isAnswer(outcome: ToolAnswer | InputRequiredResult): outcome is ToolAnswer {
  return 'structured' in outcome
}

function toResult({ structured, text, isError }: ToolAnswer): CallToolResult {
  return {
    content: [{ type: 'text', text }],
    structuredContent: { ...structured },
    ...(isError === true && { isError: true }),
  }
}
