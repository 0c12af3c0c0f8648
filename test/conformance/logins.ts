// The suite's scenarios on authorization, with the gateway as the client: a server and an authorization server of the
// suite, `login-client.ts` before them.
import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { FAILED, resultsIn } from './checks.ts'

const CLIENT = fileURLToPath(new URL('./login-client.ts', import.meta.url))
const LIMIT_MS = 90_000
const AT_ONCE = 2

const BOTH = ['2025-11-25', '2026-07-28']
const MODERN = ['2026-07-28']

/** What each revision requires of clients, and what one before had. */
const SCENARIOS: readonly (readonly [revisions: readonly string[], names: string])[] = [
  [
    BOTH,
    'metadata-default metadata-var1 metadata-var2 metadata-var3 basic-cimd pre-registration scope-from-www-authenticate scope-from-scopes-supported scope-omitted-when-undefined scope-step-up scope-retry-limit token-endpoint-auth-basic token-endpoint-auth-post token-endpoint-auth-none',
  ],
  [
    MODERN,
    'resource-mismatch offline-access-scope offline-access-not-supported authorization-server-migration iss-supported iss-not-advertised iss-supported-missing iss-wrong-issuer iss-unexpected iss-normalized metadata-issuer-mismatch',
  ],
  // Without any metadata nobody says that there is PKCE: `2025-03-26-oauth-endpoint-fallback` is refused on purpose.
  [['2025-03-26'], '2025-03-26-oauth-metadata-backcompat'],
]

/** @param program of the suite @returns how many checks held, and those that did not */
export async function loginScenarios(
  program: string,
): Promise<{ readonly passed: number; readonly failures: readonly string[] }> {
  const waiting = SCENARIOS.flatMap(([revisions, names]) =>
    names.split(' ').flatMap((name) => revisions.map((revision) => ({ name, revision }))),
  )
  const failures: string[] = []
  let passed = 0
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const { name, revision } = next
      const results = await scenarioAt(program, `auth/${name}`, revision)
      if (results.size === 0) failures.push(`${name} ${revision}: the suite said nothing`)
      for (const [key, { status, errorMessage }] of results)
        if (FAILED.has(status) || status === 'WARNING')
          failures.push(`${name} ${revision} ${key}: ${errorMessage ?? status}`)
        else if (status === 'SUCCESS') passed += 1
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  return { passed, failures }
}

async function scenarioAt(program: string, scenario: string, revision: string) {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-conformance-'))
  const command = `${process.execPath} ${CLIENT}`
  const child = spawn(
    process.execPath,
    [
      program,
      'client',
      '--command',
      command,
      '--scenario',
      scenario,
      '--spec-version',
      revision,
      '--timeout',
      String(LIMIT_MS),
      '--output-dir',
      folder,
    ],
    { stdio: 'ignore' },
  )
  await new Promise((resolve) => {
    child.once('exit', resolve)
  })
  try {
    return await resultsIn(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
