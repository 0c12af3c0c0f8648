import type { Settings } from '../core/config.ts'
import { Fault } from '../core/faults.ts'
import type { UpstreamHeader } from '../core/gateway-port.ts'
import { type Caller, LOCAL_PERSON } from '../core/principals.ts'
import {
  type HttpUpstreamOptions,
  headersFromVault,
  type UpstreamCredentials,
} from '../gateway/index.ts'
import type { Outgoing } from '../net/index.ts'
import type { Stack } from './open-stack.ts'

/** The longest silence of a server while a call is open. */
const ANSWER_MS = 600_000

export interface HttpServerParts {
  readonly settings: Settings
  readonly stack: () => Promise<Stack>
}

/** What is needed to speak to a server over HTTP. The way out is the caller's to close. */
export async function httpServer(
  { settings, stack }: HttpServerParts,
  target: { readonly url: string; readonly headers: readonly UpstreamHeader[] },
  by: Caller,
): Promise<
  Omit<HttpUpstreamOptions, 'hear' | 'failed' | 'log' | 'maxMessageBytes' | 'out'> & {
    readonly out: Outgoing
  }
> {
  const { outgoing } = await import('../net/index.ts')
  return {
    url: new URL(target.url),
    out: outgoing({ allow: settings.netAllow, caFile: settings.netCa }),
    credentials: credentialsOf(settings, stack, target.headers, by),
    answerMs: ANSWER_MS,
  }
}

/**
 * By whom the secrets of a registered server's headers are used: its person wrote them there, and whoever calls the
 * server is given none of them.
 */
export function personOf(server: string): Caller {
  return { principal: LOCAL_PERSON, channel: 'mcp-stdio', client: `gateway to ${server}` }
}

function credentialsOf(
  settings: Settings,
  stack: () => Promise<Stack>,
  headers: readonly UpstreamHeader[],
  by: Caller,
): UpstreamCredentials {
  return headersFromVault(async () => {
    const { resolveEnv } = await import('../broker/index.ts')
    const entries = headers.map(({ name, value }) => ({ name, template: value, origin: 'header' }))
    const use = async (paths: readonly string[], options: { readonly all: boolean }) =>
      (await stack()).vault.use(by, settings.vault, paths, options)
    const resolved = (await resolveEnv(entries, use, 'error')).entries
    return resolved.map((one, index) => ({ ...one, isSecret: isSecret(headers[index]) }))
  })
}

function isSecret(header: UpstreamHeader | undefined): boolean {
  return header?.value.includes('secret://') === true
}

/** @throws {Fault} `BAD_USAGE`: what is judged by nothing is given no secret */
export function refuseSecretsWithoutPolicy(headers: readonly UpstreamHeader[]): void {
  if (!headers.some(isSecret)) return
  throw new Fault(
    'BAD_USAGE',
    'Without a policy no secret is used: give one with --policy FILE, or take secret:// out of --header.',
    { details: { field: '--header' } },
  )
}
