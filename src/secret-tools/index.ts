import { asFault } from '../core/faults.ts'
import type { Caller } from '../core/principals.ts'
import { toIso } from '../core/time.ts'
import type { VaultPort } from '../core/vault-port.ts'
import type {
  ResourceDefinition,
  ServerDefinition,
  ToolAnswer,
  ToolDefinition,
} from '../mcp/index.ts'
import { callerOf, type SecretSession, type SecretToolsOptions } from './context.ts'
import { explainFailure } from './failures.ts'
import { type CallInspection, PLAIN_INSPECTION } from './inspection.ts'
import { PageQuestions } from './page-questions.ts'
import { createPipeline, type Pipeline } from './pipeline.ts'
import type { InspectedContent } from './tools/inspect_content.ts'

export type { AskDoors, PageDoor, SecretSession, SecretToolsOptions } from './context.ts'
export type { CallInspection, CallRules, KnownValues } from './inspection.ts'
export type { InspectedContent } from './tools/inspect_content.ts'

const SECRETS_URI = 'vault://secrets'

const INSTRUCTIONS = [
  'Sallyport keeps secrets for you. list_secrets and search_secrets say what there is; get_secret reads one value.',
  'When a secret is missing, call input_secret: the person types it on a page or in a dialog and it goes straight to the vault.',
  'Never ask the person to paste a secret into the chat, and never repeat a value you read: use it only where it is needed.',
  'If an answer says that access is denied, show the person the command it names.',
].join('\n')

/** The MCP secrets server as data, for `serveOverStdio` and `openMcpEndpoint`. */
export function createSecretTools(options: SecretToolsOptions): ServerDefinition<SecretSession> {
  const questions = new PageQuestions()
  const listeners = new Set<(uri: string) => void>()
  let vault: Promise<VaultPort> | undefined
  // One vault for the life of the process; a failure to open it is tried again by the next call.
  const openVault = (): Promise<VaultPort> => {
    vault ??= options.openVault().then(
      (opened) => {
        opened.onChange(() => {
          for (const listener of listeners) listener(SECRETS_URI)
        })
        return opened
      },
      (error: unknown) => {
        vault = undefined
        throw error
      },
    )
    return vault
  }
  const bound: SecretToolsOptions = { ...options, openVault }
  const pipeline = createPipeline({
    inspection: options.inspection ?? PLAIN_INSPECTION,
    log: options.log,
    note: async (caller, note) => (await openVault()).noteInspection(caller, note),
  })
  /** The vault opens while the detectors load. A failure is said by whoever waits for the vault. */
  const atOnce = (tool: ToolDefinition<SecretSession>): ToolDefinition<SecretSession> => ({
    ...tool,
    run(args, call) {
      openVault().catch(() => {})
      return tool.run(args, call)
    },
  })
  return {
    name: 'sallyport',
    title: 'Sallyport secrets',
    version: options.version,
    instructions: INSTRUCTIONS,
    async loadTools() {
      const { APPROVAL_TOOLS, GRANTING_TOOLS, SHARING_TOOLS, TOOLS, inspectContent } = await import(
        './tools/index.ts'
      )
      const tools = [
        ...TOOLS,
        ...(options.openPolicies === undefined ? [] : GRANTING_TOOLS),
        ...(options.openHandOn === undefined ? [] : SHARING_TOOLS),
        ...(options.openPeople === undefined ? [] : APPROVAL_TOOLS),
      ]
      return [
        ...tools.map((tool) => atOnce(pipeline.guard(tool(bound, questions)))),
        inspectContent(pipeline),
      ]
    },
    waitingTools: ['input_secret', 'share_secret', 'grant_access', 'get_approval_status'],
    resources: [guardedResource(secretsResource(bound), pipeline)],
    explain: async (error, tool, args, peer, client) =>
      pipeline.afterwards(tool, await explainFailure(bound, error, tool, args, peer, client), () =>
        callerIfKnown(peer, client),
      ),
    onResourceChange(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    warmUp() {
      // The first call says what is wrong, if something is.
      openVault().catch(() => {})
      pipeline.warmUp()
    },
  }
}

/** Null when who calls is just what could not be found out. */
async function callerIfKnown(
  peer: { session(): Promise<SecretSession> },
  client: string | null,
): Promise<Caller | null> {
  try {
    return callerOf(await peer.session(), client)
  } catch {
    return null
  }
}

/** What the resource says, behind inspection as the answer of a tool is. */
function guardedResource(
  resource: ResourceDefinition<SecretSession>,
  pipeline: Pipeline,
): ResourceDefinition<SecretSession> {
  return {
    ...resource,
    async read(call) {
      const text = await resource.read(call)
      const caller = callerOf(call.session, call.client)
      const answer = { text, structured: { secrets: JSON.parse(text) as unknown } }
      const shown = await pipeline.afterwards(resource.uri, answer, async () => caller)
      return shown.text
    },
  }
}

const SCANNER_INSTRUCTIONS =
  'inspect_content looks for threats in a text: prompt injection, commands, hidden characters, secrets and personal data. Nothing leaves this process.'

/** The scanner alone: no vault, no key, no account, and nothing that could ask for one. */
export function createScanner(options: {
  readonly version: string
  readonly log: SecretToolsOptions['log']
  readonly inspection?: CallInspection
}): ServerDefinition<SecretSession> {
  const pipeline = createPipeline({
    inspection: options.inspection ?? PLAIN_INSPECTION,
    log: options.log,
    note: async () => {},
  })
  return {
    name: 'sallyport',
    title: 'Sallyport scanner',
    version: options.version,
    instructions: SCANNER_INSTRUCTIONS,
    async loadTools() {
      const { inspectContent } = await import('./tools/inspect_content.ts')
      return [inspectContent(pipeline)]
    },
    waitingTools: [],
    resources: [],
    explain: async (error) => plainFailure(error),
    onResourceChange: () => () => {},
    warmUp: () => pipeline.warmUp(),
  }
}

/** What `inspect_content` answers, for doors that are no MCP server. */
export function createContentInspection(options: {
  readonly log: SecretToolsOptions['log']
  readonly inspection?: CallInspection
}): (caller: Caller, content: string, context: 'input' | 'output') => Promise<InspectedContent> {
  const pipeline = createPipeline({
    inspection: options.inspection ?? PLAIN_INSPECTION,
    log: options.log,
    note: async () => {},
  })
  return async (caller, content, context) => {
    const { inspected } = await import('./tools/inspect_content.ts')
    return inspected(pipeline, caller, content, context)
  }
}

/** An error of a server that knows no paths. */
function plainFailure(error: unknown): ToolAnswer {
  const { code, message, help, details } = asFault(error)
  return {
    structured: { error: { code, message, help, details } },
    text: `${message}\n${help}`,
    isError: true,
  }
}

function secretsResource({ openVault }: SecretToolsOptions): ResourceDefinition<SecretSession> {
  return {
    uri: SECRETS_URI,
    name: 'secrets',
    title: 'Secrets of the vault',
    description: 'Paths, types, versions and expiry of the secrets you may see; never values.',
    mimeType: 'application/json',
    async read({ session, client }) {
      const vault = await openVault()
      const { secrets } = await vault.list(callerOf(session, client), session.vault)
      return JSON.stringify(
        secrets.map((secret) => ({
          id: secret.id,
          path: secret.path,
          type: secret.type,
          version: secret.version,
          expires_at: secret.expiresAt === null ? null : toIso(secret.expiresAt),
          readable: secret.readable,
        })),
      )
    },
    async glimpse(session) {
      return (await openVault()).glimpse(callerOf(session, null), session.vault)
    },
  }
}
