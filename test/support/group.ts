// What suite.ts has node:test run: the files it was given, each a suite, so that the hooks of a file are those of its
// own tests. All are loaded first, and then run one after the other.
import { AsyncResource } from 'node:async_hooks'
import { describe } from 'node:test'
// Its hook has to be that of the process.
// oxlint-disable-next-line import/no-unassigned-import
import './at-end.ts'
import type { SuiteRequest } from './suite.ts'

const { files } = JSON.parse(process.argv[2] ?? '') as SuiteRequest

// One after the other: a module that several wait for would load all of them into the suite of the first.
let loaded: Promise<unknown> = Promise.resolve()
// Named by number: a pattern over names must not match the path.
for (const [index, file] of files.entries())
  describe(`#${index}`, () => {
    // node:test knows the suite by the context that a file is loaded in.
    const suite = new AsyncResource('suite')
    const loading = loaded.then(() => suite.runInAsyncScope(() => import(file)))
    loaded = loading.catch(() => {})
    return loading.then(() => {})
  })
