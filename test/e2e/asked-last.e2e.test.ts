// What is wrong with the words of a command is told before the person is asked for the presence passphrase.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { gatedHome, noGatedHome } from '../support/gated-home.ts'
import { PERSON } from '../support/vault.ts'

const place = gatedHome('asked-last')
after(() => place.remove())
before(async () => {
  await place.setPresence()
  await place.beside(async ({ registry }) => {
    const { servers, policies } = await registry()
    await servers.add(PERSON, 'github', { kind: 'stdio', command: ['server'], variables: [] })
    await policies.set(PERSON, 'read-only', Buffer.from('{"version":"1","default":"deny"}'))
  })
  writeFileSync(join(place.project, 'wrong.json'), '{"version":"1",\n"defualt":"deny"}')
})

const GRANT = ['grant', 'create', 'deploy', '--label', 'l', '--server']
const wrong: readonly (readonly [argv: readonly string[], said: RegExp])[] = [
  [[...GRANT, 'gihub'], /server names 'gihub', which is not there; did you mean 'github'\?/],
  [[...GRANT, 'github', '--policy', 'readonly'], /policies names 'readonly'.* mean 'read-only'\?/],
  [['server', 'add', 'a/b', '--', 'x'], /name must have 1 to 64 letters/],
  [['server', 'add', 'x', '--url', 'ftp://example.org'], /url must /],
  [['policy', 'set', 'strict', 'wrong.json'], /wrong\.json:2:1: .*'default'/],
  [['policy', 'set', 'a b', 'wrong.json'], /name must have 1 to 64 letters/],
  [['policy', 'set', 'strict', 'none.json'], /There is no file 'none\.json'\./],
  [['audit', 'set-sinks', '.'], /'\.' is a folder, not a file\./],
  [['access', 'grant', 'deploy', '**', '--expires', 'soon'], /--expires must be /],
  [['agent', 'create', 'x', '--expires', 'soon'], /--expires must be /],
  [['agent', 'update', 'x', '--token-seconds', '1'], /--token-seconds must be /],
  [['agent', 'update', 'x', '--any-scope', '--scope', 'a'], /both were asked for/],
  [['unfreeze', 'user:somebody'], /user: is followed by an id/],
]
for (const [argv, said] of wrong)
  test(`${argv.join(' ')} is told before anybody is asked`, { skip: noGatedHome }, async () => {
    const { exit, stderr } = await place.piped(argv)
    assert.match(stderr, said)
    assert.equal(exit, 2)
  })
