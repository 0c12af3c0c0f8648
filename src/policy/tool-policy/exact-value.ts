import { compareDecimals, ExactNumber, parseDecimal } from '../../core/decimal.ts'
import type { JsonNode } from './json-tree.ts'

/** The value that a tree stands for. A number that a double would change stays as it was written. */
export function exactValue(node: JsonNode): unknown {
  switch (node.kind) {
    case 'object':
      return Object.fromEntries(node.members.map(({ key, value }) => [key, exactValue(value)]))
    case 'list':
      return node.items.map(exactValue)
    case 'number':
      return exactNumber(node.source)
    case 'text':
    case 'plain':
      return node.value
  }
}

function exactNumber(source: string): number | ExactNumber {
  const near = Number(source)
  const [written, kept] = [parseDecimal(source), parseDecimal(String(near))]
  return written !== null && kept !== null && compareDecimals(written, kept) === 0
    ? near
    : new ExactNumber(source)
}
