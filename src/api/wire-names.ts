import { Fault, isFault } from '../core/faults.ts'

/** Our names of fields, and how the API names them. */
export type WireNames = Readonly<Record<string, string>>

/** Runs `work`; a field that it refuses is named as the API names it, in `field` and in the message. */
export async function withWireNames<T>(names: WireNames, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!isFault(error, 'BAD_INPUT') || typeof error.details['field'] !== 'string') throw error
    const field = error.details['field']
    const wire = renamed(field, names)
    const isNamed = error.message.startsWith(field)
    const rest = isNamed ? error.message.slice(field.length) : error.message
    throw new Fault('BAD_INPUT', (isNamed ? wire : '') + outsideQuotes(rest, names), {
      details: { ...error.details, field: wire },
    })
  }
}

function renamed(text: string, names: WireNames): string {
  return text.replaceAll(/[A-Za-z]+/g, (word) =>
    Object.hasOwn(names, word) ? (names[word] ?? word) : word,
  )
}

/** What stands in quotes is what somebody wrote. */
function outsideQuotes(text: string, names: WireNames): string {
  return text
    .split("'")
    .map((part, index) => (index % 2 === 0 ? renamed(part, names) : part))
    .join("'")
}
