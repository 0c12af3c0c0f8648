// One policy in every form it may be written in.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { stringify as writeYaml } from 'yaml'
import { convertedPolicy } from '../../src/policy/tool-policy/convert-policy.ts'
import { decideTool } from '../../src/policy/tool-policy/decide.ts'
import { formattedPolicy } from '../../src/policy/tool-policy/format-policy.ts'
import { readToolPolicy, toolPolicyOf } from '../../src/policy/tool-policy/index.ts'
import { call, policyDocument } from '../support/random-policies.ts'

const bytes = (text: string): Buffer => Buffer.from(text)
const RUNS = { numRuns: 60 }
/** Quoted where readers of older YAML would see no text. */
const stringify = (document: object): string =>
  writeYaml(document, { compat: 'yaml-1.1', aliasDuplicateObjects: false })

test('a policy decides alike in JSON, in YAML, converted either way, and formatted', async () => {
  await fc.assert(
    fc.asyncProperty(policyDocument, fc.array(call, { minLength: 1 }), async (document, calls) => {
      const json = JSON.stringify(document)
      const yaml = stringify(document)
      const toYaml = await convertedPolicy('p.json', bytes(json), 'yaml')
      const toJson = await convertedPolicy('p.yaml', bytes(yaml), 'json')
      const policies = await Promise.all([
        toolPolicyOf('p.json', bytes(json)),
        toolPolicyOf('p.yaml', bytes(yaml)),
        toolPolicyOf('p.yaml', bytes(toYaml.text ?? assert.fail())),
        toolPolicyOf('p.json', bytes(toJson.text ?? assert.fail())),
        toolPolicyOf('p.json', bytes(await formattedPolicy('p.json', bytes(json)))),
        toolPolicyOf('p.yaml', bytes(await formattedPolicy('p.yaml', bytes(yaml)))),
      ])
      for (const one of calls) {
        const [first, ...others] = policies.map((policy) => decideTool(policy, one))
        for (const other of others) assert.deepEqual(plain(other), plain(first))
      }
    }),
    RUNS,
  )
})

test('texts hold every sign that JSON allows in them as it is', async () => {
  const value = ' !"\\\u007f\u0085\u009f\u2028\ud7ff\ue000\u{1f600}\u{10ffff}'
  const document = {
    version: '1',
    default: 'deny',
    tools: { t: { require: [{ conditions: [{ path: 'args.a', op: 'eq', value }] }] } },
  }
  const json = bytes(JSON.stringify(document))
  const formatted = await formattedPolicy('p.json', json)
  const yaml = stringify(document).replace(/[\u0085\u2028]/g, (char) => escapes(char).slice(1, -1))
  const { text } = await convertedPolicy('p.yaml', bytes(yaml), 'json')
  for (const one of [json, bytes(formatted), bytes(text ?? '')])
    assert.deepEqual(JSON.parse(String(one)), document)
  for (const one of [json, bytes(formatted), bytes(text ?? '')]) {
    const read = await readToolPolicy(one)
    assert.ok('policy' in read, JSON.stringify(read))
  }
})

/** Without the functions inside. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value))
}

test('what ends a line for some readers, or steers a terminal, is written as an escape in YAML', async () => {
  const odd = ['\t', '\r', '\u007f', '\u0085', '\u009b', '\u2028', '\u2029', '\ufffe', '\uffff']
  const rules = odd.map((char): [string, object] => [
    `a${char}b`,
    { action: 'deny', reason: `${char}No ${char.repeat(3)}.\n` },
  ])
  const document = { version: '1', default: 'deny', tools: Object.fromEntries(rules) }
  const converted = await convertedPolicy('p.json', bytes(JSON.stringify(document)), 'yaml')
  const yaml = converted.text ?? assert.fail()
  // As escapes they come from an author as well.
  const authored = `version: "1"\n# \u009b\ndefault: deny\ntools:\n${rules
    .map(([name, rule]) => `  ${escapes(name)}: ${escapes(rule)}\n`)
    .join('')}`
  const formatted = await formattedPolicy('p.yaml', bytes(authored))
  assert.ok(formatted.includes('# \u009b\n'))
  for (const text of [yaml, formatted.replace('# \u009b', '#')])
    assert.doesNotMatch(text, /(?!\n)[\p{Cc}\p{Zl}\p{Zp}]/u)
  for (const text of [yaml, formatted]) {
    const { text: back } = await convertedPolicy('p.yaml', bytes(text), 'json')
    assert.deepEqual(JSON.parse(back ?? ''), document)
    assert.equal(await formattedPolicy('p.yaml', bytes(text)), text)
  }
})

function escapes(value: unknown): string {
  return JSON.stringify(value).replaceAll(
    /[\p{Cc}\p{Zl}\p{Zp}]/gu,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

test('spaces around the lines of a long text stay', async () => {
  const reason = `${'word '.repeat(30)}\n \n  and ${'more '.repeat(30)}\n`
  const document = { version: '1', default: 'deny', tools: { t: { action: 'deny', reason } } }
  const converted = await convertedPolicy('p.json', bytes(JSON.stringify(document)), 'yaml')
  const authored = `version: "1"\ndefault: deny\ntools:\n  t:\n    action: deny\n    reason: ${escapes(reason)}\n`
  const formatted = await formattedPolicy('p.yaml', bytes(authored))
  for (const text of [converted.text ?? '', formatted]) {
    const { text: back } = await convertedPolicy('p.yaml', bytes(text), 'json')
    assert.deepEqual(JSON.parse(back ?? ''), document)
    assert.equal(await formattedPolicy('p.yaml', bytes(text)), text)
  }
})

test('names that YAML has other readings for are put in quotes', async () => {
  const tools = Object.fromEntries(
    ['yes', 'n', '1_000', '0b1', '2026-01-01', '09:00', '<<', '~', 'null', '1.0', 'a b'].map(
      (name) => [name, {}],
    ),
  )
  const { text } = await convertedPolicy(
    'p.json',
    bytes(JSON.stringify({ version: '1', default: 'deny', tools })),
    'yaml',
  )
  const policy = await toolPolicyOf('p.yaml', bytes(text ?? ''))
  assert.deepEqual([...policy.tools.keys()], Object.keys(tools))
  assert.equal(await formattedPolicy('p.yaml', bytes(text ?? '')), text)
})

test('the canonical form of a canonical form is itself', async () => {
  await fc.assert(
    fc.asyncProperty(policyDocument, fc.infiniteStream(fc.nat(40)), async (document, places) => {
      const json = await formattedPolicy('p.json', bytes(JSON.stringify(document)))
      assert.equal(await formattedPolicy('p.json', bytes(json)), json)
      const lines = stringify(document).split('\n')
      // Comments and empty lines wherever they may stand between lines.
      for (let n = 0; n < 6; n += 1) {
        const at = places.next().value ?? 0
        const indent = /^ */.exec(lines[at % lines.length] ?? '')?.[0] ?? ''
        lines.splice(at % lines.length, 0, n % 2 === 0 ? `${indent}# comment ${n}` : '')
      }
      const commented = lines.join('\n')
      const yaml = await formattedPolicy('p.yaml', bytes(commented))
      assert.equal(await formattedPolicy('p.yaml', bytes(yaml)), yaml)
      for (const comment of commented.match(/# comment \d/g) ?? [])
        assert.equal(followerOf(yaml, comment), followerOf(commented, comment), comment)
    }),
    RUNS,
  )
})

/** What a comment on a line of its own is about: the key behind it, or an item; `top` above all. */
function followerOf(yaml: string, comment: string): string {
  const lines = yaml.split('\n').map((line) => line.trim())
  const at = lines.indexOf(comment)
  assert.ok(at !== -1, `${comment} is gone`)
  const isCode = (line: string): boolean => line !== '' && !line.startsWith('#')
  if (!lines.slice(0, at).some(isCode)) return 'top'
  const line = lines.slice(at + 1).find(isCode) ?? ''
  return line.startsWith('- ') ? 'an item' : (/^[^:]*/.exec(line)?.[0] ?? '')
}

test('a JSON policy in canonical form', async () => {
  assert.equal(
    await formattedPolicy(
      'p.json',
      bytes(
        '{"tools":{"pay":{"limits":[{"max":5,"window":"day","counter":"c"}],"require":[{"on_deny":"At most fifty and a half, and never more than that, whatever they say.","conditions":[{"value":50.50,"op":"lte","path":"args.amount"}]}]},"value":{},"path":{}},"default":"deny","version":"1"}',
      ),
    ),
    `{
  "version": "1",
  "default": "deny",
  "tools": {
    "pay": {
      "require": [
        {
          "conditions": [{ "path": "args.amount", "op": "lte", "value": 50.50 }],
          "on_deny": "At most fifty and a half, and never more than that, whatever they say."
        }
      ],
      "limits": [{ "counter": "c", "window": "day", "max": 5 }]
    },
    "value": {},
    "path": {}
  }
}
`,
  )
})

test('a YAML policy keeps its comments, its numbers and its quotes', async () => {
  assert.equal(
    await formattedPolicy(
      'p.yaml',
      bytes(`# Payments.

version: "1"
tools:
    # What moves money.
    pay:
        limits: # how often
            - {max: 5.10, window: day, counter: c, cost: {path: args.amount, scale: 2}} # a day
        require: [{conditions: [{path: args.a, op: lt, value: 0.10000000000000000001}]}]
        reason: 'Not now.'

default:   deny # whatever is new
`),
    ),
    `# Payments.

version: "1"

default: deny # whatever is new
tools:
  # What moves money.
  pay:
    reason: 'Not now.'
    require: [{conditions: [{path: args.a, op: lt, value: 0.10000000000000000001}]}]
    limits: # how often
      - {counter: c, window: day, max: 5.10, cost: {path: args.amount, scale: 2}} # a day
`,
  )
})

const COMMENTED = `# About all of it.

# about tools
tools:
  # about b
  b:
    # about limits
    limits: # behind limits
      # about the first limit
      - counter: c # behind c
        # about max
        max: 5 # behind max
        window: hour # behind window
        # the end of the limit
      # the end of limits
    # about action
    action: allow # behind action

    # about the reason
    reason: > # behind the reason
      Not
      now.
    # the end of b
  # about a
  a:
    require: # behind require
    - on_deny: "No" # behind on_deny
      # about the conditions
      conditions:
        - # about the path
          path: args.a
          op: exists # behind op
          value: true
  # the end of tools
#
# about default
default:
  # why
  deny # behind default
hide: [x, # behind x
  z # behind z
  ] # behind hide
# about version
version: "1" # behind version

# The end of the file.
`

test('a comment of a YAML policy stays where it stands: before a key or item, behind a value, at an end', async () => {
  const formatted = await formattedPolicy('p.yaml', bytes(COMMENTED))
  assert.equal(
    formatted,
    `# About all of it.

# about version
version: "1" # behind version
#
# about default
# why
default: deny # behind default
hide:
  [
    x, # behind x
    z # behind z
  ] # behind hide
# about tools
tools:
  # about b
  b:
    # about action
    action: allow # behind action

    # about the reason
    reason: > # behind the reason
      Not now.
    # about limits
    limits: # behind limits
      # about the first limit
      - counter: c # behind c
        window: hour # behind window
        # about max
        max: 5 # behind max
        # the end of the limit
      # the end of limits
    # the end of b
  # about a
  a:
    require: # behind require
      - # about the conditions
        conditions:
          - # about the path
            path: args.a
            op: exists # behind op
            value: true
        on_deny: "No" # behind on_deny
  # the end of tools

# The end of the file.
`,
  )
  assert.equal(await formattedPolicy('p.yaml', bytes(formatted)), formatted)
})

test('a comment before a closing bracket stays within, beside the one behind it', async () => {
  const formatted = await formattedPolicy(
    'p.yaml',
    bytes(`version: "1"
default: deny
hide: [
  x # behind x
  # the end of hide
] # behind hide
tools: {
  a: {}
  # the end of tools
} # behind tools
`),
  )
  assert.equal(
    formatted,
    `version: "1"
default: deny
hide:
  [
    x
      # behind x
      # the end of hide
  ] # behind hide
tools:
  {
    a: {} # the end of tools
  } # behind tools
`,
  )
  assert.equal(await formattedPolicy('p.yaml', bytes(formatted)), formatted)
})

const SPACED = `? version
: "1"
default:
  deny
tools:
  { a: { limits: [ { counter: x , window: day , max: 3 } ] , action: allow } , ? b : { action: deny } , "c": { } , }
hide:
  - "q"
  -
    r
methods: { "prompts/*": { } }
`

test('no comment is lost, wherever it stands', async () => {
  const gaps = [...SPACED.matchAll(/(?<=\S)[ \n]/g)].map(({ index }) => index)
  await fc.assert(
    fc.asyncProperty(fc.subarray(gaps), async (places) => {
      let commented = ''
      let from = 0
      for (const [n, at] of places.entries()) {
        commented += `${SPACED.slice(from, at)} # comment ${n}.\n      # more of ${n}.`
        commented += SPACED[at] === '\n' ? '' : '\n      '
        from = at
      }
      commented += SPACED.slice(from)
      // Some places are none for a comment: the library then reads no policy.
      if ('problems' in (await readToolPolicy(bytes(commented), 'yaml'))) return
      const formatted = await formattedPolicy('p.yaml', bytes(commented))
      for (const n of places.keys())
        for (const comment of [`# comment ${n}.`, `# more of ${n}.`])
          assert.equal(formatted.split(comment).length, 2, comment)
      assert.equal(await formattedPolicy('p.yaml', bytes(formatted)), formatted)
    }),
    RUNS,
  )
})

test('an invalid policy is not formatted and not converted', async () => {
  const bad = bytes('{"version":"1","default":"deny","hidden":[]}')
  const asFault = { code: 'BAD_INPUT', message: /^p\.json:1:33: there is no 'hidden'/ }
  await assert.rejects(formattedPolicy('p.json', bad), asFault)
  await assert.rejects(convertedPolicy('p.json', bad, 'yaml'), asFault)
})

const INTERCEPT = `version: "1"
# Money is counted.
tools:
  pay/now:
    rules:
      - name: small
        conditions:
          - {path: args.amount, op: lte, value: 50}
          - {path: state.pay/now.spent, op: lte, value: 100}
        state: {counter: spent, window: day, increment_from: args.amount}
        on_deny: Too much.
  drop:
    rules: [{name: never, action: deny, on_deny: Never.}]
  "*":
    rules: [{name: calm, rate_limit: 30/minute}]
`

test('rules of Intercept become our keys, and it is said what is not kept', async () => {
  const { text, notes, problems } = await convertedPolicy('p.yaml', bytes(INTERCEPT), 'json')
  assert.deepEqual(problems, [])
  assert.deepEqual(JSON.parse(text ?? ''), {
    version: '1',
    default: 'allow',
    all_tools: {
      limits: [
        {
          name: 'calm',
          counter: 'all_tools._rate_minute',
          window: 'minute',
          max: 30,
          scope: 'server',
          algorithm: 'calendar',
        },
      ],
    },
    tools: {
      'pay/now': {
        require: [
          {
            name: 'small',
            conditions: [{ path: 'args.amount', op: 'lte', value: 50 }],
            on_deny: 'Too much.',
          },
        ],
        limits: [
          {
            name: 'small',
            on_deny: 'Too much.',
            counter: 'pay_now.spent',
            window: 'day',
            max: 100,
            scope: 'server',
            algorithm: 'calendar',
            cost: { path: 'args.amount', scale: 6 },
          },
        ],
      },
      drop: { deny_if: [{ name: 'never', conditions: [], on_deny: 'Never.' }] },
    },
  })
  assert.deepEqual(notes, [
    'Comments are not kept.',
    "There was no 'default': it says 'allow' now.",
    'Counters have names of their own now (pay_now.spent, all_tools._rate_minute): what was counted so far is not carried over.',
  ])
  const again = await convertedPolicy('p.yaml', bytes(INTERCEPT), 'yaml')
  const [one, other] = await Promise.all([
    toolPolicyOf('p.yaml', bytes(again.text ?? '')),
    toolPolicyOf('p.json', bytes(text ?? '')),
  ])
  assert.deepEqual(plain([...one.tools]), plain([...other.tools]))
})

test('counters of tools whose names come to the same stay apart', async () => {
  const rules = 'rules: [{name: r, rate_limit: 5/hour}]'
  const { text } = await convertedPolicy(
    'p.yaml',
    bytes(`version: "1"\ntools: {a/b: {${rules}}, a_b: {${rules}}, "a b": {${rules}}}`),
    'json',
  )
  const policy = await toolPolicyOf('p.json', bytes(text ?? ''))
  const counters = [...policy.tools.values()].flatMap(({ limits }) =>
    limits.map((one) => one.counter),
  )
  assert.deepEqual(counters, ['a_b._rate_hour', 'a_b._rate_hour-2', 'a_b._rate_hour-3'])
})

test('for a hosted gateway, what it says in other words is said in them', async () => {
  const { text, notes, problems } = await convertedPolicy(
    'p.json',
    bytes(
      JSON.stringify({
        version: '1',
        description: 'Office',
        default: 'deny',
        hide: ['a', 'unseen'],
        all_tools: { limits: [{ counter: 'all', window: 'hour', max: 9, algorithm: 'sliding' }] },
        tools: {
          drop: { action: 'deny', reason: 'Never.' },
          gone: { action: 'hide' },
          never: { deny_if: [], reason: 'Not now.' },
          unseen: { action: 'hide' },
          pay: {
            reason: 'Small ones.',
            require: [{ conditions: [{ path: 'args.to.id', op: 'eq', value: 1 }] }],
            limits: [
              { counter: 'few', window: 'hour', max: 9 },
              { counter: 'own', window: 'day', max: 9, on_deny: 'Enough.' },
            ],
          },
        },
      }),
    ),
    'hosted',
  )
  assert.deepEqual(problems, [])
  assert.deepEqual(JSON.parse(text ?? ''), {
    version: '1',
    default: 'deny',
    hide: ['a', 'unseen', 'gone'],
    all_tools: { limits: [{ counter: 'all', window: 'hour', max: 9, scope: 'grant' }] },
    tools: {
      drop: { deny_if: [{ conditions: [], on_deny: 'Never.' }] },
      never: { deny_if: [{ conditions: [], on_deny: 'Not now.' }] },
      pay: {
        require: [
          { conditions: [{ path: 'args.to.id', op: 'eq', value: 1 }], on_deny: 'Small ones.' },
        ],
        limits: [
          { counter: 'few', window: 'hour', max: 9, scope: 'grant', on_deny: 'Small ones.' },
          { counter: 'own', window: 'day', max: 9, on_deny: 'Enough.', scope: 'grant' },
        ],
      },
    },
  })
  assert.deepEqual(notes, [
    "'description' is not kept.",
    "'algorithm' is not kept: how windows begin is up to them.",
  ])
})

test('for a hosted gateway, what it would not know is no text but a list of what it is', async () => {
  const { text, problems } = await convertedPolicy(
    'p.json',
    bytes(
      `{"version":"1","default":"deny","methods":{},"tools":{
"a":{"action":"require_approval"},
"b":{"rate_limit":{"max":1,"window":60}},
"c":{"require":[{"conditions":[{"not":{"path":"args.a","op":"eq","value":1}},{"path":"/a","op":"eq","value":1}]}]},
"d":{"limits":[{"counter":"c","window":"week","max":1,"scope":"org","cost":2}]}}}`,
    ),
    'hosted',
  )
  assert.equal(text, null)
  assert.deepEqual(
    problems.map(({ line, problem }) => `${line} ${problem}`),
    [
      "1 'methods' is not known there",
      "2 the action 'require_approval' is not known there",
      "3 'rate_limit' is not known there",
      "4 'not' is not known there",
      "4 conditions there know 'args.' and names joined by dots only",
      "5 'cost' is not known there",
      '5 windows there are minute, hour, day',
      "5 the only scope there is 'grant'",
    ],
  )
})
