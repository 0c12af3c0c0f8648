import { randomUUID } from 'node:crypto'
import { asFault, type Fault } from '../core/faults.ts'
import type { Log } from '../core/log.ts'
import type { Principal } from '../core/principals.ts'
import { isOurs, toldTo } from '../core/told.ts'
import type { ToolAnswer } from '../mcp/index.ts'
import { callerOf, type SecretSession, type SecretToolsOptions } from './context.ts'

/**
 * An error as the model reads it. The sentences for 403, 404 and 410 are those of the 1claw server, word for word:
 * agents and prompts written for it look for them.
 */
export async function explainFailure(
  options: SecretToolsOptions,
  error: unknown,
  tool: string,
  args: unknown,
  peer: { session(): Promise<SecretSession> },
  client: string | null,
): Promise<ToolAnswer> {
  const fault = asFault(error)
  const path = pathIn(fault, args)
  // Who calls from elsewhere is not told where on this machine something is wrong.
  const told = isOurs(fault) ? toldTo(fault, await principalOf(peer)) : fault
  const isWithheld = told.message !== fault.message
  const requestId = fault.code === 'INTERNAL' || isWithheld ? randomUUID() : null
  if (requestId !== null) {
    if (isWithheld)
      options.log.error('tool failed', {
        tool,
        request_id: requestId,
        code: fault.code,
        reason: fault.message,
      })
    else logUnexpected(options.log, tool, requestId, fault.cause ?? fault)
  }
  const message = isWithheld ? told.message : sentenceFor(fault, path)
  const remedy =
    fault.code === 'ACCESS_DENIED' && path !== null && !isPersonsNo(fault)
      ? await remedyFor(options, path, peer, client)
      : null
  return {
    structured: {
      error: {
        code: fault.code,
        message,
        help: remedy ?? fault.help,
        details: {
          ...(path !== null && { path }),
          ...(requestId !== null && { request_id: requestId }),
          ...told.details,
        },
      },
    },
    text: textFor(fault, message, remedy) + (requestId === null ? '' : ` (${requestId})`),
    isError: true,
  }
}

function sentenceFor(fault: Fault, path: string | null): string {
  if (fault.code === 'ACCESS_DENIED' && !isPersonsNo(fault))
    return "Access denied (agent doesn't have a policy for this path)"
  if (path !== null && fault.code === 'SECRET_NOT_FOUND')
    return `No secret found at path '${path}'.`
  if (path !== null && fault.code === 'SECRET_SPENT')
    return `Secret at path '${path}' is expired or has exceeded its maximum access count.`
  return fault.message
}

/** No policy would change it, and the person may have said why. */
function isPersonsNo(fault: Fault): boolean {
  return typeof fault.details['approval'] === 'string'
}

function textFor(fault: Fault, message: string, remedy: string | null): string {
  switch (fault.code) {
    case 'SECRET_NOT_FOUND':
    case 'SECRET_SPENT':
      return message
    case 'ACCESS_DENIED':
      return remedy === null ? message : `${message}\nTo allow it, the person can ${remedy}.`
    default:
      return `${message}\n${sentence(fault.help)}`
  }
}

function sentence(help: string): string {
  return `${help.charAt(0).toUpperCase()}${help.slice(1)}.`
}

async function remedyFor(
  options: SecretToolsOptions,
  path: string,
  peer: { session(): Promise<SecretSession> },
  client: string | null,
): Promise<string | null> {
  try {
    const session = await peer.session()
    const vault = await options.openVault()
    const { remedy } = await vault.standing(callerOf(session, client), session.vault, path)
    return remedy
  } catch {
    // The refusal stands without it.
    return null
  }
}

/** Null when who calls is just what could not be found out. */
async function principalOf(peer: { session(): Promise<SecretSession> }): Promise<Principal | null> {
  try {
    return (await peer.session()).caller.principal
  } catch {
    return null
  }
}

/** The path the fault names, else the one the client sent. */
function pathIn(fault: Fault, args: unknown): string | null {
  const named = fault.details['path']
  if (typeof named === 'string') return named
  if (typeof args !== 'object' || args === null) return null
  for (const field of ['path', 'name'])
    if (field in args) {
      const value: unknown = args[field as keyof typeof args]
      if (typeof value === 'string') return value.slice(0, 512)
    }
  return null
}

/** Class and place of what was thrown. Its message stays out: it may quote what it was given. */
function logUnexpected(log: Log, tool: string, requestId: string, error: unknown): void {
  const isError = error instanceof Error
  const head = isError ? `${error.name}: ${error.message}` : ''
  const stack =
    isError && error.stack?.startsWith(head) === true ? error.stack.slice(head.length) : ''
  log.error('tool failed', {
    tool,
    request_id: requestId,
    error: isError ? error.name : typeof error,
    at: stack.trim().split('\n')[0]?.trim() ?? '',
  })
}
