import { membersOf } from './json-text.ts'

/**
 * An object with other values for some of its members, each time that their name stands there. The order, and the names
 * and values of all others, stay as they were written.
 *
 * @param text JSON of an object, as JSON.parse accepts it
 * @param edits JSON by name; null takes the member out, and a name that is not there is put at the end
 */
export function withMembers(text: string, edits: Readonly<Record<string, string | null>>): string {
  const parts: string[] = []
  const now = new Map(Object.entries(edits))
  const members = membersOf(text)
  for (const { key, from, start, end } of members) {
    const edit = now.get(key)
    if (edit === undefined) parts.push(text.slice(from, end))
    else if (edit !== null) parts.push(`${text.slice(from, start)}${edit}`)
  }
  for (const [name, value] of now)
    if (value !== null && !members.some(({ key }) => key === name))
      parts.push(`${JSON.stringify(name)}:${value}`)
  return `{${parts.join(',')}}`
}

/** The value of a member as it was written, the last one of its name; null when it is not there. */
export function memberOf(text: string, name: string): string | null {
  const found = membersOf(text).findLast(({ key }) => key === name)
  return found === undefined ? null : text.slice(found.start, found.end)
}

/** An object of some members of another, sorted by name, their values as they were written. @param text JSON of an object */
export function sortedMembers(text: string, keeps: (name: string) => boolean): string {
  const kept = membersOf(text).filter(({ key }) => keeps(key))
  const sorted = kept.toSorted((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
  const parts = sorted.map(
    ({ key, start, end }) => `${JSON.stringify(key)}:${text.slice(start, end)}`,
  )
  return `{${parts.join(',')}}`
}

/** A message on one line: between the tokens of JSON a line break is as good as a space, and within them there is none. */
export function onOneLine(frame: Buffer): Buffer {
  if (!frame.includes(0x0a) && !frame.includes(0x0d)) return frame
  const line = Buffer.from(frame)
  for (const unit of [0x0a, 0x0d])
    for (let at = line.indexOf(unit); at !== -1; at = line.indexOf(unit, at + 1)) line[at] = 0x20
  return line
}

const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf])

/** What comes behind the byte order mark with which some writers begin, if there is one. */
export function withoutMark(bytes: Buffer): Buffer {
  return bytes[0] === 0xef && bytes.subarray(0, 3).equals(BYTE_ORDER_MARK)
    ? bytes.subarray(3)
    : bytes
}
