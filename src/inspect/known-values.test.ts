import assert from 'node:assert/strict'
import { createHmac, createSecretKey, generateKeyPairSync, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { fingerprintKey, fingerprintsOf } from './fingerprint.ts'
import { KnownValues } from './known-values.ts'

const PRINCIPAL = 'agent:local'
const PATH = 'keys/one'
const MARKER = '[REDACTED:keys/one]'

const secretKey = createSecretKey(randomBytes(32))
const KEY = fingerprintKey((bytes) => createHmac('sha256', secretKey).update(bytes).digest())

function knowing(...values: readonly (string | Uint8Array)[]): KnownValues {
  const known = new KnownValues(KEY)
  values.forEach((value, index) => {
    const bytes = typeof value === 'string' ? Buffer.from(value) : value
    const { fingerprints, lines } = fingerprintsOf(KEY, bytes)
    assert.notEqual(fingerprints.length, 0, 'the value is strong enough')
    known.remember(
      PRINCIPAL,
      { id: `${index}`, path: index === 0 ? PATH : `keys/${index + 1}`, version: 1 },
      [fingerprints, ...lines].flat(),
    )
  })
  return known
}

/** Independent of the code under test: made of node's own encoders and of single characters. */
const hexOf = (unit: string, width: number): string =>
  unit.charCodeAt(0).toString(16).padStart(width, '0')
const percentByte = (byte: number): string => `%${byte.toString(16).padStart(2, '0')}`
const base64 = (text: string): string => Buffer.from(text).toString('base64')

const ENCODERS: Readonly<Record<string, (value: string) => string>> = {
  raw: (value) => value,
  'base64, first alignment': base64,
  'base64, second alignment': (value) => base64(`:${value}`),
  'base64, third alignment': (value) => base64(`u:${value}`),
  'base64 between others': (value) => base64(`user:${value};and more`),
  base64url: (value) => Buffer.from(`?${value}`).toString('base64url'),
  hex: (value) => Buffer.from(value).toString('hex'),
  HEX: (value) => Buffer.from(value).toString('hex').toUpperCase(),
  'mixed hex': (value) =>
    [...Buffer.from(value).toString('hex')]
      .map((digit, index) => (index % 3 === 0 ? digit.toUpperCase() : digit))
      .join(''),
  percent: encodeURIComponent,
  'percent, every byte': (value) => [...Buffer.from(value)].map(percentByte).join(''),
  'percent, every third character': (value) =>
    [...value]
      .map((one, index) => (index % 3 === 0 ? percentAll(one) : one === '%' ? '%25' : one))
      .join(''),
  'percent twice': (value) => encodeURIComponent([...Buffer.from(value)].map(percentByte).join('')),
  'form encoded': (value) => new URLSearchParams({ v: value }).toString(),
  JSON: (value) => JSON.stringify(value),
  'JSON in JSON': (value) => JSON.stringify(JSON.stringify({ value })),
  'every character as \\u': (value) =>
    Array.from({ length: value.length }, (_, i) => `\\u${hexOf(value[i]!, 4)}`).join(''),
  'every character as \\U in capitals': (value) =>
    Array.from({ length: value.length }, (_, i) => `\\u${hexOf(value[i]!, 4).toUpperCase()}`).join(
      '',
    ),
  'every byte as \\x': (value) =>
    pairs(value)
      .map((pair) => `\\x${pair}`)
      .join(''),
  'every byte in octal': (value) =>
    Array.from(Buffer.from(value), (byte) => `\\${byte.toString(8).padStart(3, '0')}`).join(''),
  'every character as \\U': (value) =>
    [...value].map((one) => `\\U${one.codePointAt(0)!.toString(16).padStart(8, '0')}`).join(''),
  'every character as %u': (value) =>
    Array.from({ length: value.length }, (_, i) => `%u${hexOf(value[i]!, 4)}`).join(''),
  'codes of bytes in lines': (value) =>
    Array.from(
      Buffer.from(value),
      (byte, index) => `${byte},${index % 12 === 11 ? '\n' : ' '}`,
    ).join(''),
  'an array in C': (value) =>
    pairs(value)
      .map((pair) => `0x${pair}`)
      .join(', '),
  'signs escaped, as in Markdown': (value) => value.replaceAll(/[!-/:-@[-`{-~]/g, '\\$&'),
  'colours between': (value) =>
    [...value].map((one, i) => (i % 5 === 2 ? `\x1b[01;31m\x1b[K${one}\x1b[m` : one)).join(''),
  'slashes escaped': (value) => JSON.stringify(value).replaceAll('/', '\\/'),
  'decimal entities': (value) => [...value].map((one) => `&#${one.codePointAt(0)};`).join(''),
  'hex entities': (value) =>
    [...value].map((one) => `&#x${one.codePointAt(0)!.toString(16)};`).join(''),
  'HTML text': (value) =>
    value
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replaceAll('>', '&gt;')
      .replaceAll('"', '&quot;')
      .replaceAll("'", '&#39;'),
  'UTF-16LE as text': (value) => Buffer.from(value, 'utf16le').toString('latin1'),
  'UTF-16BE as text': (value) => Buffer.from(value, 'utf16le').swap16().toString('latin1'),
  'UTF-16LE in base64': (value) => Buffer.from(value, 'utf16le').toString('base64'),
  reversed: (value) => [...value].toReversed().join(''),
  'base64 in base64': (value) => base64(`a${base64(value)}`),
  'base64 in base64 in base64': (value) => base64(base64(`x=${base64(`y${value}`)}`)),
  'base64 in JSON in base64': (value) => base64(JSON.stringify({ k: base64(`ab${value}`) })),
  'hex in base64': (value) => base64(`0x${Buffer.from(value).toString('hex')}`),
  'base64 in hex': (value) => Buffer.from(base64(value)).toString('hex'),
  'percent in base64': (value) => base64(`q=${[...Buffer.from(value)].map(percentByte).join('')}`),
  'base64, percent encoded': (value) => encodeURIComponent(base64(value)),
  'base64 in lines of 64': (value) => wrapped(base64(long(value)), 64, '\n'),
  'base64 in lines of 76, CRLF': (value) => wrapped(base64(long(value)), 76, '\r\n'),
  'base64 in lines of 64, second alignment': (value) =>
    wrapped(base64(`:${long(value)}`), 64, '\n'),
  'base64 in lines of 76, CRLF, third alignment': (value) =>
    wrapped(base64(`u:${long(value)}`), 76, '\r\n'),
  'base64 in short lines': (value) => wrapped(base64(value), 28, '\n'),
  'base64 in indented lines': (value) => wrapped(base64(long(value)), 64, '\n    '),
  'base64 in base64 in lines': (value) => wrapped(base64(`k=${base64(value)}`), 64, '\n'),
  'base64 in lines in JSON': (value) =>
    JSON.stringify({ body: wrapped(base64(long(value)), 76, '\r\n') }),
  'base64 in lines in base64': (value) => base64(wrapped(base64(long(value)), 64, '\n')),
  'hex in lines': (value) => wrapped(Buffer.from(long(value)).toString('hex'), 60, '\n'),
  'hex with colons': (value) => pairs(value).join(':'),
  'hex with spaces, in capitals': (value) => pairs(value).join(' ').toUpperCase(),
  'hex with hyphens, mixed': (value) =>
    pairs(value)
      .map((pair, index) => (index % 2 === 0 ? pair.toUpperCase() : pair))
      .join('-'),
  'hex with spaces between fours': (value) => wrapped(Buffer.from(value).toString('hex'), 4, ' '),
  'hex with colons in lines': (value) =>
    wrapped(`${pairs(long(value)).join(':')}:`, 45, '\n    ').replace(/:$/, ''),
  'hex with spaces in lines, CRLF': (value) =>
    pairs(long(value))
      .map((pair, index) => pair + (index % 16 === 15 ? '\r\n' : ' '))
      .join('')
      .trimEnd(),
  'hex with colons in JSON in JSON': (value) =>
    JSON.stringify(JSON.stringify(pairs(value).join(':'))),
  'hex with spaces in base64': (value) => base64(pairs(value).join(' ')),
  'every character as \\u, in JSON': (value) =>
    JSON.stringify(
      Array.from({ length: value.length }, (_, i) => `\\u${hexOf(value[i]!, 4)}`).join(''),
    ),
  'JSON in JSON in JSON': (value) =>
    JSON.stringify({ a: JSON.stringify({ b: JSON.stringify({ c: value }) }) }),
}

/** Long enough to be broken into lines. */
function long(value: string): string {
  return `user=${value};host=db.example.org;port=5432;timeout=30`
}

function wrapped(text: string, width: number, lineEnd: string): string {
  return text.replaceAll(new RegExp(`.{${width}}(?=.)`, 'gs'), `$&${lineEnd}`)
}

function pairs(value: string): readonly string[] {
  return Array.from(Buffer.from(value), (byte) => byte.toString(16).padStart(2, '0'))
}

function percentAll(text: string): string {
  return [...Buffer.from(text)].map(percentByte).join('')
}

const SECRETS: Readonly<Record<string, string>> = {
  // With 18 bytes every fortieth is one whose stretch can be guessed.
  token: `sk_live_${randomBytes(24).toString('base64url')}`,
  'hex key': randomBytes(16).toString('hex'),
  symbols: 'zP4"\\&<q%/7w\'K$x9+Lm~2!vR#cT8@yB',
  'not ASCII': 'Wß7é-qXñ2-Kå9ß-pÖ4z-Tü8r-mÇ3v-л5Ж',
  'with spaces': 'k9 Qz7 xW2 pL5 vR8 mT3 cY6 bN1 hJ4',
  astral: 'q7X-\u{1F511}-zW9kP4vR8mT3cY6bN1hJ4fG2',
}

for (const [what, encode] of Object.entries(ENCODERS))
  test(`known values: ${what} is recognised and nothing of it is left`, () => {
    for (const [kind, value] of Object.entries(SECRETS)) {
      const encoded = encode(value)
      const known = knowing(value)
      const { text, matches } = known.redact(PRINCIPAL, `before ${encoded} after`)
      assert.ok(matches.length > 0, `${kind}: not found`)
      assert.ok(text.includes(MARKER), kind)
      assert.ok(text.startsWith('before ') && text.endsWith(' after'), `${kind}: ${matches.length}`)
      assert.deepEqual(known.scan(PRINCIPAL, text), [], `${kind}: something is left`)
      // What is left of the encoding are quotes, a user's name and the like, not half a value.
      const left = text.length - MARKER.length - 'before  after'.length
      assert.ok(left < (/ines/.test(what) ? 220 : 60), `${kind}: ${left} characters are left`)
    }
  })

test('known values: any subset of characters percent-encoded or escaped', () => {
  const value = SECRETS['token']!
  const known = knowing(value)
  fc.assert(
    fc.property(
      fc.array(fc.nat(5), { minLength: value.length, maxLength: value.length }),
      (how) => {
        const percent = [...value].map((one, i) => (how[i]! < 3 ? percentAll(one) : one)).join('')
        assert.equal(known.redact(PRINCIPAL, `a ${percent} b`).text, `a ${MARKER} b`)
        const escaped = [...value]
          .map(
            (one, i) =>
              [
                one,
                `\\u${hexOf(one, 4)}`,
                `\\x${hexOf(one, 2)}`,
                `\\u{${hexOf(one, 1)}}`,
                one,
                one,
              ][how[i]!],
          )
          .join('')
        assert.equal(known.redact(PRINCIPAL, `a ${escaped} b`).text, `a ${MARKER} b`)
        const entities = [...value]
          .map(
            (one, i) =>
              [
                one,
                `&#${one.charCodeAt(0)};`,
                `&#x${hexOf(one, 6)};`,
                `&#X${hexOf(one, 2)};`,
                one,
                one,
              ][how[i]!],
          )
          .join('')
        assert.equal(known.redact(PRINCIPAL, `a ${entities} b`).text, `a ${MARKER} b`)
      },
    ),
    { numRuns: 200 },
  )
})

const pkcs8 = { format: 'pem', type: 'pkcs8' } as const
const PRIVATE_KEYS: Readonly<Record<string, string>> = {
  RSA: generateKeyPairSync('rsa', { modulusLength: 1_024 }).privateKey.export(pkcs8).toString(),
  'RSA, traditional': generateKeyPairSync('rsa', { modulusLength: 1_024 })
    .privateKey.export({ format: 'pem', type: 'pkcs1' })
    .toString(),
  P256: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export(pkcs8).toString(),
  'P256, encrypted': generateKeyPairSync('ec', { namedCurve: 'P-256' })
    .privateKey.export({ ...pkcs8, cipher: 'aes-256-cbc', passphrase: 'p' })
    .toString(),
  Ed25519: generateKeyPairSync('ed25519').privateKey.export(pkcs8).toString(),
}
const bodyOf = (pem: string): readonly string[] =>
  pem.split('\n').filter((line) => line !== '' && !line.startsWith('-'))

for (const [kind, pem] of Object.entries(PRIVATE_KEYS))
  test(`known values: the body of a private key is recognised without its armour: ${kind}`, () => {
    const body = bodyOf(pem)
    const forms = [
      pem.trim(),
      body.join('\n'),
      body.join('\r\n'),
      body.join('\n      '),
      body.join(''),
      pem.trim().replaceAll('\n', '\r\n'),
      JSON.stringify(body.join('\n')).slice(1, -1),
      encodeURIComponent(body.join('\n').replace(/=+$/, '')),
    ]
    const account = JSON.stringify({ type: 'service_account', private_key: pem, client_id: '1' })
    for (const value of [pem, account]) {
      const known = knowing(value)
      for (const form of value === pem ? forms : forms.slice(1, 5))
        assert.equal(
          known.redact(PRINCIPAL, `a\n${form}\nb`).text,
          `a\n${MARKER}\nb`,
          JSON.stringify(form),
        )
    }
  })

/** How programs show the lines of a file. */
const SHOWN_LINES: Readonly<Record<string, (line: string, index: number) => string>> = {
  'cat -n': (line, index) => `${String(index + 1).padStart(6)}\t${line}`,
  'grep -n': (line, index) => `${index + 1}:${line}`,
  'a diff': (line) => `+${line}`,
  'quoted mail': (line) => `> ${line}`,
  CSV: (line) => `"${line}",`,
  'a program': (line) => `'${line}\\n' +`,
}

for (const [how, shown] of Object.entries(SHOWN_LINES))
  test(`known values: every line of a private key is recognised alone, in ${how}`, () => {
    for (const pem of [
      PRIVATE_KEYS['RSA']!,
      PRIVATE_KEYS['P256']!,
      PRIVATE_KEYS['P256, encrypted']!,
    ]) {
      const known = knowing(pem)
      const body = bodyOf(pem)
      const whole = known.redact(PRINCIPAL, pem.trim().split('\n').map(shown).join('\n')).text
      for (const [index, line] of body.entries()) {
        // Of a last line with a few characters of the key nothing is kept: it could be guessed.
        if (line.length < 24) continue
        assert.ok(!whole.includes(line.replace(/=+$/, '')), `${line} in ${whole}`)
        const alone = shown(line, index)
        const { text } = known.redact(PRINCIPAL, alone)
        assert.equal(text, alone.replace(line.replace(/=+$/, ''), MARKER))
      }
      const other = randomBytes(48).toString('base64')
      assert.deepEqual(known.scan(PRINCIPAL, shown(other, 0)), [], 'another line')
    }
  })

test('known values: what the keys of OpenSSH have in common is let through', () => {
  const common = 'b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW'
  const own = randomBytes(150).toString('base64').replace(/.{70}/g, '$&\n').trim()
  const known = knowing(
    `-----BEGIN OPENSSH PRIVATE KEY-----\n${common}\n${own}\n-----END OPENSSH PRIVATE KEY-----\n`,
  )
  assert.equal(known.redact(PRINCIPAL, common).text, common)
  assert.equal(known.redact(PRINCIPAL, own.split('\n')[1]!).text, MARKER)
})

const ACCOUNT = {
  type: 'service_account',
  private_key_id: randomBytes(20).toString('hex'),
  private_key: PRIVATE_KEYS['RSA']!,
  auth_uri: 'https://accounts.google.com/o/oauth2/auth',
}
const FILES: Readonly<Record<string, readonly [file: string, lines: readonly string[]]>> = {
  'a key file of JSON': [
    JSON.stringify(ACCOUNT, null, 2),
    [ACCOUNT.private_key_id, ...bodyOf(ACCOUNT.private_key).slice(1, -1)],
  ],
  'JSON in one line': [
    JSON.stringify(ACCOUNT),
    [ACCOUNT.private_key_id, ...bodyOf(ACCOUNT.private_key).slice(1, -1)],
  ],
  'a .env file': [
    `# made by hand\nexport A_KEY="${SECRETS['token']}"\nB_KEY=${SECRETS['hex key']}\r\nC='${SECRETS['with spaces']}'\n`,
    [SECRETS['token']!, SECRETS['hex key']!, SECRETS['with spaces']!],
  ],
  YAML: [
    `users:\n  - name: me\n    token: ${SECRETS['token']}\n    url: postgres://u:kD9-x7Qw2zP4@db.example.org/a\n`,
    [SECRETS['token']!, 'postgres://u:kD9-x7Qw2zP4@db.example.org/a'],
  ],
}

for (const [what, [file, lines]] of Object.entries(FILES))
  test(`known values: of ${what}, each line that tells something is recognised in any encoding`, () => {
    const known = knowing(file)
    assert.equal(known.redact(PRINCIPAL, `a ${file.trim()} b`).text, `a ${MARKER} b`, 'as a whole')
    for (const line of lines) {
      assert.equal(known.redact(PRINCIPAL, `a ${line} b`).text, `a ${MARKER} b`)
      for (const [how, encode] of Object.entries(ENCODERS)) {
        const { text, matches } = known.redact(PRINCIPAL, `before ${encode(line)} after`)
        assert.ok(matches.length > 0, `${how}: ${line} is not found`)
        assert.deepEqual(known.scan(PRINCIPAL, text), [], `${how}: something is left`)
      }
    }
    const common = ACCOUNT.auth_uri
    assert.equal(known.redact(PRINCIPAL, common).text, common)
  })

test('known values: lines of a file in a stream, cut at every offset', () => {
  const pem = PRIVATE_KEYS['P256']!
  const known = knowing(pem)
  const text = `${'x '.repeat(30)}\n${pem.trim().split('\n').map(SHOWN_LINES['cat -n']!).join('\n')}\nafter`
  const whole = known.redact(PRINCIPAL, text).text
  for (let cut = 0; cut <= text.length; cut += 1) {
    const stream = known.stream(PRINCIPAL)
    const out = stream.push(text.slice(0, cut)) + stream.push(text.slice(cut)) + stream.end()
    assert.equal(out, whole, `cut at ${cut}`)
  }
})

test('known values: the public half of a certificate is let through', () => {
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 1_024 })
  const shown = publicKey.export({ format: 'pem', type: 'spki' }).toString()
  const known = knowing(`${PRIVATE_KEYS['P256']}${shown}`)
  assert.equal(known.redact(PRINCIPAL, shown).text, shown)
})

test('known values: a stream redacts a private key as if it came in one, cut at every offset', () => {
  const pem = PRIVATE_KEYS['P256']!
  const known = knowing(pem)
  for (const form of [pem, bodyOf(pem).join('\n'), JSON.stringify({ key: pem })]) {
    const text = `${'x '.repeat(30)}\nbefore\n${form}\nafter ${'y '.repeat(40)}`
    const whole = known.redact(PRINCIPAL, text).text
    assert.ok(whole.includes(MARKER))
    for (let cut = 0; cut <= text.length; cut += 1) {
      const stream = known.stream(PRINCIPAL)
      const out = stream.push(text.slice(0, cut)) + stream.push(text.slice(cut)) + stream.end()
      assert.equal(out, whole, `${form.slice(0, 30)}, cut at ${cut}`)
    }
  }
})

test('known values: ordinary lines of a stream go out when they end', () => {
  const known = knowing(SECRETS['token']!)
  const stream = known.stream(PRINCIPAL)
  for (const line of [
    'Cloning into repository\n',
    'error: 3 tests failed\n',
    '  at main (a.ts:3)\n',
  ])
    assert.equal(stream.push(line), line)
})

test('known values: a long text of digits is streamed in bounded room', () => {
  const known = knowing(SECRETS['token']!)
  const stream = known.stream(PRINCIPAL)
  let held = 0
  let most = 0
  for (let line = 0; line < 600; line += 1) {
    const text = `${randomBytes(48).toString('base64')}\n`
    held += text.length - stream.push(text).length
    most = Math.max(most, held)
  }
  assert.ok(most < 4_000, `${most} units were held`)
})

test('known values: a stream redacts as if it came in one, cut at every offset', () => {
  for (const value of [SECRETS['token']!, SECRETS['symbols']!]) {
    const known = knowing(value)
    for (const [what, encode] of Object.entries(ENCODERS)) {
      const text = `${'x '.repeat(30)}\nbefore ${encode(value)} after ${'y '.repeat(40)}`
      const whole = known.redact(PRINCIPAL, text).text
      for (let cut = 0; cut <= text.length; cut += 1) {
        const stream = known.stream(PRINCIPAL)
        const out = stream.push(text.slice(0, cut)) + stream.push(text.slice(cut)) + stream.end()
        assert.equal(out, whole, `${what}, cut at ${cut}`)
      }
    }
  }
})

test('known values: any value, broken into lines of any width and into groups', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 24, maxLength: 60 }),
      fc.integer({ min: 24, max: 90 }),
      fc.constantFrom('\n', '\r\n', '\n  ', '\r\n\t'),
      fc.constantFrom(':', ' ', '-'),
      fc.constantFrom(2, 4),
      fc.string({ maxLength: 70 }),
      (seed, width, lineEnd, separator, group, before) => {
        // Not the seed itself: one that shrinks is too weak to be remembered.
        const value = createHmac('sha512', 'v')
          .update(seed)
          .digest('base64url')
          .slice(0, seed.length)
        fc.pre(fingerprintsOf(KEY, Buffer.from(value)).fingerprints.length > 0)
        const known = knowing(value)
        for (const encoded of [
          wrapped(base64(`${before}${value};`), width, lineEnd),
          wrapped(Buffer.from(`${before}${value}`).toString('hex'), width, lineEnd),
          wrapped(Buffer.from(value).toString('hex'), group, separator),
          wrapped(Buffer.from(value).toString('hex').toUpperCase(), group, separator),
        ]) {
          const { text } = known.redact(PRINCIPAL, `a ${encoded} b`)
          assert.ok(text.includes(MARKER), encoded)
          assert.deepEqual(known.scan(PRINCIPAL, text), [])
        }
      },
    ),
    { numRuns: 150 },
  )
})

test('known values: a stream redacts as if it came in one, in pieces of any size', () => {
  const value = SECRETS['symbols']!
  const known = knowing(value)
  fc.assert(
    fc.property(
      fc.constantFrom(...Object.values(ENCODERS)),
      fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 40 }),
      fc.constantFrom('', '\n', ' text\n', 'z'.repeat(300)),
      (encode, sizes, between) => {
        const text = `${between}${encode(value)}${between} ${encode(value)}${between}`
        const stream = known.stream(PRINCIPAL)
        let out = ''
        for (let at = 0, i = 0; at < text.length; i += 1) {
          const size = sizes[i % sizes.length]!
          out += stream.push(text.slice(at, at + size))
          at += size
        }
        out += stream.end()
        assert.equal(out, known.redact(PRINCIPAL, text).text)
      },
    ),
    { numRuns: 300 },
  )
})

test('known values: a forgotten value is let through, one that lies elsewhere too is not', () => {
  const value = SECRETS['token']!
  const { fingerprints } = fingerprintsOf(KEY, Buffer.from(value))
  const known = new KnownValues(KEY)
  known.remember(PRINCIPAL, { id: 'a', path: 'a', version: 1 }, fingerprints)
  known.remember(PRINCIPAL, { id: 'b', path: 'b', version: 3 }, fingerprints)
  known.forget(PRINCIPAL, 'a', 2)
  assert.equal(known.redact(PRINCIPAL, value).text, '[REDACTED:a]')
  known.forget(PRINCIPAL, 'a')
  assert.equal(known.redact(PRINCIPAL, value).text, '[REDACTED:b]')
  known.forget(PRINCIPAL, 'b', 3)
  assert.equal(known.redact(PRINCIPAL, value).text, value)
  assert.equal(known.count(PRINCIPAL), 0)
})

test('known values: nobody sees the values of another principal', () => {
  const known = knowing(SECRETS['token']!)
  assert.deepEqual(known.scan('agent:other', SECRETS['token']!), [])
})

test('known values: any text can be scanned, lone surrogates and half escapes too', () => {
  const known = knowing(...Object.values(SECRETS))
  const piece = fc.constantFrom(
    '\\',
    '\\u',
    '%',
    '%C',
    '%C3',
    '&#',
    '&#x',
    '\ud83d',
    '\udd11',
    'QUJD',
    '4a',
  )
  fc.assert(
    fc.property(
      fc.array(fc.oneof(piece, fc.string({ unit: 'binary' })), { maxLength: 60 }),
      (parts) => {
        assert.deepEqual(known.scan(PRINCIPAL, parts.join('')), [])
      },
    ),
  )
})

test('known values: a run of digits may hold any number of runs of hex digits', () => {
  const known = knowing(SECRETS['token']!)
  assert.deepEqual(known.scan(PRINCIPAL, `z${'0'.repeat(24)}`.repeat(80_000)), [])
})

test('known values: a text made of the window of a value takes no more than seconds', () => {
  const value = randomBytes(1_500).toString('base64')
  const known = knowing(value)
  const started = process.cpuUsage()
  // Every part of the value but never the whole: whichever part holds the window is there often.
  const text = value.slice(1, -1).repeat(400)
  known.redact(PRINCIPAL, text)
  const used = process.cpuUsage(started)
  assert.ok(used.user + used.system < 8_000_000, `${used.user / 1_000} ms`)
})

test('known values: a text made of the window of a long value takes no more than seconds', () => {
  const value = randomBytes(48_000).toString('base64')
  const { fingerprints } = fingerprintsOf(KEY, Buffer.from(value))
  const { windowAt } = fingerprints.find(({ variant }) => variant === 'raw') ?? assert.fail()
  const known = knowing(value)
  const started = process.cpuUsage()
  known.scan(PRINCIPAL, value.slice(windowAt, windowAt + 8).repeat(65_536))
  const { user, system } = process.cpuUsage(started)
  assert.ok(user + system < 3_000_000, `${user + system} µs`)
})

test('known values: the same text is hashed once, however often and in however many encodings it stands', () => {
  let hashed = 0
  const value = randomBytes(24).toString('base64url')
  const own = fingerprintKey((bytes) => {
    hashed += 1
    return createHmac('sha256', secretKey).update(bytes).digest()
  })
  const known = new KnownValues(own)
  const { fingerprints } = fingerprintsOf(own, Buffer.from(value))
  known.remember(PRINCIPAL, { id: '1', path: PATH, version: 1 }, fingerprints)
  const line = (bytes: string): string =>
    `00000000: ${Buffer.from(bytes).toString('hex').replaceAll(/.{4}/g, '$& ')} ${bytes}\n`
  for (const text of [value, line(value.slice(0, 16)), line(value.slice(8, 24))]) {
    hashed = 0
    known.redact(PRINCIPAL, `${text} `.repeat(2_000))
    assert.ok(hashed <= 2 * fingerprints.length, `${hashed} times`)
  }
})

test('known values: a text of letters with marks takes less than a second', () => {
  const known = knowing(SECRETS['token']!)
  const started = process.cpuUsage()
  known.redact(PRINCIPAL, 'a\u0301'.repeat(1_000_000))
  const used = process.cpuUsage(started)
  assert.ok(used.user + used.system < 1_000_000, `${used.user / 1_000} ms`)
})
