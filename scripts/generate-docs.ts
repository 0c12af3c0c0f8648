// npm run docs: writes the pages that are printed from tables. With --check it only says which differ.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { renderCliDocs } from '../src/cli/index.ts'
import { LOG_LEVELS, SETTINGS } from '../src/core/config.ts'
import { FAULTS } from '../src/core/faults.ts'
import { toolPolicySchema } from '../src/policy/tool-policy/schema.ts'
import { REQUIREMENTS } from '../test/requirements.ts'
import { detectorsPage } from './detectors-page.ts'
import { code, page, table } from './markdown.ts'
import { policyPage } from './policy-page.ts'
import { toolsPage } from './tools-page.ts'

const root = resolve(import.meta.dirname, '..')

/** One generated page. To add one, add a row to PAGES. */
interface Page {
  readonly file: string
  render(): string | Promise<string>
}

const PAGES: readonly Page[] = [
  {
    file: 'docs/errors.md',
    render: () =>
      page(
        'Errors',
        '`src/core/faults.ts`',
        'Branch on the code, never on the text. The exit code is that of the command line; the status is that of HTTP.',
        table(
          ['code', 'HTTP', 'exit', 'what to do'],
          Object.entries(FAULTS).map(([name, { http, exit, help }]) => [
            code(name),
            `${http}`,
            `${exit}`,
            help,
          ]),
        ),
      ),
  },
  {
    file: 'docs/config.md',
    render: () =>
      page(
        'Settings',
        '`src/core/config.ts`',
        'Settings are environment variables. Where several are named, the first that is set and not empty wins.',
        table(
          ['variable', 'what it sets'],
          Object.values(SETTINGS).map(({ env, summary }) => [env.map(code).join(', '), summary]),
        ),
        `Log levels, from the most to the least: ${LOG_LEVELS.map(code).join(', ')}.`,
      ),
  },
  { file: 'docs/cli.md', render: renderCliDocs },
  { file: 'docs/tools.md', render: toolsPage },
  { file: 'docs/detectors.md', render: detectorsPage },
  { file: 'docs/policy.md', render: policyPage },
  {
    file: 'schemas/tool-policy.json',
    render: () => `${JSON.stringify(toolPolicySchema('json'), null, 2)}\n`,
  },
  {
    file: 'schemas/tool-policy-yaml.json',
    render: () => `${JSON.stringify(toolPolicySchema('yaml'), null, 2)}\n`,
  },
  {
    file: 'docs/status.md',
    render: () => {
      const done = REQUIREMENTS.filter((one) => one.status === 'done').length
      return page(
        'Status',
        '`test/requirements.ts`',
        `${done} of ${REQUIREMENTS.length} requirements are done. Done means: the named tests pass through the public surface.`,
        table(
          ['id', 'requirement', 'status', 'tests'],
          REQUIREMENTS.map(({ id, sentence, status, tests }) => [
            id,
            sentence,
            status,
            tests.map(code).join('<br>'),
          ]),
        ),
      )
    },
  },
]

function current(file: string): string | null {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    // Not written yet.
    return null
  }
}

async function main(isCheck: boolean): Promise<number> {
  let stale = 0
  for (const { file, render } of PAGES) {
    const path = join(root, file)
    const text = await render()
    if (current(path) === text) continue
    stale += 1
    process.stdout.write(isCheck ? `${file} is not in sync\n` : `wrote ${file}\n`)
    if (isCheck) continue
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text)
  }
  return isCheck && stale > 0 ? 1 : 0
}

if (import.meta.main) process.exitCode = await main(process.argv.includes('--check'))
