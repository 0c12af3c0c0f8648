import type { Role } from '../../src/core/identity-port.ts'
import type { Browser, OpenedSession } from '../../src/core/people-port.ts'
import type { Caller } from '../../src/core/principals.ts'
import { PERSON, type TestVault } from './vault.ts'

export const PASSWORD = 'rain over the harbour'
export const BROWSER: Browser = { address: '192.0.2.9', agent: 'Test/1' }

export function browserAt(address: string): Browser {
  return { address, agent: 'Test/1' }
}

/** The first owner, signed in by the set-up link. */
export async function firstOwner(
  vault: TestVault,
  email = 'ada@example.org',
): Promise<OpenedSession> {
  const { people, signIn } = await vault.identity.people()
  const { token } = await people.setupLink(PERSON)
  return signIn.acceptLink(token, { email, name: 'Ada', password: PASSWORD }, BROWSER)
}

/** Somebody who was invited and came. */
export async function invited(
  vault: TestVault,
  role: Role,
  email = `${role}@example.org`,
  by: Caller = PERSON,
): Promise<OpenedSession> {
  const { people, signIn } = await vault.identity.people()
  const { token } = await people.invite(by, { email, role })
  return signIn.acceptLink(token, { password: PASSWORD }, BROWSER)
}

/** The caller of a session. */
export async function callerOf(
  vault: TestVault,
  { cookie }: Pick<OpenedSession, 'cookie'>,
): Promise<Caller> {
  const { signIn } = await vault.identity.people()
  const signedIn = await signIn.signedIn(cookie, BROWSER)
  if (signedIn === null) throw new Error('the session does not count')
  return signedIn.caller
}
