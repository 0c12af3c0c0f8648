import { randomBytes } from 'node:crypto'
import { Fault } from '../core/faults.ts'
import { SecretText } from '../core/secret-text.ts'
import { newParams, verifierFor, verify } from '../crypto/index.ts'

const MIN_LENGTH = 12
const HASH_BYTES = 32

/** What is tried first wherever twelve characters are asked for, without digits and signs around it. */
const COMMON = [
  'password',
  'passwort',
  'passphrase',
  'letmein',
  'welcome',
  'iloveyou',
  'qwerty',
  'qwertyuiop',
  'qwertzuiop',
  'azertyuiop',
  'asdfghjkl',
  'zxcvbnm',
  'abcdefghijkl',
  'administrator',
  'admin',
  'changeme',
  'changemenow',
  'secret',
  'topsecret',
  'sallyport',
  'football',
  'baseball',
  'sunshine',
  'princess',
  'dragon',
  'monkey',
  'superman',
  'trustno',
  'correcthorsebatterystaple',
]
const RUNS = ['01234567890123456789', '98765432109876543210', '1q2w3e4r5t6z7u8i9o0p']

/**
 * Why a text is no password for this account, or null.
 *
 * @param email of the account
 */
export function passwordProblem(password: string, email: string): string | null {
  const text = password.normalize('NFKC')
  if ([...text].length < MIN_LENGTH) return `must have at least ${MIN_LENGTH} characters`
  const plain = text.toLowerCase()
  const [local = ''] = email.split('@')
  if (plain === email || (local.length >= 4 && stripped(plain) === stripped(local)))
    return 'must not be the e-mail address'
  const letters = stripped(plain)
  const doubled = letters.slice(0, letters.length / 2)
  const core = `${doubled}${doubled}` === letters ? doubled : letters
  if (COMMON.includes(core) || RUNS.some((run) => `${run}${run}`.includes(plain)))
    return 'is one of those that are tried first'
  if (new Set(plain).size < 5) return 'must have at least five different characters'
  return null
}

/** Without digits and signs at both ends, which are the usual disguise. */
function stripped(text: string): string {
  return text.replace(/^[\d\p{P}\p{S}\s]+/u, '').replace(/[\d\p{P}\p{S}\s]+$/u, '')
}

/**
 * @returns the Argon2id record to keep
 * @throws {Fault} `BAD_INPUT` on `password`
 */
export async function newPasswordRecord(password: string, email: string): Promise<string> {
  const why = passwordProblem(password, email)
  if (why !== null)
    throw new Fault('BAD_INPUT', `The password ${why}.`, { details: { field: 'password' } })
  const text = SecretText.fromText(password)
  try {
    return await verifierFor(text)
  } catch (error) {
    if (error instanceof Fault && error.code === 'BAD_INPUT')
      throw new Fault('BAD_INPUT', error.message.replace('passphrase', 'password'), {
        details: { field: 'password' },
      })
    throw error
  } finally {
    text.wipe()
  }
}

/** Whether it is the password. As slow when there is none: a record that nothing fits is computed instead. */
export async function isPassword(password: string, record: string | null): Promise<boolean> {
  const text = SecretText.fromText(password)
  try {
    const isRight = await verify(text, record ?? unfitting())
    return isRight && record !== null
  } finally {
    text.wipe()
  }
}

function unfitting(): string {
  const hash = randomBytes(HASH_BYTES).toString('base64url')
  return JSON.stringify({ ...JSON.parse(newParams()), hash })
}
