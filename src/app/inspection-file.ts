import * as z from 'zod'
import { SANITIZATION_MODES } from '../core/config.ts'
import { Fault } from '../core/faults.ts'
import { parseInstant } from '../core/time.ts'
import {
  builtInEngine,
  CATEGORIES,
  type Detector,
  ENGINE_FINDINGS,
  KINDS,
  readWritten,
  SEVERITIES,
  UnusableDetector,
  WRITTEN_LIMITS,
  type WrittenDetector,
} from '../inspect/index.ts'
import { type Layer, MAX_FILE_BYTES, type Rules } from './call-layers.ts'

const layer = z.strictObject({
  mode: z.enum(SANITIZATION_MODES).optional(),
  off: z.array(z.string()).optional(),
  thresholds: z.record(z.string(), z.number().min(0).max(1)).optional(),
  allow: z
    .array(
      z.strictObject({
        detector: z.string(),
        path: z.string().optional(),
        reason: z.string().min(1),
        expires: z.string(),
      }),
    )
    .optional(),
})
const layers = z.record(z.string(), layer)

const detector = z.strictObject({
  id: z.string(),
  category: z.enum(CATEGORIES),
  severity: z.enum(SEVERITIES),
  confidence: z.number().min(0).max(1),
  summary: z.string().max(200).optional(),
  pattern: z.string(),
  keywords: z.array(z.string().max(64)).max(WRITTEN_LIMITS.keywords).optional(),
  kinds: z
    .array(z.enum(KINDS).exclude(['secret']))
    .min(1)
    .optional(),
  samples: z
    .strictObject({
      catches: z.array(z.string().max(2_000)).max(WRITTEN_LIMITS.samples).optional(),
      ignores: z.array(z.string().max(2_000)).max(WRITTEN_LIMITS.samples).optional(),
    })
    .optional(),
})

export const fileSchema = layer.extend({
  agents: layers.optional(),
  servers: z.record(z.string(), layer.extend({ tools: layers.optional() })).optional(),
  tools: layers.optional(),
  detectors: z.array(detector).max(WRITTEN_LIMITS.detectors).optional(),
})

/** The file as JSON, its shape checked. */
export type RulesFile = z.output<typeof fileSchema>
export type LayerFile = z.output<typeof layer>

/** @throws {Fault} `BAD_INPUT` naming the file and the field */
export function parseRulesFile(path: string, text: string): RulesFile {
  if (Buffer.byteLength(text) > MAX_FILE_BYTES)
    throw unusable(path, `is larger than ${MAX_FILE_BYTES} bytes`)
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (cause) {
    throw unusable(path, 'is not JSON', cause)
  }
  const parsed = fileSchema.safeParse(json)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const field = issue?.path.map(String).join('.') ?? ''
  throw unusable(path, `${field === '' ? 'the file' : `'${field}'`}: ${issue?.message ?? ''}`)
}

/**
 * What a file says, its detectors compiled and its ids checked.
 *
 * @throws {Fault} `BAD_INPUT` naming the file and the field
 */
export async function readRules(path: string, text: string): Promise<Rules> {
  const {
    agents = {},
    servers = {},
    tools = {},
    detectors = [],
    ...house
  } = parseRulesFile(path, text)
  const written = await writtenIn(path, detectors)
  const ids = new Set(
    [...builtInEngine().detectors, ...ENGINE_FINDINGS, ...written].map((one) => one.id),
  )
  const named = (
    from: Readonly<Record<string, LayerFile>>,
    field: string,
  ): ReadonlyMap<string, Layer> =>
    new Map(
      Object.entries(from).map(([name, one]) => [
        name,
        layerOf(one, path, `${field}.${name}.`, ids),
      ]),
    )
  return {
    house: layerOf(house, path, '', ids),
    agents: named(agents, 'agents'),
    servers: new Map(
      Object.entries(servers).map(([name, one]) => [
        name,
        layerOf(one, path, `servers.${name}.`, ids),
      ]),
    ),
    toolsOf: new Map(
      Object.entries(servers).map(([name, one]) => [
        name,
        named(one.tools ?? {}, `servers.${name}.tools`),
      ]),
    ),
    tools: named(tools, 'tools'),
    detectors: written,
  }
}

async function writtenIn(
  path: string,
  detectors: readonly WrittenDetector[],
): Promise<readonly Detector[]> {
  const read: Detector[] = []
  for (const [index, one] of detectors.entries()) {
    const field = `detectors.${index}`
    if (read.some(({ id }) => id === one.id))
      throw unusable(path, `'${field}.id': stands above already`)
    try {
      read.push(await readWritten(one))
    } catch (error) {
      if (!(error instanceof UnusableDetector)) throw error
      throw unusable(path, `'${field}.${error.field}': ${error.message}`, error)
    }
  }
  return read
}

function layerOf(given: LayerFile, path: string, field: string, ids: ReadonlySet<string>): Layer {
  const { mode, off = [], thresholds = {}, allow = [] } = given
  const known = (id: string, where: string): void => {
    if (!ids.has(id))
      throw unusable(path, `'${field}${where}': there is no detector '${id.slice(0, 64)}'`)
  }
  for (const [index, id] of off.entries()) known(id, `off.${index}`)
  for (const id of Object.keys(thresholds)) known(id, 'thresholds')
  return {
    ...(mode !== undefined && { mode }),
    off,
    thresholds,
    allow: allow.map(({ detector: id, path: place, reason, expires }, index) => {
      known(id, `allow.${index}.detector`)
      const expiresAt = parseInstant(expires)
      if (expiresAt === null)
        throw unusable(
          path,
          `'${field}allow.${index}.expires' must be an RFC 3339 time, such as 2030-01-31T00:00:00Z`,
        )
      return { detector: id, reason, expiresAt, ...(place !== undefined && { path: place }) }
    }),
  }
}

/** In the words in which the person approves it: one line for each thing that the file changes. */
export function linesOf(file: RulesFile): readonly string[] {
  const { agents = {}, servers = {}, tools = {}, detectors = [], ...house } = file
  const all: (readonly [where: string, one: LayerFile])[] = [
    ['everywhere', house],
    ...Object.entries(agents).map(([name, one]) => [`for ${name}`, one] as const),
    ...Object.entries(servers).flatMap(([server, { tools: own = {}, ...one }]) => [
      [`at ${server}`, one] as const,
      ...Object.entries(own).map(([name, of]) => [`in ${name} at ${server}`, of] as const),
    ]),
    ...Object.entries(tools).map(([name, one]) => [`in ${name}`, one] as const),
  ]
  return [
    ...all.flatMap(([where, { mode, off = [], thresholds = {}, allow = [] }]) => [
      ...(mode === undefined ? [] : [`${where}: mode ${mode}`]),
      ...off.map((id) => `${where}: ${id} is off`),
      ...Object.entries(thresholds).map(([id, from]) => `${where}: ${id} refuses from ${from}`),
      ...allow.map(
        ({ detector: id, path, expires, reason }) =>
          `${where}: ${id} is allowed${path === undefined ? '' : ` at ${path}`} until ${expires} (${reason})`,
      ),
    ]),
    ...detectors.map(
      ({ id, category, severity }) => `a detector of its own: ${id} (${category}, ${severity})`,
    ),
  ]
}

export function unusable(path: string, what: string, cause?: unknown): Fault {
  return new Fault('BAD_INPUT', `The inspection file ${path}: ${what}.`, {
    details: { file: path },
    ...(cause !== undefined && { cause }),
  })
}
