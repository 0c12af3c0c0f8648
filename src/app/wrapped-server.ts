import type { WrapRequest } from '../cli/index.ts'
import { Fault } from '../core/faults.ts'
import type { ServerTarget } from '../core/gateway-port.ts'
import type { Log } from '../core/log.ts'
import {
  checkedName,
  checkedTarget,
  type PipeWait,
  type PoliciesNow,
  PolicyFile,
  policiesOfRemoved,
  serverNameOf,
} from '../gateway/index.ts'
import { refuseSecretsWithoutPolicy } from './http-server.ts'
import { openRegistryView } from './open-gateway.ts'
import type { Stack } from './open-stack.ts'

/** What `wrap` stands before, and what judges its calls. */
export interface WrappedServer {
  /** What rules of inspection and limits know it by. */
  readonly name: string
  readonly target: ServerTarget
  readonly policiesNow: () => PoliciesNow
  /** Calls back when they may have changed. @returns ends it */
  readonly onPoliciesChanged: (listener: () => void) => () => void
  /** Without a policy: whether calls pass all the same. */
  readonly isShadow: boolean
  /** What the person is told before it starts, or null. */
  readonly notice: string | null
  close(): void
}

/**
 * @throws {Fault} `BAD_INPUT` for a policy that is missing or invalid, `NOT_FOUND` for an unknown server
 * @throws the reason of the signal
 */
export async function wrappedServer(
  request: WrapRequest,
  parts: { readonly stack: () => Promise<Stack>; readonly log: Log; readonly wait: PipeWait },
): Promise<WrappedServer> {
  return request.server === null
    ? unnamed(request, parts.log, parts.wait)
    : named(request.server, request, parts)
}

/** A command, judged by a file or by nothing. */
async function unnamed(request: WrapRequest, log: Log, wait: PipeWait): Promise<WrappedServer> {
  const target = givenTarget(request)
  if (target === null)
    throw new Fault('BAD_USAGE', 'There is no server to start; write its command after --.', {
      details: { field: 'COMMAND' },
    })
  if (target.kind === 'http' && request.policy === null) refuseSecretsWithoutPolicy(target.headers)
  const name =
    request.name === null
      ? serverNameOf(target, process.cwd())
      : checkedName(request.name, '--name')
  if (request.policy === null)
    return {
      name,
      target,
      policiesNow: () => [],
      onPoliciesChanged: () => () => {},
      isShadow: !request.requiresPolicy,
      notice: withoutPolicy(name, request.requiresPolicy, target),
      close() {},
    }
  const file = await PolicyFile.open(request.policy, log, wait)
  return {
    name,
    target,
    policiesNow: () => [file.now()],
    onPoliciesChanged: (listener) => file.onChange(listener),
    isShadow: false,
    notice: null,
    close: () => file.close(),
  }
}

/** A server of the registry, judged by what is attached to it at each moment. */
async function named(
  name: string,
  request: WrapRequest,
  { stack, log }: { readonly stack: () => Promise<Stack>; readonly log: Log },
): Promise<WrappedServer> {
  if (request.policy !== null || request.name !== null)
    throw new Fault(
      'BAD_USAGE',
      'A server that is named has its name and its policies from there: --policy and --name go without --server.',
      { details: { field: '--server' } },
    )
  const view = await openRegistryView(await stack(), log, { server: name })
  try {
    const server = view.server(name)
    if (server === null)
      throw new Fault('NOT_FOUND', `There is no server '${name.slice(0, 64)}'.`, {
        details: { field: '--server', remedy: 'name it: sallyport server add NAME -- COMMAND' },
      })
    const [missing] = view.missingAt(name)
    if (missing !== undefined)
      throw new Fault(
        'BAD_INPUT',
        `The policy '${missing}' of the server '${name}' is not there.`,
        {
          details: { field: '--server', remedy: 'set it anew: sallyport policy set NAME FILE' },
        },
      )
    const removed = await policiesOfRemoved(name)
    const look = (): boolean => view.server(name)?.createdAt === server.createdAt
    let isThere = look()
    view.onChange(() => {
      const wasThere = isThere
      isThere = look()
      if (wasThere && !isThere)
        log.error('the server was removed: every call is denied until wrap is started again', {
          server: name,
        })
    })
    return {
      name,
      target: targetOf(server.target, request),
      // The program is that of the one it was started for, whatever has its name by now.
      policiesNow: () => (isThere ? view.policiesAt(name) : removed),
      onPoliciesChanged: (listener) => view.onChange(listener),
      isShadow: false,
      notice:
        server.policies.length > 0
          ? null
          : `No policy for ${name}: every call of a tool is denied. Write one with sallyport policy init --server ${name}, and attach it with sallyport policy attach POLICY --server ${name}.`,
      close: () => view.close(),
    }
  } catch (error) {
    view.close()
    throw error
  }
}

/** @throws {Fault} `BAD_INPUT` or `BAD_USAGE` naming the option */
function givenTarget({ command, variables, url, headers }: WrapRequest): ServerTarget | null {
  const bad = (field: string, message: string): Fault =>
    new Fault('BAD_USAGE', message, { details: { field } })
  if (url === null) {
    if (headers.length > 0) throw bad('--header', '--header goes with --url.')
    return command.length === 0 ? null : { kind: 'stdio', command, variables }
  }
  if (command.length > 0) throw bad('--url', 'A server has a command or --url, not both.')
  if (variables.length > 0) throw bad('--env', '--env goes with a command.')
  return checkedTarget({ kind: 'http', url, headers }, false)
}

/** A command that is given stands in for the registered one; variables that are given come beside those. */
function targetOf(registered: ServerTarget, request: WrapRequest): ServerTarget {
  const { command, variables, url, headers } = request
  const given = url === null ? '--header' : '--url'
  if (url !== null || headers.length > 0)
    throw new Fault(
      'BAD_USAGE',
      `A server that is named has its address and headers from there: ${given} goes without --server.`,
      { details: { field: given } },
    )
  if (command.length > 0)
    return {
      kind: 'stdio',
      command,
      variables,
      ...(registered.limits !== undefined && { limits: registered.limits }),
    }
  if (registered.kind === 'http') {
    if (variables.length > 0)
      throw new Fault(
        'BAD_USAGE',
        '--env goes with a command, and this server is reached by its address.',
        { details: { field: '--env' } },
      )
    return registered
  }
  return { ...registered, variables: [...new Set([...registered.variables, ...variables])] }
}

function withoutPolicy(name: string, isDenied: boolean, target: ServerTarget): string {
  const what = isDenied
    ? 'every call of a tool is denied'
    : 'no call is denied by one; inspection, redaction and audit work'
  // Commands and addresses may hold what is nobody's business, and clients keep what we say here.
  const server = target.kind === 'http' ? '--url URL' : '-- COMMAND'
  return `No policy for ${name}: ${what}. Write one with sallyport policy init -o ${name}.yaml ${server} and give it with --policy FILE.`
}
