import { after } from 'node:test'

const work: (() => unknown)[] = []
after(async () => {
  for (const each of work.splice(0).toReversed()) await each()
})

/**
 * What a module of support has to do when all tests of the process are over. A hook of its own would belong to the file
 * of tests that happened to load it first.
 */
export function atEnd(each: () => unknown): void {
  work.push(each)
}
