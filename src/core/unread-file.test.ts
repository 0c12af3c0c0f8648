import assert from 'node:assert/strict'
import { test } from 'node:test'
import { unreadFile } from './unread-file.ts'

const reasons: readonly [code: string | null, said: string][] = [
  ['ENOENT', "There is no file 'a'."],
  ['ENOTDIR', "There is no file 'a'."],
  ['EISDIR', "'a' is a folder, not a file."],
  ['EACCES', "The file 'a' is there, and this user may not read it."],
  ['EPERM', "The file 'a' is there, and this user may not read it."],
  ['EIO', "The file 'a' cannot be read (EIO)."],
  [null, "The file 'a' cannot be read."],
]
for (const [code, said] of reasons)
  test(`a file that is not read for ${code ?? 'no known reason'}`, () => {
    const cause = code === null ? 'odd' : Object.assign(new Error('x'), { code })
    assert.equal(unreadFile('a', cause), said)
  })
