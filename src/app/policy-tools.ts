import { dirname, join } from 'node:path'
import type {
  AskedServer,
  PolicyAnswer,
  PolicyQuestion,
  PolicyTools,
  SeenCondition,
} from '../cli/index.ts'
import { type Environment, packageVersion } from '../core/config.ts'
import { Fault } from '../core/faults.ts'
import type { ServerTarget } from '../core/gateway-port.ts'
import type { Log } from '../core/log.ts'
import type { Caller } from '../core/principals.ts'
import { systemClock } from '../core/time.ts'
import type { ToolsClient } from '../gateway/index.ts'
import { judgedParams, parseExactly, readMessage } from '../mcp/wire/index.ts'
import {
  amountText,
  type CallExplanation,
  casesFault,
  convertedPolicy,
  explainCall,
  formatOf,
  formattedPolicy,
  type ListedTool,
  type Outcome,
  outcomeOfCall,
  policyBeside,
  policyFault,
  readPolicyCases,
  readToolPolicy,
  runPolicyCases,
  type SeenTest,
  suggestedPolicy,
  toolPolicyOf,
} from '../policy/tool-policy/texts.ts'
import type { HttpServerParts } from './http-server.ts'

export interface PolicyToolsParts extends HttpServerParts {
  readonly log: Log
  readonly agent: () => Promise<Caller>
}

/** How long a server may take to say which tools it has. */
const ASK_MS = 30_000
const MAX_MESSAGE_BYTES = 16_777_216

export function policyTools(parts: PolicyToolsParts): PolicyTools {
  return {
    async check(file, bytes) {
      const read = await readToolPolicy(bytes, formatOf(file, bytes))
      return 'problems' in read
        ? { problems: read.problems, warnings: [] }
        : { problems: [], warnings: read.warnings }
    },
    async keepable(file, name, bytes) {
      ;(await import('../gateway/index.ts')).checkedName(name)
      // Whoever reads it later knows its name and not its file.
      const read = await readToolPolicy(bytes, formatOf(name, bytes))
      if ('problems' in read) throw policyFault(file, read.problems)
    },
    formatted: formattedPolicy,
    converted: convertedPolicy,
    async explained(file, bytes, question) {
      const policy = await toolPolicyOf(file, bytes)
      const { name, isMethod, principal, labels, client, at } = question
      const asker = { principal, labels, client, at: at ?? systemClock() }
      if (isMethod) await checkMethod(name)
      const args = objectOf('--args', question.args)
      checkSent(question)
      const result = question.result === null ? undefined : objectOf('--result', question.result)
      return answerOf(
        explainCall(
          policy,
          isMethod
            ? { ...asker, method: name, params: args }
            : {
                ...asker,
                tool: name,
                args,
                annotations:
                  question.annotations === null
                    ? null
                    : objectOf('--annotations', question.annotations),
                toolClass: question.toolClass,
              },
          result,
        ),
      )
    },
    async tried(file, bytes, read) {
      const cases = await readPolicyCases(file, bytes)
      if ('problems' in cases) throw casesFault(file, cases.problems)
      const about = cases.policy === null ? policyBeside(file) : join(dirname(file), cases.policy)
      if (about === file)
        throw new Fault('BAD_INPUT', `The file '${file}' does not say which policy it is about.`, {
          details: { field: 'policy', remedy: "name it: 'policy: FILE'" },
        })
      const policy = await toolPolicyOf(about, await read(about))
      return runPolicyCases(policy, cases.cases).map(({ case: one, passed, got }) => ({
        name: one.name,
        line: one.line,
        passed,
        expected: { outcome: one.expect, rule: one.rule, reason: one.reason },
        got,
      }))
    },
    async suggested(server, signal) {
      const { name, target } =
        server.server === null ? await givenServer(server) : await addedServer(server.server, parts)
      return suggestedPolicy(name, await toolsOf(server, target, parts, signal))
    },
  }
}

/** @throws {Fault} `BAD_INPUT` */
function objectOf(field: string, text: string): Readonly<Record<string, unknown>> {
  let value: unknown
  try {
    value = parseExactly(text)
  } catch (cause) {
    throw new Fault('BAD_INPUT', `${field} is not JSON.`, { details: { field }, cause })
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Fault('BAD_INPUT', `${field} must be an object.`, { details: { field } })
  return value as Readonly<Record<string, unknown>>
}

/**
 * Rules of methods have no say about calls of tools, nor about what is refused for its name.
 *
 * @throws {Fault} `BAD_INPUT`
 */
async function checkMethod(name: string): Promise<void> {
  const details = { field: 'TOOL' }
  if (name === 'tools/call')
    throw new Fault('BAD_INPUT', "A call of a tool is judged by 'tools', as what it calls.", {
      details: { ...details, remedy: 'name the tool, and leave --method out' },
    })
  const { isMistakable } = await import('../gateway/index.ts')
  if (isMistakable(name.startsWith('notifications/') ? 'notification' : 'request', name))
    throw new Fault(
      'BAD_INPUT',
      'The gateway refuses this method before any policy sees it: a server could take it for another.',
      { details: { ...details, remedy: 'write it as the protocol does' } },
    )
}

/**
 * What the gateway refuses before a policy sees it has no explanation.
 *
 * @throws {Fault} `BAD_INPUT` saying why it is refused
 */
function checkSent({ name, isMethod, args }: PolicyQuestion): void {
  const params = isMethod ? args : `{"name":${JSON.stringify(name)},"arguments":${args}}`
  const method = JSON.stringify(isMethod ? name : 'tools/call')
  const sent = readMessage(`{"jsonrpc":"2.0","id":0,"method":${method},"params":${params}}`)
  const read = sent.kind === 'request' ? judgedParams(sent) : null
  const refused = read !== null && 'refused' in read ? read.refused : sent
  if (refused.kind === 'refused')
    throw new Fault('BAD_INPUT', `The gateway refuses this call. ${refused.message}`, {
      details: { field: '--args' },
    })
}

function answerOf(explained: CallExplanation): PolicyAnswer {
  const { decision, rules, charges, recordSeconds, asUnnamed } = explained
  const seen = {
    recordSeconds,
    clauses: rules.flatMap((rule) =>
      rule.clauses.map(({ kind, pointer, name, outcome, tests }) => ({
        kind,
        pointer,
        name,
        met: metOf(outcome),
        tests: tests.map(conditionOf),
      })),
    ),
    charges: charges.map(({ limit, amount }) => ({
      counter: limit.counter,
      amount: amountText(amount, limit.scale),
      max: amountText(limit.max, limit.scale),
      window: typeof limit.window === 'number' ? `${limit.window} seconds` : limit.window,
      scope: limit.scope,
      algorithm: limit.algorithm,
      pointer: limit.pointer,
    })),
  }
  const { allowed } = decision
  return {
    ...seen,
    ...outcomeOfCall(explained, 0),
    isDurable: allowed && decision.isDurable,
    judgesResult: allowed && decision.judgesResult,
    // Only as what it is would it be recorded.
    unnamed: asUnnamed && { ...answerOf(asUnnamed), recordSeconds: null },
  }
}

function metOf(outcome: Outcome): boolean | null {
  return outcome === 'doubt' ? null : outcome
}

function conditionOf({ shown, outcome, saw, within }: SeenTest): SeenCondition {
  return { shown, met: metOf(outcome), saw, within: within.map(conditionOf) }
}

interface NamedTarget {
  readonly name: string
  readonly target: ServerTarget
}

/** @throws {Fault} `BAD_INPUT` naming the option */
async function givenServer(server: AskedServer): Promise<NamedTarget> {
  const { checkedName, checkedTarget, serverNameOf } = await import('../gateway/index.ts')
  const { name, url, command, headers, variables } = server
  const target = checkedTarget(
    url === null ? { kind: 'stdio', command, variables } : { kind: 'http', url, headers },
    false,
  )
  return {
    name: name === null ? serverNameOf(target, process.cwd()) : checkedName(name, '--name'),
    target,
  }
}

/** @throws {Fault} `NOT_FOUND` */
async function addedServer(
  name: string,
  { stack, agent }: Pick<PolicyToolsParts, 'stack' | 'agent'>,
): Promise<NamedTarget> {
  const { servers } = await (await stack()).registry()
  return servers.get(await agent(), name)
}

async function toolsOf(
  { server, environment }: AskedServer,
  target: ServerTarget,
  parts: PolicyToolsParts,
  signal: AbortSignal,
): Promise<readonly ListedTool[]> {
  const late = AbortSignal.timeout(ASK_MS)
  const ending = AbortSignal.any([signal, late])
  const ended = new Promise<never>((_, reject) => {
    const end = (): void =>
      reject(
        late.aborted
          ? new Fault('NET_TIMED_OUT', `The server did not list its tools in ${ASK_MS / 1000} s.`)
          : new Fault('NET_FAILED', 'The server was not asked to the end.'),
      )
    if (ending.aborted) end()
    else ending.addEventListener('abort', end, { once: true })
  })
  ended.catch(() => {})
  return target.kind === 'stdio'
    ? overStdio(target, environment, ended)
    : overHttp(target, server, parts, ended)
}

const CLIENT = { name: 'sallyport', version: packageVersion() }

async function overStdio(
  { command, variables }: ServerTarget & { readonly kind: 'stdio' },
  environment: Environment,
  ended: Promise<never>,
): Promise<readonly ListedTool[]> {
  const [{ StdioServer, ToolsClient }, { LineReader, readFrame }, { childEnvironment }] =
    await Promise.all([
      import('../gateway/index.ts'),
      import('../mcp/wire/index.ts'),
      import('./open-gateway.ts'),
    ])
  const server = await StdioServer.start({
    command,
    environment: childEnvironment(environment, variables),
  })
  const client: ToolsClient = new ToolsClient((text) => server.stdin.write(`${text}\n`), CLIENT)
  const lines = new LineReader({
    maxBytes: MAX_MESSAGE_BYTES,
    onLine(line) {
      const message = readFrame(line)
      if (message.kind !== 'refused') client.heard(message)
    },
    onTooLong() {},
  })
  server.stdout.on('data', (chunk: Buffer) => lines.push(chunk))
  const gone = server.ended.then(({ how }) => {
    throw new Fault('NET_FAILED', `The server ended before it listed its tools (${how}).`)
  })
  gone.catch(() => {})
  try {
    return await Promise.race([client.tools(), gone, ended])
  } finally {
    server.finish()
    await server.ended
  }
}

async function overHttp(
  target: ServerTarget & { readonly kind: 'http' },
  added: string | null,
  parts: PolicyToolsParts,
  ended: Promise<never>,
): Promise<readonly ListedTool[]> {
  const [{ HttpUpstream, ToolsClient }, { httpServer, personOf }] = await Promise.all([
    import('../gateway/index.ts'),
    import('./http-server.ts'),
  ])
  const agent = await parts.agent()
  const by = added === null ? agent : personOf(added, agent.channel)
  const server = await httpServer(parts, target, by, added)
  let fail: (fault: Fault) => void = () => {}
  const failed = new Promise<never>((_, reject) => {
    fail = reject
  })
  failed.catch(() => {})
  const upstream = new HttpUpstream({
    ...server,
    log: parts.log,
    maxMessageBytes: MAX_MESSAGE_BYTES,
    hear: async (message) => {
      if (message.kind !== 'refused') client.heard(message)
    },
    failed: (_, end, why) => fail(new Fault('NET_FAILED', `The server did not answer: ${why}`)),
  })
  const client: ToolsClient = new ToolsClient(
    (text, message) => upstream.send(text, message),
    CLIENT,
  )
  try {
    return await Promise.race([client.tools(), failed, ended])
  } finally {
    await upstream.close()
    await server.out.close()
  }
}
