import { type Argon2Parameters, argon2, randomBytes, timingSafeEqual } from 'node:crypto'
import { Fault } from '../core/faults.ts'
import type { SecretText } from '../core/secret-text.ts'
import { SEAL_KEY_BYTES } from './key-source.ts'

/** Characters after normalisation. */
export const MIN_PASSPHRASE_LENGTH = 8
const MAX_PASSPHRASE_BYTES = 1_024

/**
 * How a passphrase is hashed: stored as JSON with whatever the hash protects.
 * Source: RFC 9106 section 4, second recommended option (t=3, p=4, m=64 MiB, 128-bit salt, 256-bit tag).
 */
interface PassphraseParams {
  readonly algorithm: 'argon2id'
  readonly memoryKiB: number
  readonly passes: number
  readonly parallelism: number
  readonly salt: Buffer
}

const RECOMMENDED = { memoryKiB: 65_536, passes: 3, parallelism: 4, saltBytes: 16 }
/** The least that a record may state. */
const LEAST = { memoryKiB: 8_192, passes: 1, parallelism: 1, saltBytes: 16 }
let cost = RECOMMENDED

/** A record may have been edited to eat all memory or to make guessing cheap: neither is computed. */
const BOUNDS = {
  memoryKiB: [8_192, 262_144],
  passes: [1, 10],
  parallelism: [1, 16],
  saltBytes: [16, 64],
} as const

/**
 * What new hashes cost in this process, for tests of something else than the hash: with the least, what takes many
 * answers takes a twenty-fourth of the time. Records say what they cost, so that every process reads them.
 */
export function hashAtCost(chosen: 'recommended' | 'least'): void {
  cost = chosen === 'least' ? LEAST : RECOMMENDED
}

/** @returns JSON to store: algorithm, cost and a fresh salt */
export function newParams(): string {
  const { memoryKiB, passes, parallelism, saltBytes } = cost
  const salt = randomBytes(saltBytes).toString('base64url')
  return JSON.stringify({ algorithm: 'argon2id', memoryKiB, passes, parallelism, salt })
}

/**
 * The key of 32 bytes that belongs to a passphrase. At most two are computed at once (64 MiB each).
 *
 * @param params - JSON of `newParams`; fields that it does not know are left alone
 * @throws {Fault} `KEY_INVALID` when the parameters are damaged or out of bounds, `BAD_INPUT` when the passphrase is too long
 */
export async function derive(passphrase: SecretText, params: string): Promise<Buffer> {
  return hash(passphrase, readParams(fieldsOf(params)))
}

/**
 * What to store so that a passphrase can be recognised later.
 *
 * @returns JSON: the parameters and the hash
 * @throws {Fault} `BAD_INPUT` when the passphrase is not good enough for a new one
 */
export async function verifierFor(passphrase: SecretText): Promise<string> {
  assertNewPassphrase(passphrase)
  const params = newParams()
  const tag = await derive(passphrase, params)
  return JSON.stringify({ ...JSON.parse(params), hash: tag.toString('base64url') })
}

/**
 * Whether this is the passphrase, compared in constant time.
 *
 * @throws {Fault} `KEY_INVALID` when the record is damaged
 */
export async function verify(passphrase: SecretText, record: string): Promise<boolean> {
  const fields = fieldsOf(record)
  const expected = bytesField(fields, 'hash', SEAL_KEY_BYTES, SEAL_KEY_BYTES)
  const params = readParams(fields)
  if (passphrase.byteLength > MAX_PASSPHRASE_BYTES) return false
  const actual = await hash(passphrase, params)
  try {
    return timingSafeEqual(actual, expected)
  } finally {
    actual.fill(0)
  }
}

/** @throws {Fault} `BAD_INPUT` when it is too short, too long or holds what cannot be typed again */
export function assertNewPassphrase(passphrase: SecretText): void {
  const text = normalise(passphrase)
  const refuse = (why: string) =>
    new Fault('BAD_INPUT', `The passphrase ${why}.`, { details: { field: 'passphrase' } })
  // Line ends, and code points that a later Unicode version may normalise in another way.
  if (/[\p{Cc}\p{Cn}\p{Cs}]/u.test(text)) throw refuse('holds a character that cannot be used')
  if (text.trim() !== text) throw refuse('must not start or end with a space')
  if ([...text].length < MIN_PASSPHRASE_LENGTH)
    throw refuse(`must have at least ${MIN_PASSPHRASE_LENGTH} characters`)
  if (new Set(text).size < 3) throw refuse('must not repeat one or two characters')
}

/** One spelling for what looks the same on any keyboard: NFKC, every space as U+0020 (compare RFC 8265, section 4). */
function normalise(passphrase: SecretText): string {
  if (passphrase.byteLength > MAX_PASSPHRASE_BYTES)
    throw new Fault('BAD_INPUT', `The passphrase has more than ${MAX_PASSPHRASE_BYTES} bytes.`, {
      details: { field: 'passphrase' },
    })
  return passphrase
    .reveal()
    .normalize('NFKC')
    .replace(/\p{Zs}/gu, ' ')
}

async function hash(passphrase: SecretText, params: PassphraseParams): Promise<Buffer> {
  const message = Buffer.from(normalise(passphrase), 'utf8')
  try {
    return await oneOfTwo(() =>
      argon2id({
        message,
        nonce: params.salt,
        memory: params.memoryKiB,
        passes: params.passes,
        parallelism: params.parallelism,
        tagLength: SEAL_KEY_BYTES,
      }),
    )
  } finally {
    message.fill(0)
  }
}

function argon2id(parameters: Argon2Parameters): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    argon2('argon2id', parameters, (error, tag) => {
      if (error === null) resolve(tag)
      else reject(error)
    })
  })
}

let running = 0
const waiting: (() => void)[] = []

/** Many wrong guesses at once must not fill the memory or the thread pool. */
async function oneOfTwo<T>(work: () => Promise<T>): Promise<T> {
  if (running < 2) running += 1
  // The one that ends hands its place over, so `running` stays.
  else await new Promise<void>((resolve) => waiting.push(resolve))
  try {
    return await work()
  } finally {
    const next = waiting.shift()
    if (next === undefined) running -= 1
    else next()
  }
}

type Fields = ReadonlyMap<string, unknown>

function damaged(field: string): Fault {
  return new Fault(
    'KEY_INVALID',
    `The stored record of the passphrase is damaged (${field}); restore the last backup.`,
    { details: { field } },
  )
}

function fieldsOf(json: string): Fields {
  try {
    const parsed: unknown = JSON.parse(json)
    if (typeof parsed === 'object' && parsed !== null) return new Map(Object.entries(parsed))
  } catch {
    // Said below, for every kind of damage alike.
  }
  throw damaged('JSON')
}

function readParams(fields: Fields): PassphraseParams {
  if (fields.get('algorithm') !== 'argon2id') throw damaged('algorithm')
  const within = (name: 'memoryKiB' | 'passes' | 'parallelism'): number => {
    const value = fields.get(name)
    const [least, most] = BOUNDS[name]
    if (typeof value !== 'number' || !Number.isInteger(value) || value < least || value > most)
      throw damaged(name)
    return value
  }
  return {
    algorithm: 'argon2id',
    memoryKiB: within('memoryKiB'),
    passes: within('passes'),
    parallelism: within('parallelism'),
    salt: bytesField(fields, 'salt', ...BOUNDS.saltBytes),
  }
}

function bytesField(fields: Fields, name: string, least: number, most: number): Buffer {
  const text = fields.get(name)
  if (typeof text !== 'string' || text.length > 2 * most) throw damaged(name)
  const bytes = Buffer.from(text, 'base64url')
  if (bytes.toString('base64url') !== text || bytes.length < least || bytes.length > most)
    throw damaged(name)
  return bytes
}
