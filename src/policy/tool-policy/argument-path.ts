import { foldedName } from '../../core/folded-name.ts'

export interface ArgumentPath {
  readonly steps: readonly string[]
  readonly isPointer: boolean
}

/**
 * `args.to.kind`, or a JSON Pointer into the arguments for names with dots and elements of lists: `/to/0/kind`.
 *
 * @returns null for what is neither
 */
export function parseArgumentPath(text: string): ArgumentPath | null {
  if (text.startsWith('/')) {
    const steps = text.slice(1).split('/')
    if (steps.some((step) => /~(?![01])/.test(step))) return null
    return {
      steps: steps.map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~')),
      isPointer: true,
    }
  }
  const [root, ...steps] = text.split('.')
  if (root !== 'args' || steps.length === 0 || steps.includes('')) return null
  return { steps, isPointer: false }
}

/** `doubt`: a reader that is careless with names may find another value there. */
export type Found = { readonly value: unknown } | 'missing' | 'doubt'

/** What stands at a path. A value that is null is there. */
export function findArgument(args: unknown, { steps, isPointer }: ArgumentPath): Found {
  let value = args
  for (const step of steps) {
    if (Array.isArray(value)) {
      if (!isPointer || !/^(?:0|[1-9]\d{0,8})$/.test(step)) return 'missing'
      const index = Number(step)
      if (index >= value.length) return 'missing'
      value = value[index] as unknown
      continue
    }
    if (typeof value !== 'object' || value === null) return 'missing'
    const object = value as Readonly<Record<string, unknown>>
    if (hasLookAlike(object, step)) return 'doubt'
    if (!Object.hasOwn(object, step)) return 'missing'
    value = object[step]
  }
  return { value }
}

function hasLookAlike(object: object, name: string): boolean {
  const folded = foldedName(name)
  return Object.keys(object).some((key) => key !== name && foldedName(key) === folded)
}
