import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { SecretText } from '../../src/core/secret-text.ts'
import { createTrust } from '../../src/vault/index.ts'
import { openTestVault, PERSON } from './vault.ts'

/**
 * A folder below `home` whose file lets agents read `api/*` and programs use `run/*`, approved by the person, and a vault that holds `secrets`.
 *
 * @returns the folder
 */
export async function approvedProject(
  home: string,
  secrets: Readonly<Record<string, string>>,
): Promise<string> {
  const project = join(home, 'project')
  await mkdir(project)
  await writeFile(join(project, '.sallyport.yml'), 'allow:\n  - "api/*"\nrun:\n  - "run/*"\n')
  const stack = await openTestVault({ home })
  try {
    for (const [path, value] of Object.entries(secrets))
      await stack.vault.put(PERSON, 'default', { path, value: SecretText.fromText(value) })
    const trust = createTrust(stack)
    await trust.allow(PERSON, await trust.standing(project))
  } finally {
    await stack.close()
  }
  return project
}
