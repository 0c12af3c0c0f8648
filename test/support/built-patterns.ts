// Prints, as JSON, every pattern that the inspection domain builds with `RegExp` when it is loaded and when its
// detectors look at their own samples. Run by test/patterns.ts in a process of its own, because it puts a constructor
// that takes notes in the place of RegExp.
import { globSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type * as inspection from '../../src/inspect/index.ts'

const folder = resolve(import.meta.dirname, '../../src/inspect')
const files = globSync('**/*.ts', { cwd: folder })
  .filter((file) => !file.endsWith('.test.ts'))
  .toSorted()

const built = new Map<string, { readonly source: string; readonly flags: string }>()
const Native = RegExp

function noted(pattern: RegExp): RegExp {
  const { source, flags } = pattern
  built.set(`/${source}/${flags}`, { source, flags })
  return pattern
}

globalThis.RegExp = new Proxy(Native, {
  construct: (target, [pattern, flags]: [RegExp | string, string?]) =>
    noted(new target(pattern, flags)),
  apply: (target, _, [pattern, flags]: [RegExp | string, string?]) => noted(target(pattern, flags)),
})

const load = (file: string): Promise<unknown> =>
  import(pathToFileURL(join(folder, file)).href) as Promise<unknown>

for (const file of files) await load(file)
const { detectors, builtInEngine } = (await load('index.ts')) as typeof inspection
for (const { catches, ignores } of detectors)
  for (const sample of [...catches, ...ignores])
    if (typeof sample === 'string') builtInEngine().inspect(sample)
    else builtInEngine().inspect(sample.text, { kind: sample.kind })

globalThis.RegExp = Native
process.stdout.write(JSON.stringify([...built.values()]))
