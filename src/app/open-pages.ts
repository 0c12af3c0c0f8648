import type { Settings } from '../core/config.ts'
import type { Log } from '../core/log.ts'
import type { NewLink, OidcSignInPort } from '../core/people-port.ts'
import { LOCAL_PERSON } from '../core/principals.ts'
import { createPages, type Pages } from '../pages/index.ts'
import { lazily } from './lazily.ts'
import type { Stack } from './open-stack.ts'

/** Where browsers find the server. A name and no number, because passkeys need one. */
export function siteOf(settings: Settings, baseUrl: string): string {
  return settings.publicUrl ?? baseUrl.replace('//127.0.0.1:', '//localhost:')
}

/** The pages of people with accounts, over one open store. */
export async function openPages(
  stack: Stack,
  settings: Settings,
  baseUrl: string,
  log: Log,
): Promise<Pages> {
  const { people, signIn, oidc } = await stack.identity.people()
  const provider = lazily<OidcSignInPort | null>(async () =>
    settings.oidc === null ? null : oidc(settings.oidc),
  )
  return createPages({
    site: siteOf(settings, baseUrl),
    people,
    signIn,
    oidc: provider,
    approvals: async () => stack.approvals.approvals,
    logins: async () => (await stack.registry()).logins(),
    nameOf: (principal) => nameOf(stack, principal),
    log,
  })
}

/**
 * The link for the first account, while whoever starts the server could as well make the store anew: in the run that
 * made it. Later the person proves at the presence gate to be there, for `sallyport people setup`.
 */
export async function firstSetupLink(stack: Stack): Promise<NewLink | null> {
  if (!stack.isNew) return null
  const { people, signIn } = await stack.identity.people()
  if (await signIn.hasPeople()) return null
  return people.setupLink({ principal: LOCAL_PERSON, channel: 'cli' })
}

async function nameOf({ db, identity }: Stack, principal: string): Promise<string | null> {
  const [kind, id = ''] = principal.split(':')
  const { agents, users } = identity.tables
  return db.read(async (reader) => {
    if (kind === 'agent') return (await agents.get(reader, 'id = ?', [id]))?.name ?? null
    if (kind === 'user') return (await users.get(reader, 'id = ?', [id]))?.email ?? null
    return null
  })
}
