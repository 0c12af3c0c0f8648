import type { Settings } from '../core/config.ts'
import { Fault } from '../core/faults.ts'
import type { UpstreamHeader } from '../core/gateway-port.ts'
import { type Caller, type Channel, LOCAL_PERSON } from '../core/principals.ts'
import type { OwnLimits } from '../core/server-limits.ts'
import type { VaultPort } from '../core/vault-port.ts'
import {
  type HttpUpstreamOptions,
  headersFromVault,
  type UpstreamCredentials,
} from '../gateway/index.ts'
import type { LoginUse } from '../gateway/oauth/index.ts'
import type { Outgoing } from '../net/index.ts'
import type { Stack } from './open-stack.ts'

export interface HttpServerParts {
  readonly settings: Settings
  readonly stack: () => Promise<Stack>
}

/**
 * What is needed to speak to a server over HTTP. The way out is the caller's to close.
 *
 * @param registered name of the server in the registry: the gateway may be logged in there
 */
export async function httpServer(
  { settings, stack }: HttpServerParts,
  target: {
    readonly url: string
    readonly headers: readonly UpstreamHeader[]
    readonly limits?: OwnLimits
  },
  by: Caller,
  registered: string | null = null,
): Promise<
  Omit<HttpUpstreamOptions, 'hear' | 'failed' | 'log' | 'maxMessageBytes' | 'out'> & {
    readonly out: Outgoing
  }
> {
  const { outgoing } = await import('../net/index.ts')
  const headers = headersOf(settings, async () => (await stack()).vault, target.headers, by)
  return {
    url: new URL(target.url),
    out: outgoing({ allow: settings.netAllow, caFile: settings.netCa }),
    credentials:
      registered === null
        ? headers
        : await withLogin(
            { server: registered, url: target.url, channel: by.channel },
            headers,
            stack,
          ),
    answerMs: { ...settings.serverLimits, ...target.limits }.callMs,
  }
}

/**
 * By whom the secrets of a registered server's headers are used: its person wrote them there, and whoever calls the
 * server is given none of them.
 *
 * @param channel by which it is used
 */
export function personOf(server: string, channel: Channel): Caller {
  return { principal: LOCAL_PERSON, channel, client: `gateway to ${server}` }
}

async function withLogin(
  place: LoginUse,
  headers: UpstreamCredentials,
  stack: () => Promise<Stack>,
): Promise<UpstreamCredentials> {
  const { loginCredentials } = await import('../gateway/oauth/index.ts')
  const { keeper } = await (await (await stack()).registry()).logins()
  return loginCredentials(keeper, place, headers)
}

/** The headers of a server, with what stands in the vault. */
export function headersOf(
  settings: Pick<Settings, 'vault'>,
  vault: () => Promise<Pick<VaultPort, 'use'>>,
  headers: readonly UpstreamHeader[],
  by: Caller,
): UpstreamCredentials {
  return headersFromVault(async () => {
    const resolved = await resolvedFor(settings, vault, headers, by)
    return resolved.map((one, index) => ({ ...one, isSecret: isSecret(headers[index]) }))
  })
}

/** Texts with their `secret://` references as values. @throws {Fault} `MISSING_SECRETS` */
export async function resolvedFor(
  settings: Pick<Settings, 'vault'>,
  vault: () => Promise<Pick<VaultPort, 'use'>>,
  texts: readonly UpstreamHeader[],
  by: Caller,
) {
  const { resolveEnv } = await import('../broker/index.ts')
  const entries = texts.map(({ name, value }) => ({ name, template: value, origin: 'header' }))
  const use = async (paths: readonly string[], options: { readonly all: boolean }) =>
    (await vault()).use(by, settings.vault, paths, options)
  return (await resolveEnv(entries, use, 'error')).entries
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
