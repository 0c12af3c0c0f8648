// Given to Node with --import: writes the address of each module that is loaded to the file that SALLYPORT_TEST_LOADS
// names, one a line.
import { appendFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { processEnvironment } from '../../src/core/config.ts'

const file = processEnvironment()['SALLYPORT_TEST_LOADS']
if (file === undefined) throw new Error('SALLYPORT_TEST_LOADS names no file')
registerHooks({
  load(url, context, next) {
    appendFileSync(file, `${url}\n`)
    return next(url, context)
  },
})
