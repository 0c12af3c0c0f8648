import { Fault, isFault } from '../core/faults.ts'

/** Names of fields that are not the snake case of ours. */
export type WireNames = Readonly<Record<string, string>>

/** Runs `work`; a field that it refuses is named as the API names it, in `field` and at the start of the message. */
export async function withWireNames<T>(names: WireNames, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!isFault(error, 'BAD_INPUT') || typeof error.details['field'] !== 'string') throw error
    const field = error.details['field']
    const wire = wireName(field, names)
    const message = error.message.startsWith(field)
      ? wire + error.message.slice(field.length)
      : error.message
    throw new Fault('BAD_INPUT', message, { details: { ...error.details, field: wire } })
  }
}

function wireName(field: string, names: WireNames): string {
  const [, first = '', rest = ''] = /^(\w+)(.*)$/.exec(field) ?? []
  return (names[first] ?? snake(first)) + snake(rest)
}

function snake(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}
