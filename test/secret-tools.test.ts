import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, test } from 'node:test'
import type { Client } from '@modelcontextprotocol/client'
import { AjvJsonSchemaValidator } from '@modelcontextprotocol/client/validators/ajv'
import { Fault } from '../src/core/faults.ts'
import { type Era, openSecretServer } from './support/secret-server.ts'

const server = await openSecretServer(async () => {
  throw new Fault('INPUT_UNAVAILABLE', 'There is neither a display nor a terminal.')
})
after(() => server.close())

interface Answer {
  readonly text: string
  readonly isError: boolean
  readonly structured: Record<string, unknown>
}

type Schema = Parameters<AjvJsonSchemaValidator['getValidator']>[0]

const listing = await server.connect('legacy')
const validators = new Map(
  (await listing.listTools()).tools.map(({ name, outputSchema = {} }) => [
    name,
    new AjvJsonSchemaValidator().getValidator(outputSchema as Schema),
  ]),
)

async function call(
  client: Client,
  name: string,
  args: Record<string, unknown> = {},
): Promise<Answer> {
  const result = await client.callTool({ name, arguments: args })
  // Older clients check the answer against the listed schema even when it is an error.
  const checked = validators.get(name)?.(result.structuredContent)
  assert.equal(checked?.valid, true, checked?.errorMessage)
  const [content] = result.content
  return {
    text: content?.type === 'text' ? content.text : '',
    isError: result.isError === true,
    structured: result.structuredContent as Record<string, unknown>,
  }
}

const NAMES = [
  'list_secrets',
  'get_secret',
  'input_secret',
  'put_secret',
  'set_secret',
  'describe_secret',
  'search_secrets',
  'delete_secret',
  'rotate_and_store',
  'rotate_generate',
  'get_env_bundle',
  'list_versions',
  'list_vaults',
  'create_vault',
  'inspect_content',
]
const UUID = /^[0-9a-f-]{36}$/
const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/

let folders = 0
/** Each test keeps to paths of its own: they share the vault. */
const folder = (): string => {
  folders += 1
  return `t${folders}`
}

/** One that is redacted: answers about others carry a warning. */
const strong = (): string => randomBytes(24).toString('base64url')

const eras: readonly Era[] = ['legacy', 'modern']
for (const era of eras) {
  const person = await server.connect(era)
  const agent = await server.connect(era, { as: 'agent' })
  const { tools } = await person.listTools()
  await agent.listTools()

  test(`${era}: every tool is listed with title, annotations and closed schemas`, () => {
    assert.deepEqual(
      tools.map((tool) => tool.name),
      NAMES,
    )
    for (const tool of tools) {
      assert.ok(tool.title && tool.description, tool.name)
      assert.equal(tool.inputSchema['additionalProperties'], false, tool.name)
      assert.equal(tool.outputSchema?.['additionalProperties'], false, tool.name)
      const { title: _, ...hints } = tool.annotations ?? {}
      assert.deepEqual(
        Object.keys(hints).toSorted(),
        ['destructiveHint', 'idempotentHint', 'openWorldHint', 'readOnlyHint'],
        tool.name,
      )
    }
  })

  test(`${era}: a secret is stored, listed, described and read, with its ids`, async () => {
    const path = `${folder()}/stripe`
    const value = `sk-${randomBytes(16).toString('hex')}`
    const stored = await call(person, 'put_secret', {
      path,
      value,
      type: 'api_key',
      metadata: { team: 'pay', uses: 2 },
      expires_at: '2999-01-31T00:00:00Z',
      max_access_count: 3,
    })
    assert.equal(stored.text, `Secret stored at '${path}' (version 1, type: api_key).`)
    assert.match(String(stored.structured['id']), UUID)
    assert.match(String(stored.structured['vault_id']), UUID)
    assert.equal(stored.structured['replaced'], null)

    const read = await call(person, 'get_secret', { name: path })
    assert.deepEqual(read.structured, {
      id: stored.structured['id'],
      vault_id: stored.structured['vault_id'],
      path,
      type: 'api_key',
      version: 1,
      value,
      encoding: 'utf8',
    })
    assert.deepEqual(JSON.parse(read.text), read.structured)

    const described = await call(person, 'describe_secret', { path })
    const { created_at, updated_at, ...facts } = described.structured
    assert.match(String(created_at), TIME)
    assert.match(String(updated_at), TIME)
    assert.deepEqual(facts, {
      id: stored.structured['id'],
      vault_id: stored.structured['vault_id'],
      path,
      type: 'api_key',
      version: 1,
      expires_at: '2999-01-31T00:00:00.000Z',
      max_access_count: 3,
      access_count: 1,
      is_disabled: false,
      readable: true,
      metadata: { team: 'pay', uses: 2 },
      byte_length: 35,
      is_binary: false,
    })

    const listed = await call(person, 'list_secrets', { prefix: path })
    assert.deepEqual(listed.structured['names'], [path])
    assert.equal(listed.structured['visible'], 1)
    assert.match(
      listed.text,
      /^Found 1 secret\(s\):\n- \S+ {2}\(api_key, version 1, expires 2999-01-31T00:00:00\.000Z\)\n1 of the \d+ secret\(s\)/,
    )
    const found = await call(person, 'search_secrets', { pattern: path.toUpperCase() })
    assert.deepEqual(found.structured['names'], [path])
  })

  test(`${era}: exactly one log line says that a value was answered`, async () => {
    const path = `${folder()}/logged`
    const value = randomBytes(16).toString('hex')
    await call(person, 'set_secret', { name: path, value })
    const from = server.lines.length
    await call(person, 'get_secret', { path })
    await call(person, 'describe_secret', { path })
    const lines = server.lines.slice(from).map((line) => JSON.parse(line) as { message: string })
    assert.deepEqual(
      lines.map(({ message }) => message),
      [`secret accessed: ${path}`],
    )
    assert.ok(!server.lines.join('').includes(value))
  })

  const values: readonly [what: string, sent: Record<string, string>, answered: object][] = [
    ['quotes and é', { value: '"quo$te\\ é' }, { value: '"quo$te\\ é', encoding: 'utf8' }],
    ['empty bytes in text', { value: 'a\u0000b' }, { value: 'a\u0000b', encoding: 'utf8' }],
    [
      'bytes that are no text',
      { value: '/wD+', encoding: 'base64', type: 'file' },
      { value: '/wD+', encoding: 'base64' },
    ],
  ]
  for (const [what, sent, answered] of values)
    test(`${era}: a value with ${what} comes back as it was`, async () => {
      const path = `${folder()}/exact`
      await call(person, 'put_secret', { path, ...sent })
      const { value, encoding } = (await call(person, 'get_secret', { path })).structured
      assert.deepEqual({ value, encoding }, answered)
    })

  test(`${era}: rotation keeps type and metadata, and versions are listed`, async () => {
    const path = `${folder()}/rotated`
    await call(person, 'put_secret', { path, value: 'one', type: 'password', metadata: { a: 1 } })
    const second = await call(person, 'rotate_and_store', { path, value: strong() })
    assert.equal(second.text, `Rotated secret at '${path}'. New version: 2.`)
    const third = await call(person, 'rotate_generate', { path, length: 40, charset: 'hex' })
    assert.equal(third.structured['version'], 3)
    assert.ok(!('value' in third.structured))
    const { value } = (await call(person, 'get_secret', { path })).structured
    assert.match(String(value), /^[0-9a-f]{40}$/)
    const first = await call(person, 'get_secret', { path, version: 1 })
    assert.equal(first.structured['value'], 'one')
    const { structured } = await call(person, 'describe_secret', { path })
    assert.deepEqual([structured['type'], structured['metadata']], ['password', { a: 1 }])
    const versions = await call(person, 'list_versions', { path })
    assert.deepEqual(
      (versions.structured['versions'] as { version: number }[]).map(({ version }) => version),
      [3, 2, 1],
    )
  })

  test(`${era}: an env bundle is answered as names and values`, async () => {
    const path = `${folder()}/bundle`
    const text = '# comment\n\nA=1\nB=two words\n'
    await call(person, 'put_secret', { path, value: text, type: 'env_bundle' })
    const bundle = await call(person, 'get_env_bundle', { path })
    assert.deepEqual(bundle.structured['variables'], { A: '1', B: 'two words' })
  })

  test(`${era}: delete is soft and says how to undo it`, async () => {
    const path = `${folder()}/gone`
    await call(person, 'set_secret', { path, value: 'x' })
    const deleted = await call(person, 'delete_secret', { path })
    assert.equal(
      deleted.text,
      `Secret at '${path}' has been soft-deleted. To bring it back: sallyport secret undelete ${path}`,
    )
    const read = await call(person, 'get_secret', { path })
    assert.equal(read.text, `No secret found at path '${path}'.`)
  })

  test(`${era}: 404, 410 and 403 in the sentences of the seed`, async () => {
    const path = `${folder()}/once`
    const absent = await call(person, 'get_secret', { path })
    assert.deepEqual(absent, {
      isError: true,
      text: `No secret found at path '${path}'.`,
      structured: {
        error: {
          code: 'SECRET_NOT_FOUND',
          message: `No secret found at path '${path}'.`,
          help: 'list the paths you may read',
          details: { path },
        },
      },
    })
    await call(person, 'put_secret', { path, value: 'x', max_access_count: 1 })
    assert.equal((await call(person, 'get_secret', { path })).isError, false)
    const spent = await call(person, 'get_secret', { path })
    assert.equal(
      spent.text,
      `Secret at path '${path}' is expired or has exceeded its maximum access count.`,
    )
    for (const name of ['get_secret', 'delete_secret', 'rotate_generate']) {
      const denied = await call(agent, name, { path })
      assert.match(
        denied.text,
        /^Access denied \(agent doesn't have a policy for this path\)(\n.*)?$/,
        name,
      )
      assert.equal((denied.structured['error'] as { code: string }).code, 'ACCESS_DENIED')
    }
  })

  test(`${era}: an agent without an approved project lists and stores where nothing is`, async () => {
    const path = `${folder()}/fresh`
    const stored = await call(agent, 'set_secret', { name: path, value: strong() })
    assert.equal(stored.text, `OK: '${path}' stored (version 1).`)
    const again = await call(agent, 'set_secret', { name: path, value: 'other' })
    assert.equal(again.isError, true)
    const listed = await call(agent, 'list_secrets', { prefix: path })
    const [secret] = listed.structured['secrets'] as { path: string; readable: boolean }[]
    assert.deepEqual([secret?.path, secret?.readable], [path, false])
  })

  const bad: readonly [what: string, tool: string, args: Record<string, unknown>, text: RegExp][] =
    [
      ['both names', 'get_secret', { path: 'a', name: 'a' }, /^Give 'path' or 'name', not both\./],
      ['no name', 'get_secret', {}, /^'path' is missing/],
      ['an unknown argument', 'get_secret', { path: 'a', as: 'x' }, /unknown argument 'as'/],
      ['a path too long', 'get_secret', { path: 'a'.repeat(513) }, /^'path': /],
      ['a path with dots', 'put_secret', { path: '../a', value: 'x' }, /./],
      ['no base64', 'put_secret', { path: 'a', value: '*', encoding: 'base64' }, /^'value' is not/],
      ['half a character', 'put_secret', { path: 'a', value: '\ud800' }, /^'value' is not well/],
      [
        'a date without zone',
        'put_secret',
        { path: 'a', value: 'x', expires_at: '2030-01-01' },
        /'exp/,
      ],
      ['a count of zero', 'put_secret', { path: 'a', value: 'x', max_access_count: 0 }, /'max_acc/],
      ['an unknown type', 'put_secret', { path: 'a', value: 'x', type: 'rune' }, /^'type': /],
      [
        'nested metadata',
        'put_secret',
        { path: 'a', value: 'x', metadata: { a: {} } },
        /^'metadata/,
      ],
      ['a length below 8', 'rotate_generate', { path: 'a', length: 7 }, /^'length': /],
      ['a value too long', 'put_secret', { path: 'a', value: 'x'.repeat(65_537) }, /./],
    ]
  for (const [what, tool, args, text] of bad)
    test(`${era}: refused: ${what}`, async () => {
      const answer = await call(person, tool, args)
      assert.equal(answer.isError, true)
      assert.match(answer.text, text)
      const { code } = answer.structured['error'] as { code: string }
      assert.ok(['BAD_INPUT', 'TOO_LARGE'].includes(code), code)
    })

  test(`${era}: if_version stores only over the version it names`, async () => {
    const path = `${folder()}/cas`
    await call(person, 'put_secret', { path, value: 'one', if_version: 0 })
    const clash = await call(person, 'put_secret', { path, value: 'two', if_version: 0 })
    assert.equal((clash.structured['error'] as { code: string }).code, 'VERSION_CONFLICT')
    const second = await call(person, 'put_secret', { path, value: 'two', if_version: 1 })
    assert.equal(second.structured['replaced'], 1)
  })

  test(`${era}: vaults are created and listed, and X-Vault-ID chooses one`, async () => {
    const name = `team-${era}`
    const created = await call(person, 'create_vault', { name, description: 'ours' })
    assert.match(String(created.structured['id']), UUID)
    const listed = await call(person, 'list_vaults')
    const names = (listed.structured['vaults'] as { name: string }[]).map((one) => one.name)
    assert.ok(names.includes(name) && names.includes('default'))

    const other = await server.connect(era, { vault: String(created.structured['id']) })
    const path = `${folder()}/there`
    const stored = await call(other, 'set_secret', { path, value: 'x' })
    assert.equal(stored.structured['vault_id'], created.structured['id'])
    assert.equal((await call(person, 'get_secret', { path })).isError, true)
    const nowhere = await server.connect(era, { vault: 'no-such-vault' })
    const missed = await call(nowhere, 'list_secrets')
    assert.equal((missed.structured['error'] as { code: string }).code, 'VAULT_NOT_FOUND')
  })

  test(`${era}: the resource lists secrets without values and tells of changes`, async () => {
    const path = `${folder()}/told`
    const { resources } = await person.listResources()
    assert.deepEqual(
      resources.map(({ uri, mimeType }) => [uri, mimeType]),
      [['vault://secrets', 'application/json']],
    )
    const told = new Promise<string>((resolve) => {
      person.setNotificationHandler('notifications/resources/updated', ({ params }) =>
        resolve(params.uri),
      )
    })
    if (era === 'legacy') await person.subscribeResource({ uri: 'vault://secrets' })
    else await person.listen({ resourceSubscriptions: ['vault://secrets'] })
    await call(person, 'put_secret', { path, value: 'unseen-value' })
    assert.equal(await told, 'vault://secrets')
    const { contents } = await person.readResource({ uri: 'vault://secrets' })
    const text = String((contents[0] as { text?: string }).text)
    assert.ok(!text.includes('unseen-value'))
    const entry = (JSON.parse(text) as { path: string }[]).find((one) => one.path === path)
    assert.deepEqual(Object.keys(entry ?? {}), [
      'id',
      'path',
      'type',
      'version',
      'expires_at',
      'readable',
    ])
  })

  test(`${era}: with no page and no dialog the command to use is named`, async () => {
    const path = `${folder()}/asked`
    const answer = await call(agent, 'input_secret', { name: path, prompt: 'please' })
    assert.match(answer.text, new RegExp(`sallyport secret put ${path}`))
    assert.equal((answer.structured['error'] as { code: string }).code, 'INPUT_UNAVAILABLE')
  })
}

test('what the server says of itself', async () => {
  const client = await server.connect('legacy')
  assert.match(client.getInstructions() ?? '', /input_secret/)
  assert.match(client.getInstructions() ?? '', /Never ask the person to paste a secret/)
  assert.ok((client.getInstructions() ?? '').length < 2000)
  assert.deepEqual(client.getServerVersion()?.name, 'sallyport')
})
