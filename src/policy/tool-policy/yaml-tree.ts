import { type Document, isAlias, isMap, isScalar, isSeq, parseDocument } from 'yaml'
import { oddLineEnd } from '../line-ends.ts'
import { type JsonMember, type JsonNode, JsonProblem, MAX_DEPTH } from './json-tree.ts'
import { asWritten } from './yaml-scalars.ts'

const JSON_NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/
/** True and false to some readers, texts to others. */
const TWO_WAYS = /^(?:y|n|yes|no|on|off)$/i
/** A number to some readers. */
const OTHER_NUMBER =
  /^[-+]?(?:0[0-7_]+|0x[\da-f_]+|0o[0-7_]+|0b[01_]+|[\d_]+|\d[\d_]*(?::[0-5]?\d)+(?:\.\d*)?|[\d_]*\.[\d_]*(?:e[-+]?\d+)?|[\d_.]+e[-+]?\d+|\.(?:inf|nan))$/i
/** An instant to some readers. */
const DATE = /^\d{4}-\d{1,2}-\d{1,2}(?:$|[Tt\s])/

/** Whether a text without quotes is something else to some readers. */
export function isReadTwoWays(plain: string): boolean {
  return TWO_WAYS.test(plain) || OTHER_NUMBER.test(plain) || DATE.test(plain)
}

/** What maps are merged by in older revisions. */
export const MERGE_KEY = '<<'

/**
 * Reads a document of YAML 1.2, with the comments of its author kept.
 *
 * @param keepsTokens - whether its nodes know the tokens that they were read from
 */
export function parseYaml(text: string, keepsTokens = false): Document {
  const odd = oddLineEnd(text)
  if (odd !== null) throw new JsonProblem(odd.at, odd.problem)
  let document: Document
  try {
    document = parseDocument(text, {
      prettyErrors: false,
      version: '1.2',
      schema: 'core',
      // Told by whoever reads the tree: the library compares every key with every other one.
      uniqueKeys: false,
      keepSourceTokens: keepsTokens,
      customTags: asWritten,
    })
  } catch {
    throw new JsonProblem(0, 'it is nested too deeply')
  }
  const problem = document.errors[0] ?? document.warnings[0]
  if (problem !== undefined) {
    const [first = ''] = problem.message.split('\n')
    throw new JsonProblem(problem.pos[0], `it is not YAML: ${first.replace(/[.:]+$/, '')}`)
  }
  const { explicit } = document.directives?.yaml ?? {}
  if (explicit === true) throw new JsonProblem(0, 'directives are not allowed')
  return document
}

/**
 * The tree of a document of YAML that says one thing to every reader: no anchors, aliases, merge keys or tags, no
 * second document, no plain `yes` or `0x10`, nothing nested deeper than 64 levels.
 *
 * @throws {JsonProblem} for anything else
 */
export function parseYamlTree(text: string): JsonNode {
  const document = parseYaml(text)
  return treeOf(document.contents, { start: 0, depth: 0 })
}

interface Place {
  /** Where it is told, when the node has no place of its own. */
  readonly start: number
  readonly depth: number
}

function treeOf(node: unknown, place: Place): JsonNode {
  const { depth } = place
  if (isAlias(node))
    throw new JsonProblem(node.range?.[0] ?? place.start, 'aliases are not allowed; write it out')
  if (!isScalar(node) && !isSeq(node) && !isMap(node))
    return { kind: 'plain', value: null, start: place.start, end: place.start }
  const [start, end] = node.range ?? [place.start, place.start]
  if (node.anchor !== undefined) throw new JsonProblem(start, 'anchors are not allowed')
  if (node.tag !== undefined)
    throw new JsonProblem(start, 'tags are not allowed; put a text in quotes')
  if (isScalar(node)) return scalarOf(node, start, end)
  if (depth >= MAX_DEPTH)
    throw new JsonProblem(start, `it is nested deeper than ${MAX_DEPTH} levels`)
  if (isSeq(node))
    return {
      kind: 'list',
      start,
      end,
      items: node.items.map((item) => treeOf(item, { start, depth: depth + 1 })),
    }
  const members = node.items.map(({ key, value }): JsonMember => {
    const name = treeOf(isScalar(key) || isAlias(key) ? key : null, { start, depth })
    if (name.kind !== 'text')
      throw new JsonProblem(name.start, 'a name must be a text; put it in quotes')
    if (name.value === MERGE_KEY && isScalar(key) && key.type === 'PLAIN')
      throw new JsonProblem(name.start, 'merge keys are not allowed; write them out')
    return {
      key: name.value,
      keyStart: name.start,
      value: treeOf(value, { start: name.end, depth: depth + 1 }),
    }
  })
  return { kind: 'object', start, end, members }
}

function scalarOf(
  node: { readonly value: unknown; readonly type?: string; readonly source?: string },
  start: number,
  end: number,
): JsonNode {
  const { value, source = '' } = node
  const isPlain = node.type === 'PLAIN'
  if (typeof value === 'string') {
    if (isPlain && isReadTwoWays(source))
      throw new JsonProblem(start, 'not all readers take this for a text; put it in quotes')
    return { kind: 'text', value, start, end }
  }
  if (typeof value === 'boolean' || value === null) return { kind: 'plain', value, start, end }
  if (typeof value === 'number' || typeof value === 'bigint') {
    if (JSON_NUMBER.test(source)) return { kind: 'number', source, start, end }
    throw new JsonProblem(start, 'a number is written as in JSON; a text is put in quotes')
  }
  throw new JsonProblem(start, 'not all readers agree on what this is; put it in quotes')
}
