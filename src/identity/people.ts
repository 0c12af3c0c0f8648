import type { OidcSettings } from '../core/config.ts'
import type { OidcSignInPort, PeoplePort, SignInPort } from '../core/people-port.ts'
import type { Outgoing } from '../net/index.ts'
import { createOwnAccount } from './own-account.ts'
import { PasskeySignIn } from './passkeys.ts'
import {
  createPeopleAdministration,
  type PeopleAdministrationParts,
} from './people-administration.ts'
import { PersonTokens } from './person-tokens.ts'
import type { Refusals } from './refusals.ts'
import { Sessions } from './sessions.ts'
import { SignIn } from './sign-in.ts'
import { SignInThrottle } from './sign-in-throttle.ts'
import type { SigningKeys } from './signing-keys.ts'

/** People with accounts: who they are, and how they come in. */
export interface People {
  readonly people: PeoplePort
  readonly signIn: SignInPort
  /** Signing in at a provider that the settings name. */
  oidc(settings: OidcSettings): Promise<OidcSignInPort>
}

export function createPeople(
  parts: Omit<PeopleAdministrationParts, 'sessions'> & {
    readonly refusals: Refusals
    readonly net: () => Promise<Outgoing>
    readonly signingKeys: SigningKeys
  },
): People {
  const sessions = new Sessions(parts)
  const throttle = new SignInThrottle(parts)
  const common = { ...parts, sessions, throttle }
  const entrance = new SignIn(common)
  const tokens = new PersonTokens({ ...common, entrance })
  const passkeys = new PasskeySignIn({ ...common, entrance })
  return {
    people: { ...createPeopleAdministration(common), ...createOwnAccount(common) },
    signIn: {
      hasPeople: () => entrance.hasPeople(),
      link: (token) => entrance.link(token),
      acceptLink: (...given) => entrance.acceptLink(...given),
      withPassword: (...given) => entrance.withPassword(...given),
      signedIn: (...given) => entrance.signedIn(...given),
      authenticate: (...given) => entrance.authenticate(...given),
      stepUp: (...given) => entrance.stepUp(...given),
      signOut: (cookie) => entrance.signOut(cookie),
      exchangeKey: (...given) => tokens.ofKey(...given),
      exchangePassword: (...given) => tokens.ofPassword(...given),
      passkeyQuestion: (...given) => passkeys.question(...given),
      addPasskey: (...given) => passkeys.add(...given),
      acceptLinkWithPasskey: (...given) => passkeys.acceptLink(...given),
      withPasskey: (...given) => passkeys.signIn(...given),
      stepUpWithPasskey: (...given) => passkeys.stepUp(...given),
    },
    async oidc(settings) {
      const { OidcSignIn } = await import('./oidc-sign-in.ts')
      return new OidcSignIn({ ...common, entrance, settings, net: parts.net })
    },
  }
}
