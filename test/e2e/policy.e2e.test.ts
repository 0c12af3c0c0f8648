import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { homeEnvironment, LAUNCHER, temporaryHome } from '../support/serving.ts'

const { home, remove } = await temporaryHome()
after(remove)

const good = join(home, 'good.json')
const bad = join(home, 'bad.json')
await writeFile(good, '{"version":"1","default":"deny","tools":{"read_file":{}}}')
await writeFile(bad, '{\n  "version": "1",\n  "defualt": "deny"\n}')

const validate = (...args: readonly string[]) =>
  spawnSync(process.execPath, [LAUNCHER, 'policy', 'validate', ...args], {
    env: homeEnvironment(home),
    encoding: 'utf8',
  })

test('a policy that is right is said to be', () => {
  const { status, stdout } = validate(good)
  assert.deepEqual([status, stdout], [0, 'Policy file is valid.\n'])
})

test('one that is wrong is told with line and column, and fails', () => {
  const { status, stdout } = validate(good, bad)
  assert.deepEqual(
    [status, stdout],
    [
      1,
      `${bad}:3:3: there is no 'defualt'; did you mean 'default'?\n${bad}:1:1: a policy needs 'default'\n`,
    ],
  )
  const json = JSON.parse(validate(bad, '--json').stdout) as {
    valid: boolean
    files: { problems: { line: number }[] }[]
  }
  assert.equal(json.valid, false)
  assert.deepEqual(
    json.files[0]?.problems.map(({ line }) => line),
    [3, 1],
  )
})

test('a file that is not there is bad input', () => {
  const { status, stderr } = validate(join(home, 'none.json'))
  assert.equal(status, 2)
  assert.match(stderr, /cannot be read/)
})
