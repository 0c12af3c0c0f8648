import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import type { PasskeyQuestion, PasskeyResponse } from '../../src/core/people-port.ts'

const PRESENT_AND_VERIFIED = 0x05
const HAS_CREDENTIAL = 0x40

/** An authenticator in this process, with one ES256 key for one site. @see https://www.w3.org/TR/webauthn-3/ section 6 */
export class SoftPasskey {
  readonly #origin: string
  readonly #id = randomBytes(16)
  readonly #key: KeyObject
  readonly #point: { readonly x: Buffer; readonly y: Buffer }
  #counter = 0

  /** @param origin `http://localhost:4747` */
  constructor(origin: string) {
    this.#origin = origin
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const { x = '', y = '' } = publicKey.export({ format: 'jwk' })
    this.#key = privateKey
    this.#point = { x: Buffer.from(x, 'base64url'), y: Buffer.from(y, 'base64url') }
  }

  /** Answers the question for a new passkey. */
  register(question: PasskeyQuestion): PasskeyResponse {
    const { x, y } = this.#point
    // COSE_Key: EC2, ES256, P-256.
    const key = Buffer.concat([Buffer.from('a5010203262001215820', 'hex'), x, HEAD_OF_Y, y])
    const length = Buffer.from([0, this.#id.length])
    const attested = Buffer.concat([Buffer.alloc(16), length, this.#id, key])
    const data = Buffer.concat([this.#authenticatorData(HAS_CREDENTIAL), attested])
    // {"fmt": "none", "attStmt": {}, "authData": h'…'}
    const object = Buffer.concat([
      Buffer.from('a363666d74646e6f6e656761747453746d74a068617574684461746158', 'hex'),
      Buffer.from([data.length]),
      data,
    ])
    return this.#credential({
      clientDataJSON: this.#clientData('webauthn.create', question).toString('base64url'),
      attestationObject: object.toString('base64url'),
    })
  }

  /** Answers the question whether the person is there. */
  answer(question: PasskeyQuestion): PasskeyResponse {
    const data = this.#authenticatorData(0)
    const client = this.#clientData('webauthn.get', question)
    const signed = Buffer.concat([data, createHash('sha256').update(client).digest()])
    return this.#credential({
      clientDataJSON: client.toString('base64url'),
      authenticatorData: data.toString('base64url'),
      signature: sign('sha256', signed, this.#key).toString('base64url'),
    })
  }

  #credential(response: Readonly<Record<string, string>>): PasskeyResponse {
    const id = this.#id.toString('base64url')
    return { id, rawId: id, type: 'public-key', clientExtensionResults: {}, response }
  }

  #authenticatorData(more: number): Buffer {
    this.#counter += 1
    const head = Buffer.alloc(5)
    head.writeUInt8(PRESENT_AND_VERIFIED | more)
    head.writeUInt32BE(this.#counter, 1)
    const site = createHash('sha256').update(new URL(this.#origin).hostname).digest()
    return Buffer.concat([site, head])
  }

  #clientData(type: string, { options }: PasskeyQuestion): Buffer {
    const { challenge } = options
    return Buffer.from(JSON.stringify({ type, challenge, origin: this.#origin }))
  }
}

/** Label -3 of the key, and a byte string of 32. */
const HEAD_OF_Y = Buffer.from('225820', 'hex')
