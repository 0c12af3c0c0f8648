// JSON as other parsers read it: which of two equal names counts, and whether case does.
import { foldedName } from '../../src/core/folded-name.ts'

/** Objects as the pairs that were written, in order. Numbers stay text. */
export type Written =
  | { readonly kind: 'object'; readonly pairs: readonly (readonly [string, Written])[] }
  | { readonly kind: 'list'; readonly items: readonly Written[] }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'plain'; readonly source: string }

/** Reads text that JSON.parse accepts. */
export function written(text: string): Written {
  let at = 0
  const space = (): void => {
    while (' \t\r\n'.includes(text[at] ?? 'x')) at += 1
  }
  const string = (): string => {
    const from = at
    at += 1
    while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1
    at += 1
    return JSON.parse(text.slice(from, at)) as string
  }
  const value = (): Written => {
    space()
    const first = text[at]
    if (first === '"') return { kind: 'text', text: string() }
    if (first === '[' || first === '{') {
      const close = first === '[' ? ']' : '}'
      const items: Written[] = []
      const pairs: [string, Written][] = []
      at += 1
      space()
      while (text[at] !== close) {
        if (first === '[') items.push(value())
        else {
          space()
          const name = string()
          space()
          at += 1
          pairs.push([name, value()])
        }
        space()
        if (text[at] === ',') at += 1
        space()
      }
      at += 1
      return first === '[' ? { kind: 'list', items } : { kind: 'object', pairs }
    }
    const from = at
    while (at < text.length && !/[\s,\]}]/.test(text[at] ?? '')) at += 1
    return { kind: 'plain', source: text.slice(from, at) }
  }
  return value()
}

/** How a reader looks a name up. */
export type Lookup = (object: Written | undefined, name: string) => Written | undefined

const pairsOf = (object: Written | undefined): readonly (readonly [string, Written])[] =>
  object?.kind === 'object' ? object.pairs : []

export const READERS: Readonly<Record<'last' | 'first' | 'folding', Lookup>> = {
  last: (object, name) => pairsOf(object).findLast(([key]) => key === name)?.[1],
  first: (object, name) => pairsOf(object).find(([key]) => key === name)?.[1],
  folding: (object, name) =>
    pairsOf(object).findLast(([key]) => foldedName(key) === foldedName(name))?.[1],
}
