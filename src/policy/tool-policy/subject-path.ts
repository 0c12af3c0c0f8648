import { foldedName } from '../../core/folded-name.ts'
import { holdsHeld, isHeld, mayHold } from '../../core/held-values.ts'
import { textOfAnswer } from './answer-text.ts'
import { type Asker, type CallSubject, type PathRoot, ROOTS, type SubjectPath } from './model.ts'
import { pointerStep } from './pointer-step.ts'

/** What a place in the document lets conditions look at. */
export type PathPlace = 'call' | 'result' | 'method' | 'method-result'

/** Roots that hold something to go on into. */
const DEEP: ReadonlySet<PathRoot> = new Set(['args', 'params', 'result', 'annotations'])
/** Roots that may be named alone or with one of these. */
const PARTS: Readonly<Partial<Record<PathRoot, readonly string[]>>> = { principal: ['kind', 'id'] }

const OF_METHODS: readonly PathRoot[] = ['params', 'principal', 'labels', 'client', 'method']
const OF_CALLS: readonly PathRoot[] = [
  'args',
  'annotations',
  'principal',
  'labels',
  'client',
  'class',
  'tool',
]
const OF_RESULTS: readonly PathRoot[] = ['result', 'text']

export const ROOTS_OF: Readonly<Record<PathPlace, readonly PathRoot[]>> = {
  call: OF_CALLS,
  result: [...OF_RESULTS, ...OF_CALLS],
  method: OF_METHODS,
  'method-result': [...OF_RESULTS, ...OF_METHODS],
}

/**
 * `args.to.kind`; for names with dots and elements of lists a JSON Pointer, `args#/to/0` or, into arguments, `/to/0`.
 *
 * @returns what is wrong with it, as a sentence part
 */
export function parseSubjectPath(text: string, place: PathPlace): SubjectPath | string {
  const roots = ROOTS_OF[place]
  const main = roots.includes('args') ? 'args' : 'params'
  const [, before = '', pointer] = /^([^/#]*)(?:#?(\/.*))?$/s.exec(text) ?? []
  const isPointer = pointer !== undefined
  const [first = '', ...names] = before.split('.')
  const root = isPointer && before === '' ? main : ROOTS.find((one) => one === first)
  if (root === undefined || !roots.includes(root) || (isPointer && names.length > 0))
    return `'path' must begin with ${roots.join(', ')}, or be a JSON Pointer such as '/to/0'`
  if (isPointer && !text.includes('#') && before !== '')
    return `'path' is '${root}.' and names joined by dots, or '${root}#/' and a JSON Pointer`
  const steps = isPointer ? pointerSteps(pointer) : names
  if (steps === null) return "'path' has a '~' that is neither '~0' nor '~1'"
  if (!isPointer && steps.includes('')) return "'path' has an empty name between its dots"
  if (!isPointer && steps.some((step) => ELEMENT.test(step))) return noElements(root, steps)
  if (DEEP.has(root)) {
    if (steps.length === 0 && root !== 'result') return `'path' says nothing behind '${root}'`
  } else if (isPointer || steps.length > 1 || !steps.every((one) => PARTS[root]?.includes(one)))
    return `'path' is '${[root, ...(PARTS[root] ?? []).map((one) => `${root}.${one}`)].join("' or '")}' there`
  return { root, steps, isPointer }
}

/** As other languages of paths name elements of lists; what is only called so is reached by a pointer. */
const ELEMENT = /\[(?:\d*|\*)\]$/

function noElements(root: PathRoot, steps: readonly string[]): string {
  const pointer = steps
    .map(pointerStep)
    .join('')
    .replaceAll(/\[(\d+)\]/g, '/$1')
  return /\[\*?\]/.test(pointer)
    ? "'path' leads to one value: there is none to all elements of a list"
    : `'path' has an element of a list: write '${root}#${pointer}'`
}

function pointerSteps(pointer: string): readonly string[] | null {
  const steps = pointer.slice(1).split('/')
  if (steps.some((step) => /~(?![01])/.test(step))) return null
  return steps.map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
}

/** What a rule is held against: a call of a tool or of another method, and its answer where there is one. */
export interface Judged extends Asker, Pick<CallSubject, 'args' | 'annotations' | 'toolClass'> {
  readonly tool: string | null
  readonly method: string | null
  /** Undefined before it is there. */
  readonly result?: unknown
}

/** What stands at a path. `doubt`: it cannot be said for sure. */
export function findInSubject(judged: Judged, { root, steps, isPointer }: SubjectPath): Found {
  switch (root) {
    case 'args':
    case 'params':
      return findIn(judged.args, steps, isPointer)
    case 'result':
      return judged.result === undefined ? 'doubt' : findIn(judged.result, steps, isPointer)
    case 'text':
      return judged.result === undefined || holdsHeld(judged.result)
        ? 'doubt'
        : { value: textOfAnswer(judged.result, judged.method) }
    case 'annotations':
      return judged.annotations === null
        ? 'doubt'
        : findIn(withDefaults(judged.annotations), steps, isPointer)
    case 'principal':
      return { value: principalPart(judged.principal, steps[0]) }
    case 'labels':
      return judged.labels === null ? 'doubt' : { value: judged.labels }
    case 'client':
      return judged.client === null ? 'missing' : { value: judged.client }
    case 'class':
      return judged.toolClass === null ? 'missing' : { value: judged.toolClass }
    case 'tool':
      return judged.tool === null ? 'missing' : { value: judged.tool }
    case 'method':
      return judged.method === null ? 'missing' : { value: judged.method }
  }
}

function principalPart(principal: string, part: string | undefined): string {
  const colon = principal.indexOf(':')
  if (part === undefined || colon === -1) return principal
  return part === 'kind' ? principal.slice(0, colon) : principal.slice(colon + 1)
}

/** What the protocol has hold where a server says nothing: a tool changes things, destroys, and reaches far. */
function withDefaults(annotations: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return {
    readOnlyHint: false,
    destructiveHint: annotations['readOnlyHint'] !== true,
    idempotentHint: false,
    openWorldHint: true,
    ...annotations,
  }
}

/** `doubt`: a reader that is careless with names may find another value there, or it is too large to be looked at. */
export type Found = { readonly value: unknown } | 'missing' | 'doubt'

/** What stands at a path of a value. A value that is null is there. */
export function findIn(whole: unknown, steps: readonly string[], isPointer: boolean): Found {
  let value = whole
  for (const step of steps) {
    if (Array.isArray(value)) {
      if (!isPointer || !/^(?:0|[1-9]\d{0,8})$/.test(step)) return 'missing'
      const index = Number(step)
      if (index >= value.length) return 'missing'
      value = value[index] as unknown
      continue
    }
    if (isHeld(value)) return 'doubt'
    if (typeof value !== 'object' || value === null) return 'missing'
    const object = value as Readonly<Record<string, unknown>>
    if (hasLookAlike(object, step)) return 'doubt'
    if (!Object.hasOwn(object, step)) return 'missing'
    value = object[step]
  }
  return mayHold() && holdsHeld(value) ? 'doubt' : { value }
}

function hasLookAlike(object: object, name: string): boolean {
  const folded = foldedName(name)
  return Object.keys(object).some((key) => key !== name && foldedName(key) === folded)
}
