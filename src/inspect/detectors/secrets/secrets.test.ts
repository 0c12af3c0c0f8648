import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createEngine } from '../../engine.ts'
import { SECRETS } from './index.ts'
import { sampleOf } from './token-shape.ts'

const engine = createEngine(SECRETS)
const value = sampleOf('{A30}', 9)

/** What stands at the spans that were found in a text. */
const found = (text: string): readonly string[] =>
  engine
    .inspect(text, { kind: 'text' })
    .filter((one) => one.confidence >= 0.5)
    .map((one) => text.slice(one.start, one.end))

const forms: readonly [what: string, text: string][] = [
  ['an environment file', `API_TOKEN=${value}`],
  ['YAML', `api_token: ${value}  # for tests`],
  ['a literal', `const apiToken = '${value}';`],
  ['a literal with its type', `var apiToken string = "${value}"`],
  ['a hash of Ruby', `'api_token' => '${value}'`],
  ['a comparison', `if (apiToken === "${value}")`],
  ['a comparison the other way round', `if ("${value}" == apiToken)`],
  ['a call', `client.setApiToken("${value}")`],
  ['a call with the name as a text', `System.setProperty("API_TOKEN", "${value}")`],
  ['an element', `<apiToken>\n    ${value}\n</apiToken>`],
  ['a setting of XML', `<add key="ApiToken" value="${value}" />`],
  ['JSON inside a text', `{\\"api_token\\": \\"${value}\\"}`],
  ['the query of an address', `https://host.example/v1?api_token=${value}&page=2`],
  ['an option', `deploy --api-token ${value} --verbose`],
  ['an entry of a manifest', `- name: API_TOKEN\n  value: "${value}"`],
]
for (const [what, text] of forms)
  test(`a value under its name is found and nothing beside it: ${what}`, () =>
    assert.deepEqual([...new Set(found(text))], [value]))

test('the name of a JSON member counts for its value', () => {
  const findings = engine.inspect({ database: { password: 'r7Kw!q2zLp' } })
  assert.deepEqual(
    findings.map(({ detector, path, start, end }) => ({ detector, path, start, end })),
    [{ detector: 'generic-secret', path: '$.database.password', start: 0, end: 10 }],
  )
})

test('in a list only a value that looks drawn is told by the name before it', () => {
  assert.deepEqual(found('columns("token", "v2beta1x-7k")'), [])
  assert.deepEqual(found(`set("token", "${value}")`), [value])
  assert.deepEqual(found('token = "v2beta1x-7k"'), ['v2beta1x-7k'])
})

test('a stand-in of a token counts for nothing', () => {
  assert.deepEqual(found(`ghp_${'x'.repeat(36)}`), [])
  assert.deepEqual(found(`AKIA${'X'.repeat(16)}`), [])
})

test('a token inside a longer word is none', () => {
  const token = sampleOf('ghp_{A36}')
  assert.deepEqual(found(`see ${token}.`), [token])
  assert.deepEqual(found(`z${token}`), [])
})

test('what a header of a JWT does not name is no token', () => {
  const body = sampleOf('{w40}')
  assert.deepEqual(found(`eyJuYW1lIjoicGxhaW4iLCJzaXplIjoxMn0.${body}.${body}`), [])
})

const json = (one: unknown): string => Buffer.from(JSON.stringify(one)).toString('base64url')
const header = json({ alg: 'HS256', typ: 'JWT' })
const jwt = `${header}.${json({ sub: 'a7', iat: 17 })}.${sampleOf('{w43}')}`
const drawn = sampleOf('{b43}', 3)
const password = sampleOf('{A14}', 3)
const puttyKey = (version: string, lines: string): string =>
  `${['PuTTY-User', 'Key-File', version].join('-')}: ssh-rsa\nComment: mine\nPublic-Lines: 1\nAAAA\n${lines}: 8\n`

const detectorCases: readonly [
  detector: string,
  what: string,
  text: string,
  expected: readonly string[],
][] = [
  ['json-web-token', 'after a word and a dash', `id-${jwt} x`, [jwt]],
  ['json-web-token', 'inside a longer run of base64', `AA${jwt}`, []],
  [
    'json-web-token',
    'with five parts',
    `${jwt}.${drawn.replaceAll(/[+/]/g, 'x')}.`,
    [`${jwt}.${drawn.replaceAll(/[+/]/g, 'x')}.`],
  ],
  ['json-web-token', 'two in a row', `${jwt} ${jwt}`, [jwt, jwt]],
  ['json-web-token', 'without a payload', `${header}.abc`, []],
  [
    'private-key',
    'of PuTTY',
    puttyKey('2', 'Private-Lines'),
    [puttyKey('2', 'Private-Lines').trim()],
  ],
  ['private-key', 'of PuTTY, the public part alone', puttyKey('2', 'More-Lines'), []],
  [
    'connection-string',
    'fields between',
    `"Server=db;Port=1; Database=x;Password=${password};"`,
    [password],
  ],
  ['connection-string', 'a name before it', `conn = "uid=app;pwd=${password}"`, [password]],
  ['connection-string', 'no server', `Port=1;Database=x;Password=${password}`, []],
  ['connection-string', 'a field of another form', `Server=db;say "hi";Password=${password}`, []],
  [
    'connection-string',
    'of a store',
    `Endpoint=https://a.example;Id=k9-l8:abc;Secret=${drawn}=`,
    [`${drawn}=`],
  ],
  ['connection-string', 'an id alone', `Id=k9-l8-s0:abcdefgh;Secret=${drawn}=`, [`${drawn}=`]],
  ['connection-string', 'a secret of nobody', `Name=x;Secret=${drawn}=`, []],
  ['connection-string', 'a signature', `https://a.example/?sv=1&sig=${drawn}%3D`, [`${drawn}%3D`]],
  ['command-credentials', 'a proxy', `curl --proxy-user ada:${password} x`, [password]],
  ['command-credentials', 'an option inside a word', `x--user ada:${password} x`, []],
  ['command-credentials', 'a host behind it', `tool -u ada:${password}@host`, []],
  ['command-credentials', 'psexec', `psexec \\\\host -u ada -p ${password} cmd`, [password]],
  ['url-credentials', 'two at signs', `ftp://ada:a@${password}@host/x`, [`a@${password}`]],
  ['url-credentials', 'no scheme', `://ada:${password}@host/x`, []],
]
for (const [detector, what, text, expected] of detectorCases)
  test(`${detector}: ${what}`, () =>
    assert.deepEqual(
      engine
        .inspect(text, { kind: 'text' })
        .filter((one) => one.detector === detector && one.confidence >= 0.5)
        .map((one) => text.slice(one.start, one.end)),
      expected,
    ))

test('there are at least 120 kinds of tokens, and no text of a token in the table', () => {
  assert.ok(SECRETS.length >= 130)
  for (const one of SECRETS) assert.match(one.severity, /^(?:critical|high|medium)$/, one.id)
})
