import type { AuthenticationResponseJSON, RegistrationResponseJSON } from '@simplewebauthn/server'
import { changeLane, type Settled } from '../audit/index.ts'
import type { Tx } from '../core/db-port.ts'
import { Fault } from '../core/faults.ts'
import { isUuid, newId, type UserId } from '../core/ids.ts'
import type {
  Browser,
  OpenedSession,
  PasskeyInfo,
  PasskeyQuestion,
  PasskeyResponse,
  SignInPort,
  Site,
} from '../core/people-port.ts'
import type { Caller } from '../core/principals.ts'
import type { EpochMs } from '../core/time.ts'
import { bumpRights } from '../keys/index.ts'
import { Challenges } from './challenges.ts'
import { checkedLabel, passkeyInfo } from './own-account.ts'
import { absence } from './people-administration.ts'
import type { PasskeyRow } from './people-rows.ts'
import { checkedPersonName } from './person-info.ts'
import { type NewPasskey, newPasskeyRow, type SignIn, type SignInParts } from './sign-in.ts'

/** Whoever has no passkeys loads nothing that verifies them. */
const webauthn = () => import('@simplewebauthn/server')

const CHALLENGE_MS = 300_000
const MAX_PASSKEYS = 20
const MAX_LABEL = 100
/** COSE: Ed25519, ECDSA with P-256, RSA with SHA-256. Named, because otherwise the package tries what Node can do. */
const ALGORITHMS = [-8, -7, -257]

interface Asked {
  readonly challenge: string
  readonly origin: string
  readonly userId?: string
  readonly email?: string
  readonly name?: string | null
}

type Who = Parameters<SignInPort['passkeyQuestion']>[0]

/** Signing in with what an authenticator signs (WebAuthn, level 3). The person is always verified by it. */
export class PasskeySignIn {
  readonly #parts: SignInParts & { readonly entrance: SignIn }
  readonly #challenges: Challenges
  readonly #add = changeLane(
    'passkey.add',
    (tx, member: { caller: Caller; passkey: NewPasskey }, at) => this.#added(tx, member, at),
  )

  constructor(parts: SignInParts & { readonly entrance: SignIn }) {
    this.#parts = parts
    this.#challenges = new Challenges(parts)
  }

  async question(who: Who, site: Site, browser: Browser): Promise<PasskeyQuestion> {
    const rpId = rpIdOf(site)
    switch (who.kind) {
      case 'register': {
        const { person } = await this.#parts.entrance.demandSession(who.cookie, browser)
        const { id: userId, email, name } = person
        return this.#registration('register', { userId, email, name }, site, rpId)
      }
      case 'accept': {
        const link = await this.#parts.entrance.openedLink(who.token)
        const email = await this.#parts.entrance.emailOf(link, who.email)
        const userId = link.user_id ?? newId<UserId>()
        const name = checkedPersonName(who.name)
        return this.#registration('accept', { userId, email, name }, site, rpId)
      }
      case 'sign-in':
        return this.#authentication('sign-in', null, site, rpId)
      case 'step-up': {
        const { person } = await this.#parts.entrance.demandSession(who.cookie, browser)
        return this.#authentication('step-up', person.id, site, rpId)
      }
    }
  }

  async add(
    cookie: string,
    handle: string,
    response: PasskeyResponse,
    label: string,
    browser: Browser,
  ): Promise<PasskeyInfo> {
    const { caller, person } = await this.#parts.entrance.demandSession(cookie, browser)
    const asked = await this.#asked('register', handle)
    if (asked.userId !== person.id) throw notRecognised()
    const verified = await this.#registered(asked, response)
    const passkey = { ...verified, label: checkedLabel(label.slice(0, MAX_LABEL)) }
    const { value } = await this.#parts.ledger.commit(this.#add, { caller, passkey })
    this.#parts.changed()
    return passkeyInfo(value)
  }

  async acceptLink(
    token: string,
    handle: string,
    response: PasskeyResponse,
    browser: Browser,
  ): Promise<OpenedSession> {
    const asked = await this.#asked('accept', handle)
    const link = await this.#parts.entrance.openedLink(token)
    const email = await this.#parts.entrance.emailOf(link, asked.email)
    const { userId } = asked
    if (email !== asked.email || userId === undefined || !isUuid(userId)) throw notRecognised()
    const passkey = await this.#registered(asked, response)
    const choice = { email, name: asked.name ?? null, password: null, passkey }
    return this.#parts.entrance.accept(token, { ...choice, userId: userId as UserId }, browser)
  }

  async signIn(
    handle: string,
    response: PasskeyResponse,
    browser: Browser,
  ): Promise<OpenedSession> {
    const asked = await this.#asked('sign-in', handle)
    const { row, counter } = await this.#authenticated(asked, response, browser)
    return this.#parts.entrance.enter(
      {
        userId: row.user_id,
        via: 'passkey',
        grounds: { passkey: { id: row.id, counter } },
        renews: null,
        browser,
      },
      notRecognised(),
    )
  }

  async stepUp(
    cookie: string,
    handle: string,
    response: PasskeyResponse,
    browser: Browser,
  ): Promise<OpenedSession> {
    const { person, session } = await this.#parts.entrance.demandSession(cookie, browser)
    const asked = await this.#asked('step-up', handle)
    const { row, counter } = await this.#authenticated(asked, response, browser)
    if (asked.userId !== person.id || row.user_id !== person.id)
      return this.#parts.entrance.refuse('unknown', browser, notRecognised())
    return this.#parts.entrance.enter(
      {
        userId: person.id,
        via: 'passkey',
        grounds: { passkey: { id: row.id, counter } },
        renews: session.id,
        browser,
      },
      notRecognised(),
    )
  }

  async #registration(
    kind: 'register' | 'accept',
    who: { readonly userId: UserId; readonly email: string; readonly name: string | null },
    site: Site,
    rpId: string,
  ): Promise<PasskeyQuestion> {
    const { generateRegistrationOptions } = await webauthn()
    const own = await this.#ownPasskeys(who.userId)
    const options = await generateRegistrationOptions({
      rpName: 'Sallyport',
      rpID: rpId,
      userID: new Uint8Array(Buffer.from(who.userId, 'utf8')),
      userName: who.email,
      userDisplayName: who.name ?? who.email,
      timeout: CHALLENGE_MS,
      attestationType: 'none',
      supportedAlgorithmIDs: ALGORITHMS,
      excludeCredentials: own.map((row) => ({ id: row.credential_id })),
      authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
    })
    const { challenge } = options
    return {
      handle: await this.#ask(kind, { challenge, ...site, ...who }),
      options: { ...options },
    }
  }

  async #authentication(
    kind: 'sign-in' | 'step-up',
    userId: UserId | null,
    site: Site,
    rpId: string,
  ): Promise<PasskeyQuestion> {
    const { generateAuthenticationOptions } = await webauthn()
    // A sign-in names no keys: which there are would say which accounts there are.
    const own = userId === null ? [] : await this.#ownPasskeys(userId)
    const options = await generateAuthenticationOptions({
      rpID: rpId,
      timeout: CHALLENGE_MS,
      userVerification: 'required',
      allowCredentials: own.map((row) => ({ id: row.credential_id })),
    })
    const { challenge } = options
    const asked = { challenge, ...site, ...(userId === null ? {} : { userId }) }
    return { handle: await this.#ask(kind, asked), options: { ...options } }
  }

  #ask(kind: Who['kind'], asked: Asked): Promise<string> {
    return this.#challenges.ask(`passkey ${kind}`, asked, CHALLENGE_MS)
  }

  async #asked(kind: Who['kind'], handle: string): Promise<Asked> {
    // What `#ask` wrote.
    return (await this.#challenges.take(`passkey ${kind}`, handle)) as unknown as Asked
  }

  async #registered(asked: Asked, response: PasskeyResponse): Promise<NewPasskey> {
    const { verifyRegistrationResponse } = await webauthn()
    const verified = await orNotRecognised(
      verifyRegistrationResponse({
        // Its shape is checked there.
        response: response as unknown as RegistrationResponseJSON,
        expectedChallenge: asked.challenge,
        expectedOrigin: asked.origin,
        expectedRPID: rpIdOf(asked),
        requireUserVerification: true,
        supportedAlgorithmIDs: ALGORITHMS,
      }),
    )
    if (!verified.verified) throw notRecognised()
    const { credential } = verified.registrationInfo
    return {
      credential_id: credential.id,
      public_key: new Uint8Array(credential.publicKey),
      counter: credential.counter,
      transports: JSON.stringify((credential.transports ?? []).filter(isTransport)),
      label: 'Passkey',
    }
  }

  async #authenticated(
    asked: Asked,
    response: PasskeyResponse,
    browser: Browser,
  ): Promise<{ readonly row: PasskeyRow; readonly counter: number }> {
    const { db, tables, entrance } = this.#parts
    const { id } = response
    const row =
      typeof id === 'string'
        ? await db.read((reader) => tables.passkeys.get(reader, 'credential_id = ?', [id]))
        : null
    if (row === null) return entrance.refuse('unknown', browser, notRecognised())
    const { verifyAuthenticationResponse } = await webauthn()
    try {
      const { verified, authenticationInfo } = await verifyAuthenticationResponse({
        // Its shape is checked there.
        response: response as unknown as AuthenticationResponseJSON,
        expectedChallenge: asked.challenge,
        expectedOrigin: asked.origin,
        expectedRPID: rpIdOf(asked),
        requireUserVerification: true,
        credential: {
          id: row.credential_id,
          publicKey: new Uint8Array(row.public_key),
          counter: row.counter,
        },
      })
      if (verified) return { row, counter: authenticationInfo.newCounter }
    } catch {
      // Whatever was wrong with it is told in one text.
    }
    return entrance.refuse('bad-signature', browser, notRecognised())
  }

  #ownPasskeys(userId: UserId): Promise<readonly PasskeyRow[]> {
    const { db, tables } = this.#parts
    return db.read((reader) => tables.passkeys.select(reader, 'user_id = ?', [userId]))
  }

  async #added(
    tx: Tx,
    { caller, passkey }: { readonly caller: Caller; readonly passkey: NewPasskey },
    at: EpochMs,
  ): Promise<Settled<PasskeyRow>> {
    const { tables, standing } = this.#parts
    await standing.standingOf(tx, caller, at)
    const problem = absence(caller, at)
    if (problem !== null) return { fault: problem, record: null }
    if (caller.principal.kind !== 'user') return { fault: notRecognised(), record: null }
    const own = await tables.passkeys.select(tx, 'user_id = ?', [caller.principal.id])
    if (own.length >= MAX_PASSKEYS)
      return { fault: new Fault('CONFLICT', 'Remove a passkey first: there are 20.'), record: null }
    const row = newPasskeyRow(passkey, caller.principal.id, at)
    await tables.passkeys.save(tx, [row])
    await bumpRights(tx)
    return {
      value: row,
      record: {
        kind: 'change',
        action: 'passkey.add',
        caller,
        rows: [['passkeys', row.id, 1]],
        detail: { passkey: row.id, name: row.label },
      },
    }
  }
}

/** The name that passkeys are bound to. @throws {Fault} `BAD_INPUT` for an address of numbers */
function rpIdOf({ origin }: { readonly origin: string }): string {
  const { hostname } = new URL(origin)
  if (/^[\d.]+$|^\[/.test(hostname))
    throw new Fault('BAD_INPUT', 'Passkeys need a name: open this page by its host name.')
  return hostname
}

async function orNotRecognised<T>(verifying: Promise<T>): Promise<T> {
  try {
    return await verifying
  } catch {
    throw notRecognised()
  }
}

function isTransport(text: string): boolean {
  return /^[a-z-]{1,20}$/.test(text)
}

/** One text, whatever was wrong. */
function notRecognised(): Fault {
  return new Fault('UNAUTHENTICATED', 'The passkey was not recognised.')
}
