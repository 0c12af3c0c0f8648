import assert from 'node:assert/strict'
import { test } from 'node:test'
import { allCommands, loadCommand, TOPICS } from './command-table.ts'
import { renderCommand, renderOverview } from './help.ts'
import { renderCliDocs } from './render-docs.ts'

const commands = await allCommands()
const page = (columns: number) => ({ columns, paint: (_: string, text: string) => text })

test('the overview names every command and fits its terminal', async () => {
  const topics = await Promise.all(
    TOPICS.map(async ({ title, names }) => ({
      title,
      commands: await Promise.all(names.map(loadCommand)),
    })),
  )
  const text = renderOverview(topics, '1.2.3', page(80))
  for (const { name, summary } of commands) {
    assert.ok(text.includes(`  ${name} `), name)
    assert.ok(text.includes(summary), summary)
  }
  for (const line of text.split('\n')) assert.ok(line.length <= 80, line)
})

for (const command of commands)
  test(`help of ${command.name} shows its arguments and options and fits its terminal`, () => {
    const text = renderCommand(command, page(80))
    for (const { name } of command.arguments)
      assert.match(text, new RegExp(`^  ${name.toUpperCase()} `, 'm'))
    for (const { summary } of Object.values(command.options))
      assert.ok(text.replaceAll(/\s+/g, ' ').includes(summary), summary)
    for (const { summary } of Object.values(command.options))
      assert.doesNotMatch(summary, /may be repeated/, 'the page says so itself')
    assert.equal(text.includes('--json'), command.json !== false)
    assert.equal(text.includes('presence passphrase first'), command.gated === true)
    for (const line of text.split('\n'))
      assert.ok(line.length <= 80 || line.startsWith('  sallyport'), line)
  })

test('docs/cli.md holds every command, its usage and the exit codes', async () => {
  const docs = await renderCliDocs()
  for (const { name } of commands) assert.ok(docs.includes(`\n### sallyport ${name}\n`), name)
  assert.match(docs, /\| 9 \| `AUDIT_BROKEN` \|/)
  assert.match(docs, /\| `--on-missing|\| `--type TYPE` \|/)
  assert.ok(docs.endsWith('\n'))
})
