import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { type Environment, loadSettings, placeVariables, platformDirectories } from './config.ts'
import { isFault } from './faults.ts'

const directories: readonly [
  what: string,
  os: NodeJS.Platform,
  env: Environment,
  home: string,
  data: string,
  state: string,
  config: string,
][] = [
  [
    'Linux',
    'linux',
    {},
    '/home/ada',
    '/home/ada/.local/share/sallyport',
    '/home/ada/.local/state/sallyport',
    '/home/ada/.config/sallyport',
  ],
  [
    'XDG, absolute',
    'linux',
    { XDG_DATA_HOME: '/d', XDG_STATE_HOME: '/s', XDG_CONFIG_HOME: '/c' },
    '/home/ada',
    '/d/sallyport',
    '/s/sallyport',
    '/c/sallyport',
  ],
  [
    'XDG, relative is ignored',
    'linux',
    { XDG_DATA_HOME: 'd', XDG_STATE_HOME: '', XDG_CONFIG_HOME: './c' },
    '/home/ada',
    '/home/ada/.local/share/sallyport',
    '/home/ada/.local/state/sallyport',
    '/home/ada/.config/sallyport',
  ],
  [
    'macOS',
    'darwin',
    { XDG_DATA_HOME: '/d' },
    '/Users/ada',
    '/Users/ada/Library/Application Support/Sallyport/Data',
    '/Users/ada/Library/Application Support/Sallyport/State',
    '/Users/ada/Library/Application Support/Sallyport/Config',
  ],
]
for (const [what, os, env, home, dataDir, stateDir, configDir] of directories)
  test(`platformDirectories: ${what}`, () =>
    assert.deepEqual(platformDirectories(env, os, home), { dataDir, stateDir, configDir }))

test('platformDirectories: Windows keeps data out of the roaming profile', () => {
  const found = platformDirectories({ LOCALAPPDATA: 'L', APPDATA: 'R' }, 'win32', 'H')
  assert.match(found.dataDir, /^L.Sallyport.Data$/)
  assert.match(found.stateDir, /^L.Sallyport.State$/)
  assert.match(found.configDir, /^R.Sallyport$/)
})

test('loadSettings: one folder for all, and each folder on its own wins over it', () => {
  const settings = loadSettings({ SALLYPORT_HOME: '/s', SALLYPORT_STATE_DIR: '/elsewhere' })
  assert.equal(settings.dataDir, '/s/data')
  assert.equal(settings.configDir, '/s/config')
  assert.equal(settings.stateDir, '/elsewhere')
})

test('loadSettings: the older name of the vault variable is read, ours wins', () => {
  assert.equal(loadSettings({}).vault, 'default')
  assert.equal(loadSettings({ ONECLAW_VAULT_ID: 'b' }).vault, 'b')
  assert.equal(loadSettings({ ONECLAW_VAULT_ID: 'b', SALLYPORT_VAULT: 'a' }).vault, 'a')
})

test('loadSettings: inspection is on and blocks by default, and exfiltration warns', () => {
  const { inspection, localOnly, inspectionFile } = loadSettings({ SALLYPORT_HOME: '/s' })
  assert.deepEqual(inspection, {
    isEnabled: true,
    mode: 'block',
    redactsSecrets: true,
    detectsPii: true,
    exfiltration: 'warn',
  })
  assert.equal(localOnly, false)
  assert.equal(inspectionFile, '/s/config/inspection.json')
})

const switches: readonly [name: string, value: string, member: string, means: unknown][] = [
  ['SECURITY_ENABLED', 'false', 'isEnabled', false],
  ['SECURITY_ENABLED', 'TRUE', 'isEnabled', true],
  ['SANITIZATION_MODE', 'surgical', 'mode', 'surgical'],
  ['SANITIZATION_MODE', 'log_only', 'mode', 'log_only'],
  ['REDACT_SECRETS', 'false', 'redactsSecrets', false],
  ['PII_DETECTION', 'false', 'detectsPii', false],
  ['EXFIL_PROTECTION', 'block', 'exfiltration', 'block'],
  ['EXFIL_PROTECTION', 'off', 'exfiltration', 'off'],
]
for (const prefix of ['ONECLAW_MCP_', 'SALLYPORT_MCP_', 'SALLYPORT_'])
  for (const [name, value, member, means] of switches)
    test(`loadSettings: ${prefix}${name}=${value}`, () => {
      const { inspection } = loadSettings({ [`${prefix}${name}`]: value })
      assert.deepEqual(Object.entries(inspection).find(([one]) => one === member)?.[1], means)
    })

test('loadSettings: our name of a switch wins over the older one, and both ask for the scanner alone', () => {
  const { inspection } = loadSettings({
    ONECLAW_MCP_SANITIZATION_MODE: 'log_only',
    SALLYPORT_MCP_SANITIZATION_MODE: 'surgical',
  })
  assert.equal(inspection.mode, 'surgical')
  assert.equal(loadSettings({ ONECLAW_LOCAL_ONLY: 'true' }).localOnly, true)
  assert.equal(loadSettings({ SALLYPORT_LOCAL_ONLY: 'true' }).localOnly, true)
})

const refused: readonly [env: Environment, message: RegExp][] = [
  [{ SALLYPORT_PORT: '65536' }, /SALLYPORT_PORT must be a port/],
  [{ SALLYPORT_PORT: '-1' }, /SALLYPORT_PORT/],
  [{ SALLYPORT_PORT: '80x' }, /SALLYPORT_PORT/],
  [{ SALLYPORT_LOG_LEVEL: 'loud' }, /SALLYPORT_LOG_LEVEL must be one of debug, info/],
  [{ SALLYPORT_KEY_SOURCE: 'none' }, /SALLYPORT_KEY_SOURCE must be one of keychain/],
  [{ ONECLAW_MCP_SECURITY_ENABLED: 'no' }, /ONECLAW_MCP_SECURITY_ENABLED must be one of true, f/],
  [{ SALLYPORT_SANITIZATION_MODE: 'Blok' }, /SALLYPORT_SANITIZATION_MODE must be one of block, s/],
  [{ ONECLAW_LOCAL_ONLY: '1' }, /ONECLAW_LOCAL_ONLY must be one of true, false/],
]
for (const [env, message] of refused)
  test(`loadSettings refuses ${JSON.stringify(env)}`, () =>
    assert.throws(
      () => loadSettings(env),
      (error) => isFault(error, 'BAD_INPUT') && message.test(error.message),
    ))

test('placeVariables: where the vault is, absolute, and nothing that may hold a password', () => {
  assert.deepEqual(
    placeVariables({
      SALLYPORT_HOME: '/s',
      SALLYPORT_VAULT: 'work',
      SALLYPORT_DATABASE_URL: 'postgres://u:p@h/d',
      SALLYPORT_LOG_LEVEL: 'debug',
      PATH: '/bin',
    }),
    { SALLYPORT_HOME: '/s', SALLYPORT_VAULT: 'work' },
  )
  assert.match(placeVariables({ SALLYPORT_HOME: 'rel' })['SALLYPORT_HOME'] ?? '', /^\/.*\/rel$/)
})

test('loadSettings: the allow list is cut at commas and spaces', () => {
  assert.deepEqual(loadSettings({}).netAllow, [])
  assert.deepEqual(
    loadSettings({ SALLYPORT_NET_ALLOW: ' 10.0.0.0/8,idp.lan  http://a.lan:8080,' }).netAllow,
    ['10.0.0.0/8', 'idp.lan', 'http://a.lan:8080'],
  )
})

test('loadSettings: what may hold a password can stand in a file, and what is wrong with it is said without it', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-settings-'))
  try {
    const file = join(folder, 'url')
    writeFileSync(file, 'postgres://u:p@h/d\n')
    const from = (env: Environment) => loadSettings(env).databaseUrl
    assert.equal(from({ SALLYPORT_DATABASE_URL_FILE: file }), 'postgres://u:p@h/d')
    assert.equal(from({ SALLYPORT_DATABASE_URL_FILE: '' }), null)
    assert.equal(
      from({ SALLYPORT_DATABASE_URL: 'postgres://x/y', SALLYPORT_DATABASE_URL_FILE: file }),
      'postgres://x/y',
    )
    for (const [content, message] of [
      ['', /^Fault: SALLYPORT_DATABASE_URL_FILE names a file that is empty or too large\.$/],
      ['x'.repeat(20_000), /empty or too large/],
    ] as const) {
      writeFileSync(file, content)
      assert.throws(() => from({ SALLYPORT_DATABASE_URL_FILE: file }), message)
    }
    assert.throws(
      () => from({ SALLYPORT_DATABASE_URL_FILE: join(folder, 'none') }),
      /^Fault: SALLYPORT_DATABASE_URL_FILE names a file that cannot be read\.$/,
    )
    // Nothing else is read from a file.
    assert.equal(loadSettings({ SALLYPORT_VAULT_FILE: file }).vault, 'default')
  } finally {
    rmSync(folder, { recursive: true })
  }
})
