import * as z from 'zod'
import type {
  Browser,
  PeoplePort,
  PersonalKeyInfo,
  PersonInfo,
  PersonToken,
  SignInPort,
} from '../../core/people-port.ts'
import { toIso } from '../../core/time.ts'
import {
  newPersonalKeySchema,
  personalKeyBody,
  personalKeySchema,
  personTokenSchema,
  profileSchema,
} from '../contract/people.ts'
import { type Answered, type Call, type Operation, operation } from '../operation.ts'
import { isoOrNull, optionalMoment } from './moments.ts'

const WRONG = { description: 'What was sent does not count.' }
const THROTTLED = { description: 'Too many failed attempts; Retry-After says how long to wait.' }

/** People of the organisation. Opened when somebody first asks. */
export interface PeopleDoors {
  readonly people: PeoplePort
  readonly signIn: SignInPort
}

/** What programs of people may do: accounts themselves are made and changed in person, on the pages or the machine. */
export function peopleOperations(open: () => Promise<PeopleDoors>): readonly Operation[] {
  return [
    operation({
      id: 'exchangeUserKey',
      method: 'POST',
      path: '/v1/auth/api-key-token',
      tag: 'auth',
      summary: "Changes a person's key for a short-lived token, which dies with the key.",
      isPublic: true,
      body: z.object({ api_key: z.string() }),
      answers: {
        200: { description: 'A token.', schema: personTokenSchema },
        401: WRONG,
        429: THROTTLED,
      },
      async handle(call) {
        const { signIn } = await open()
        return tokenAnswer(await signIn.exchangeKey(call.body.api_key, browserOf(call)))
      },
    }),
    operation({
      id: 'exchangePassword',
      method: 'POST',
      path: '/v1/auth/token',
      tag: 'auth',
      summary: 'Changes e-mail and password for a short-lived token.',
      isPublic: true,
      body: z.object({ email: z.string(), password: z.string() }),
      answers: {
        200: { description: 'A token.', schema: personTokenSchema },
        401: WRONG,
        429: THROTTLED,
      },
      async handle(call) {
        const { signIn } = await open()
        const { email, password } = call.body
        return tokenAnswer(await signIn.exchangePassword(email, password, browserOf(call)))
      },
    }),
    operation({
      id: 'getOwnAccount',
      method: 'GET',
      path: '/v1/auth/me',
      tag: 'auth',
      summary: 'The account of the person who is asking.',
      answers: {
        200: { description: 'The account.', schema: profileSchema },
        403: { description: 'An agent is asking.' },
      },
      async handle({ caller }) {
        return { status: 200, body: profileFields(await (await open()).people.me(caller)) }
      },
    }),
    operation({
      id: 'listUserKeys',
      method: 'GET',
      path: '/v1/auth/api-keys',
      tag: 'auth',
      summary: 'The keys of the person who is asking.',
      answers: {
        200: {
          description: 'The oldest first; what was revoked is not listed.',
          schema: z.object({ keys: z.array(personalKeySchema) }),
        },
      },
      async handle({ caller }) {
        const keys = await (await open()).people.keys(caller)
        return { status: 200, body: { keys: keys.map(keyFields) } }
      },
    }),
    operation({
      id: 'createUserKey',
      method: 'POST',
      path: '/v1/auth/api-keys',
      tag: 'auth',
      summary: 'A new key of the person who is asking, with the token of a password just typed.',
      body: personalKeyBody,
      withheld: ['api_key'],
      answers: {
        201: { description: 'Made.', schema: newPersonalKeySchema },
        403: { description: 'A key makes no keys.' },
      },
      async handle({ caller, body }) {
        const expiresAt = optionalMoment('expires_at', body.expires_at) ?? null
        const { people } = await open()
        const { name, scopes = null } = body
        const { info, key } = await people.createKey(caller, { name, scopes, expiresAt })
        try {
          return { status: 201, body: { key: keyFields(info), api_key: key.reveal() } }
        } finally {
          key.wipe()
        }
      },
    }),
    operation({
      id: 'revokeUserKey',
      method: 'DELETE',
      path: '/v1/auth/api-keys/{key}',
      tag: 'auth',
      summary: 'Revokes a key of the person who is asking, with every token of it.',
      answers: { 204: { description: 'Revoked.' }, 404: { description: 'There is no such key.' } },
      async handle({ caller, params }) {
        await (await open()).people.revokeKey(caller, params['key'] ?? '')
        return { status: 204 }
      },
    }),
    operation({
      id: 'listMembers',
      method: 'GET',
      path: '/v1/org/members',
      tag: 'org',
      summary: 'The people of the organisation. Owners, admins and auditors.',
      answers: {
        200: {
          description: 'The oldest first.',
          schema: z.object({ members: z.array(profileSchema) }),
        },
        403: { description: 'Not for this caller.' },
      },
      async handle({ caller }) {
        const list = await (await open()).people.list(caller)
        return { status: 200, body: { members: list.map(profileFields) } }
      },
    }),
  ]
}

function browserOf(call: Call): Browser {
  return { address: call.address, agent: call.header('user-agent') }
}

function tokenAnswer({ token, expiresInSeconds, person }: PersonToken): Answered {
  try {
    return {
      status: 200,
      body: {
        access_token: token.reveal(),
        token_type: 'Bearer',
        expires_in: expiresInSeconds,
        user_id: person.id,
      },
    }
  } finally {
    token.wipe()
  }
}

export function profileFields(person: PersonInfo) {
  return {
    id: person.id,
    email: person.email,
    display_name: person.name ?? '',
    auth_method: person.hasPassword ? 'password' : 'other',
    role: person.role,
    email_verified: true,
    is_active: person.isActive,
    created_at: toIso(person.createdAt),
  }
}

function keyFields(key: PersonalKeyInfo) {
  return {
    id: key.id,
    name: key.name,
    key_prefix: key.prefix,
    scopes: key.scopes ?? [],
    is_active: true,
    created_at: toIso(key.createdAt),
    expires_at: isoOrNull(key.expiresAt),
  }
}
