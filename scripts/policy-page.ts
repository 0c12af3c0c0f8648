// docs/policy.md: what the path policies say, asked of the policies themselves.
import { compileGlob } from '../src/policy/glob.ts'
import { MAX_PATH_CHARS, MAX_PATH_SEGMENTS } from '../src/policy/path.ts'
import { type PathPolicy, PERMISSIONS, type Permission } from '../src/policy/path-policy.ts'
import { MAX_PROJECT_GLOBS } from '../src/policy/project-file.ts'
import {
  DEFAULT_AGENT_POLICIES,
  MAX_PROJECT_FILE_BYTES,
  PROJECT_FILES,
  policiesOf,
} from '../src/policy/project-list.ts'
import { code, page, table } from './markdown.ts'

const MEANING: Readonly<Record<Permission, string>> = {
  list: 'see the path, type, versions and dates: `list_secrets`, `search_secrets`, `describe_secret`, `list_versions`',
  read: 'be answered the value: `get_secret`, `get_env_bundle`',
  write:
    'store a new version over an old one, rotate, undelete, disable and enable a version; implies `create`',
  create: 'store at a path that holds nothing',
  delete: 'delete softly (`secret destroy` stands behind the gate besides)',
  use: 'have the value put into a child process: `sallyport run`',
  share: 'hand it on: a share, by people and registered agents only',
  ask: 'have the person asked for a value: `input_secret`, which may replace one, because the person sees that it does',
}

/** Patterns with paths that show an edge each; whether they match is computed. */
const SAMPLES: readonly (readonly [pattern: string, path: string])[] = [
  ['api/*', 'api/stripe'],
  ['api/*', 'api/stripe/live'],
  ['api/**', 'api/stripe/live'],
  ['api/**', 'api'],
  ['**', 'any/path/at/all'],
  ['**/token', 'token'],
  ['**/token', 'ci/deploy/token'],
  ['dev/*-key', 'dev/stripe-key'],
  ['db/password?', 'db/password'],
  ['db/password?', 'db/password2'],
  ['API/*', 'api/stripe'],
]

export function policyPage(): string {
  return page(
    'Policies',
    '`src/policy`',
    'Every access is judged by the vault on the path of the secret, before it is looked up: a policy that denies wins, ' +
      'then one that allows, and what no policy allows is denied. One policy that cannot be evaluated denies everything.',
    '## Paths',
    `Segments joined by \`/\`: each begins with a letter, a digit or \`_\` and goes on with those, \`.\` or \`-\`. At most ${MAX_PATH_SEGMENTS} ` +
      `segments and ${MAX_PATH_CHARS} characters. Case counts. Nothing is trimmed, decoded or normalised, and look-ups refuse what writes refuse.`,
    '## Globs',
    '`?` is one character and `*` any run of them, both within a segment. `**` stands alone between slashes for any number of segments; ' +
      'at the end of a pattern it is one or more. Everything else is plain. There is no `!`, `{}` or `[]`.',
    table(
      ['pattern', 'path', 'matches'],
      SAMPLES.map(([pattern, path]) => [
        code(pattern),
        code(path),
        compileGlob(pattern)(path) ? 'yes' : 'no',
      ]),
    ),
    '## Permissions',
    table(
      ['permission', 'lets the agent'],
      PERMISSIONS.map((permission) => [code(permission), MEANING[permission]]),
    ),
    'The person passes every one of them, once the presence gate has opened.',
    '## What the local agent may do',
    'Without an approved project file:',
    policyTable(DEFAULT_AGENT_POLICIES),
    'With an approved file that says `allow: [A]` and `run: [B]`:',
    policyTable(policiesOf({ allow: ['A'], run: ['B'], warnings: [] })),
    'What a pattern of the file allows has the pattern in its id. A list counts in every vault of the store.',
    '## The project file',
    `The project of an agent is the nearest folder, from the working directory (or \`CLAUDE_PROJECT_DIR\`) upwards, that has one of ` +
      `${PROJECT_FILES.map(code).join(' or ')}; in one folder the first of them counts and the other is named as ignored. ` +
      'Over HTTP it is the folder that the bearer token was made for.',
    '```yaml\n# .sallyport.yml\nversion: 1          # optional\nallow:              # read, replace, delete, use\n  - dev/**\nrun:                # use in programs only, unseen\n  - db/password\n```',
    '```yaml\n# .claude/secrets.yml, as other tools write it: `allow` only, a list or "*"\nallow: "*"\n```',
    'Keys that are not known, doubled keys, anchors, aliases and tags are refused with line and column. ' +
      `At most ${MAX_PROJECT_FILE_BYTES} bytes and ${MAX_PROJECT_GLOBS} globs.`,
    'A file grants nothing until the person approved it with `sallyport allow`. The approval holds for the real path of the file, its ' +
      'name and its exact bytes. A file with other bytes grants nothing, and the first request that sees it, whatever it asks for, revokes the ' +
      'approval: putting the old bytes back does not bring it back (see [decision 0003](decisions/0003-names-and-approvals.md)).',
  )
}

function policyTable(policies: readonly PathPolicy[]): string {
  return table(
    ['id', 'effect', 'pattern', 'permissions'],
    policies.map(({ id, effect, pattern, permissions }) => [
      code(id),
      effect,
      code(pattern),
      permissions.map(code).join(', '),
    ]),
  )
}
