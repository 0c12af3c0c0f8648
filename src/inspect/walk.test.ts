import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Kind } from './finding.ts'
import { readJsonText } from './json-text.ts'
import { kindOfName } from './kinds.ts'
import { pathOf } from './place.ts'
import { type KindSources, walk } from './walk.ts'

const named: readonly [name: string, kind: Kind | null][] = [
  ['command', 'shell'],
  ['file_path', 'path'],
  ['filePath', 'path'],
  ['TARGET-URL', 'url'],
  ['user_id', 'id'],
  ['sqlQuery', 'sql'],
  ['path_id', 'id'],
  ['query', null],
  ['city', null],
  ['', null],
  ['password', null],
  ['constructor', null],
]
for (const [name, kind] of named)
  test(`kindOfName: ${name}`, () => assert.equal(kindOfName(name), kind))

function kindsIn(value: unknown, sources?: KindSources): readonly string[] {
  return walk(value, sources)
    .leaves.filter((one) => !one.isKey)
    .map((one) => `${pathOf(one.place)} ${one.kind} ${one.isGuessed ? 'guessed' : 'told'}`)
}

const schema = {
  type: 'object',
  properties: {
    home: { type: 'string', format: 'uri' },
    value: { type: 'string', writeOnly: true },
    files: { type: 'array', items: { type: 'string', format: 'uuid' } },
  },
}

const kinds: readonly [
  what: string,
  value: unknown,
  sources: KindSources,
  leaves: readonly string[],
][] = [
  ['a bare text', 'x', {}, ['$ null guessed']],
  ['a bare text of a kind', 'x', { kind: 'shell' }, ['$ shell told']],
  [
    'a name suggests',
    { command: 'x', city: 'y' },
    {},
    ['$.command shell guessed', '$.city null guessed'],
  ],
  [
    'what stands among commands is one, what is said beside it is not',
    { scripts: { build: 'x', lint: ['y'] }, hooks: { Stop: [{ type: 'x', description: 'y' }] } },
    {},
    [
      '$.scripts.build shell guessed',
      '$.scripts.lint[0] shell guessed',
      '$.hooks.Stop[0].type shell guessed',
      '$.hooks.Stop[0].description null guessed',
    ],
  ],
  [
    'a name of its own decides among commands too',
    { scripts: { cwd: 'x' }, steps: [{ run: 'y' }], dry_run: 'z' },
    {},
    ['$.scripts.cwd path guessed', '$.steps[0].run shell guessed', '$.dry_run null guessed'],
  ],
  ['elements have the kind of their list', { paths: ['x'] }, {}, ['$.paths[0] path guessed']],
  [
    'a kind for all wins over names',
    { command: 'x' },
    { kind: 'description' },
    ['$.command description told'],
  ],
  [
    'a schema wins over names',
    { home: 'x', files: ['y'] },
    { schema },
    ['$.home url told', '$.files[0] id told'],
  ],
  ['a schema may say secret', { value: 'x' }, { schema }, ['$.value secret told']],
  [
    'a path wins over a schema',
    { value: 'x' },
    { schema, kinds: { '$.value': 'text' } },
    ['$.value text told'],
  ],
  [
    'a path for every element',
    { a: [{ b: 'x' }] },
    { kinds: { '$.a[*].b': 'sql' } },
    ['$.a[0].b sql told'],
  ],
  [
    'long numbers are texts',
    [4111111111111111, 12, 5n],
    {},
    ['$[0] null guessed', '$[2] null guessed'],
  ],
  ['what is no text has no leaf', [null, true, undefined, 1.5, new Uint8Array(3)], {}, []],
]
for (const [what, value, sources, leaves] of kinds)
  test(`walk: ${what}`, () => assert.deepEqual(kindsIn(value, sources), leaves))

const neighbours: readonly [what: string, value: unknown, names: readonly (string | null)[]][] = [
  ['a value beside its name', { name: 'API_KEY', value: 'x' }, ['name', 'API_KEY']],
  ['before its name too', { value: 'x', key: 'token' }, ['token', 'key']],
  ['only the member that says nothing', { key: 'token', note: 'x' }, ['key', 'note']],
  ['a long text is no name', { name: 'n'.repeat(65), value: 'x' }, ['name', 'value']],
  ['a pair', { env: [['API_KEY', 'x']] }, ['env', 'API_KEY']],
  ['a list of three is no pair', { list: ['password', 'token', 'x'] }, ['list', 'list', 'list']],
  ['a flag and its value', ['curl', '--api-key', 'x', '-v'], [null, null, 'api-key', null]],
  ['a sentence is no name', ['two words', 'x'], [null, null]],
]
for (const [what, value, names] of neighbours) {
  test(`names: ${what}`, () => {
    const inValue = walk(value).leaves.filter((one) => !one.isKey)
    assert.deepEqual(
      inValue.map((one) => one.name),
      names,
    )
    const inText = readJsonText(JSON.stringify(value))?.filter((one) => !one.isKey)
    assert.deepEqual(
      inText?.map(({ text, name, kind }) => ({ text, name, kind })),
      inValue.map(({ text, name, kind }) => ({ text, name, kind })),
    )
  })
}

test('walk: names of keys are leaves, and odd ones are quoted in a path', () => {
  const { leaves, isWhole } = walk({ 'a b': { 'c"': 'x' } })
  assert.equal(isWhole, true)
  assert.deepEqual(
    leaves.map((one) => [pathOf(one.place), one.text, one.isKey, one.name]),
    [
      ['$["a b"]', 'a b', true, null],
      ['$["a b"]["c\\""]', 'c"', true, null],
      ['$["a b"]["c\\""]', 'x', false, 'c"'],
    ],
  )
})
