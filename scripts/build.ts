// npm run build: bundles src/app/bin.ts into dist/, with lazily loaded chunks: start-up more than halves. The doors of
// the package are bundled beside it.
//   --clean     removes what earlier builds left and writes the types of the doors (before publishing)
//   --entry F --out D   for trying another entry
//   --modules F         writes which modules each file holds
import { execFileSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { type OutputAsset, type OutputChunk, type Plugin, rolldown } from 'rolldown'
import { systemClock } from '../src/core/time.ts'

const root = resolve(import.meta.dirname, '..')
const ENTRY_NAME = 'sallyport.js'
const ENTRY = 'src/app/bin.ts'
/** What others import: `sallyport/inspect` is dist/inspect.js. */
const DOORS: Readonly<Record<string, string>> = {
  inspect: join(root, 'src', 'inspect', 'index.ts'),
}
const NOTICES_NAME = 'THIRD-PARTY-NOTICES.txt'

/** A server that runs from the previous bundle may still load its chunks. */
const KEEP_OLD_CHUNKS_MS = 60 * 60_000

/**
 * Node makes accessors of these on the global object, which compiled code asks each time. A variable of a module costs
 * nothing.
 */
const GLOBALS: Readonly<Record<string, [module: string, name: string]>> = {
  Buffer: ['node:buffer', 'Buffer'],
  performance: ['node:perf_hooks', 'performance'],
  process: ['node:process', 'default'],
}

/** Native or optional: resolved at run time, or absent. */
const EXTERNAL: readonly RegExp[] = [/^node:/, /^@napi-rs\/keyring(?:\/|$)/, /^pg-native$/]

/** Without it every start loads AJV, which this program never calls. */
const SDK_SHIMS = join(root, 'src', 'mcp', 'sdk-shims.ts')

/**
 * No source does anything by being loaded, but for the one named first. Without saying so, whatever stands in an
 * `index.ts` that a chunk imports something from would be loaded with it.
 */
const SIDE_EFFECTS = [
  { test: /[\\/]src[\\/]mcp[\\/]zod-settings\.ts$/, sideEffects: true },
  { test: /[\\/]src[\\/]/, sideEffects: false },
] as const

interface Step {
  readonly name: string
  /** What is loaded in this step; their modules stand together, but for those of the steps before. */
  readonly sources: readonly string[]
}

/** What is loaded on the way to the first answer and to the first secret, in this order: few files cost less than many. */
const STEPS: readonly Step[] = [
  { name: 'program', sources: [ENTRY, 'src/cli/commands/mcp.ts'] },
  // A door that others import must bring nothing of the program.
  { name: 'inspect', sources: ['src/inspect/index.ts'] },
  {
    name: 'serve',
    sources: [
      'src/app/serve-stdio.ts',
      'src/app/open-secret-tools.ts',
      'src/app/call-inspection.ts',
    ],
  },
  { name: 'tools', sources: ['src/secret-tools/tools/index.ts'] },
  { name: 'open', sources: ['src/app/local-vault.ts', 'src/app/key-sources.ts'] },
  { name: 'look', sources: ['src/secret-tools/looking.ts', 'src/app/inspection-rules.ts'] },
]
/** What the vault remembers values by: a command that opens it needs no detector. */
const KNOWN = ['known-values', 'fingerprint', 'variants'].map((name) =>
  join(root, 'src', 'inspect', `${name}.ts`),
)
/** All stand on these, so that they are in the first step, and no command loads a server for one of them. */
const EVERYWHERE = /[\\/]src[\\/]core[\\/]|[\\/]src[\\/]cli[\\/]/

/** `packageVersion()` reads the package.json beside src/; the bundle lies one folder less deep. */
const packageJsonPlace: Plugin = {
  name: 'package-json-place',
  transform(code, id) {
    if (!id.endsWith(join('src', 'core', 'config.ts'))) return null
    const moved = code.replace("'../../package.json'", "'../package.json'")
    if (moved === code) throw new Error('build: core/config.ts no longer reads ../../package.json')
    return moved
  },
}

type Output = OutputAsset | OutputChunk

interface BundledPackage {
  readonly name: string
  readonly version: string
  readonly license: string
  readonly text: string
}

function licenseOf(parsed: Record<string, unknown>): string {
  const { license, licenses } = parsed
  if (typeof license === 'string') return license
  return JSON.stringify(license ?? licenses ?? 'not declared')
}

/** The package that a bundled module belongs to: the nearest package.json above it that has a name and a version. */
function packageOf(moduleId: string): BundledPackage | null {
  if (!moduleId.includes('node_modules')) return null
  for (let folder = dirname(moduleId); folder.includes('node_modules'); folder = dirname(folder)) {
    const file = join(folder, 'package.json')
    if (!existsSync(file)) continue
    const parsed = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>
    const { name, version } = parsed
    if (typeof name !== 'string' || typeof version !== 'string') continue
    const notice = readdirSync(folder).find((one) => /^licen[cs]e/i.test(one))
    const text = notice === undefined ? '' : readFileSync(join(folder, notice), 'utf8').trim()
    return { name, version, license: licenseOf(parsed), text }
  }
  return null
}

function noticesText(packages: readonly BundledPackage[]): string {
  const rule = '-'.repeat(80)
  const parts = packages.map((one) =>
    [rule, `${one.name} ${one.version}`, `License: ${one.license}`, '', one.text].join('\n').trim(),
  )
  return `Packages that are part of this bundle, with their licences.\n\n${parts.join('\n\n')}\n`
}

function removeOld(folder: string, written: ReadonlySet<string>, olderThan: number): void {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name)
    if (!written.has(name) && statSync(path).mtimeMs < olderThan) rmSync(path, { recursive: true })
  }
}

const OUTPUT = {
  format: 'esm',
  entryFileNames: '[name].js',
  chunkFileNames: 'chunk-[name]-[hash].js',
  // Names stay, so that a stack trace in a report can be read.
  minify: { compress: true, mangle: false, codegen: true },
} as const

/** The modules that are loaded with some others: those of their chunks, and of what these import. */
function loadedWith(output: readonly Output[], sources: readonly string[]): ReadonlySet<string> {
  const chunks = new Map(
    output.flatMap((one) => (one.type === 'chunk' ? [[one.fileName, one] as const] : [])),
  )
  const modules = new Set<string>()
  const seen = new Set<string>()
  const visit = (name: string): void => {
    const chunk = chunks.get(name)
    if (chunk === undefined || seen.has(name)) return
    seen.add(name)
    for (const id of chunk.moduleIds) modules.add(id)
    for (const next of chunk.imports) visit(next)
  }
  for (const source of sources) {
    const facade = [...chunks.values()].find((one) => one.facadeModuleId === join(root, source))
    // Another entry may have none of it.
    if (facade !== undefined) visit(facade.fileName)
  }
  return modules
}

/** Some modules, and all that they import. */
function closureOf(
  ids: readonly string[],
  imports: ReadonlyMap<string, readonly string[]>,
): ReadonlySet<string> {
  const found = new Set(ids)
  // What is added is visited, too.
  for (const id of found) for (const next of imports.get(id) ?? []) found.add(next)
  return found
}

/** The modules of each step. */
function groupsOf(output: readonly Output[], imports: ReadonlyMap<string, readonly string[]>) {
  const steps = STEPS.map(({ name, sources }) => ({ name, modules: loadedWith(output, sources) }))
  const everywhere = steps
    .flatMap(({ modules }) => [...modules])
    .filter((id) => EVERYWHERE.test(id))
  const [first, ...others] = steps
  return [
    { name: first?.name ?? '', modules: new Set([...(first?.modules ?? []), ...everywhere]) },
    { name: 'known', modules: closureOf(KNOWN, imports) },
    ...others,
  ]
}

async function build(entry: string, folder: string, isClean: boolean): Promise<readonly Output[]> {
  const startedAt = systemClock()
  const imports = new Map<string, readonly string[]>()
  const importsOfModules: Plugin = {
    name: 'imports-of-modules',
    moduleParsed: ({ id, importedIds }) => void imports.set(id, importedIds),
  }
  const bundle = await rolldown({
    input: { [basename(ENTRY_NAME, '.js')]: entry, ...DOORS },
    cwd: root,
    platform: 'node',
    resolve: { alias: { '@modelcontextprotocol/server/_shims': SDK_SHIMS } },
    external: [...EXTERNAL],
    transform: { inject: GLOBALS },
    plugins: [packageJsonPlace, importsOfModules],
    preserveEntrySignatures: 'allow-extension',
    // The first pass is for its chunks, and grouped modules keep the doors that others load them through.
    checks: { ineffectiveDynamicImport: false },
    treeshake: { moduleSideEffects: [...SIDE_EFFECTS] },
  })
  const { output: apart } = await bundle.generate(OUTPUT)
  const groups = groupsOf(apart, imports).map(({ name, modules }) => ({
    name,
    test: (id: string) => id !== join(root, ENTRY) && modules.has(id),
  }))
  const { output } = await bundle.generate({
    ...OUTPUT,
    codeSplitting: { includeDependenciesRecursively: false, groups },
  })
  await bundle.close()

  mkdirSync(folder, { recursive: true })
  const packages = new Map<string, BundledPackage>()
  const written = new Set<string>([NOTICES_NAME])
  // The entry comes last: whoever starts meanwhile gets the old bundle or the new one, not half of each.
  const chunksFirst = output.toSorted(
    (a, b) => Number(a.fileName === ENTRY_NAME) - Number(b.fileName === ENTRY_NAME),
  )
  for (const file of chunksFirst) {
    const content = file.type === 'chunk' ? file.code : file.source
    const path = join(folder, file.fileName)
    const aside = `${path}.${process.pid}.new`
    writeFileSync(aside, content)
    // As old as the start of the build: a source that was edited meanwhile is newer than its bundle.
    if (file.fileName === ENTRY_NAME) utimesSync(aside, startedAt / 1000, startedAt / 1000)
    renameSync(aside, path)
    written.add(file.fileName)
    for (const id of file.type === 'chunk' ? file.moduleIds : []) {
      const found = packageOf(id)
      if (found !== null) packages.set(`${found.name}@${found.version}`, found)
    }
  }
  const sorted = [...packages.values()].toSorted((a, b) => a.name.localeCompare(b.name, 'en'))
  writeFileSync(join(folder, NOTICES_NAME), noticesText(sorted))
  removeOld(folder, written, isClean ? Infinity : startedAt - KEEP_OLD_CHUNKS_MS)

  const entryKb = statSync(join(folder, ENTRY_NAME)).size / 1024
  process.stderr.write(
    `build: ${output.length} files, entry ${entryKb.toFixed(0)} KB, ${packages.size} packages\n`,
  )
  return output
}

/** By file: its modules, from the root of the repository. */
function modulesOf(output: readonly Output[]): Record<string, readonly string[]> {
  const chunks = output.filter((one) => one.type === 'chunk')
  return Object.fromEntries(
    chunks.map(({ fileName, moduleIds }) => [fileName, moduleIds.map((id) => relative(root, id))]),
  )
}

/** Declarations for every file a door reaches, below dist/types. */
function writeTypes(folder: string): void {
  const tsc = join(root, 'node_modules', '.bin', 'tsc')
  const flags = [
    '--ignoreConfig --declaration --emitDeclarationOnly --module nodenext --target es2024 --strict',
    '--exactOptionalPropertyTypes --skipLibCheck --types node --rewriteRelativeImportExtensions',
  ].flatMap((line) => line.split(' '))
  const places = ['--rootDir', join(root, 'src'), '--outDir', join(folder, 'types')]
  execFileSync(tsc, [...flags, ...places, ...Object.values(DOORS)], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  })
}

const { values } = parseArgs({
  options: {
    clean: { type: 'boolean', default: false },
    entry: { type: 'string', default: join(root, 'src', 'app', 'bin.ts') },
    out: { type: 'string', default: join(root, 'dist') },
    modules: { type: 'string' },
  },
})
const output = await build(resolve(values.entry), resolve(values.out), values.clean)
if (values.modules !== undefined)
  writeFileSync(values.modules, JSON.stringify(modulesOf(output), null, 2))
if (values.clean) writeTypes(resolve(values.out))
