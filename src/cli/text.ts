import { type EpochMs, toIso } from '../core/time.ts'
import type { Output } from './command.ts'
import { columnsOf } from './width.ts'

// C0 and C1 controls, what reorders or hides text, and what is not drawn: all of it can make a terminal show something
// else than there is.
const UNSEEN =
  // oxlint-disable-next-line no-control-regex
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2069\u3164\ufeff\uffa0\u{e0000}-\u{e01ef}]/gu

/** Text that others chose, safe to put on a terminal: what would not show as itself shows as `\u{…}`. */
export function visible(text: string): string {
  return text.replace(UNSEEN, (one) => `\\u{${(one.codePointAt(0) ?? 0).toString(16)}}`)
}

/** True when the text would do something to a terminal other than show itself, lines and tabs aside. */
export function controlsTerminal(text: string): boolean {
  return text.replaceAll(/[\n\t]/g, '').search(UNSEEN) !== -1
}

/** `2026-11-20T10:00:00Z`: whole seconds are enough for a person; JSON carries milliseconds. */
export function instant(at: EpochMs): string {
  return toIso(at).replace(/\.\d{3}Z$/, 'Z')
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`
}

/** Columns wide enough for their cells, two spaces between them, no border; the last one runs on. */
export function table(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  out: Pick<Output, 'paint'>,
): string {
  const cells = rows.map((row) => header.map((_, at) => visible(row[at] ?? '')))
  const widths = header.map((name, at) =>
    Math.max(name.length, ...cells.map((row) => columnsOf(row[at] ?? ''))),
  )
  const line = (row: readonly string[]): string =>
    row
      .map((cell, at) => cell + ' '.repeat((widths[at] ?? 0) - columnsOf(cell)))
      .join('  ')
      .trimEnd()
  return [out.paint('dim', line(header)), ...cells.map(line)].join('\n')
}

/** Names and values below each other, for one thing with many fields. */
export function fields(rows: readonly (readonly [name: string, value: string])[]): string {
  const width = Math.max(0, ...rows.map(([name]) => name.length))
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${visible(value)}`).join('\n')
}

/** Words in lines of at most `width` characters, each line after `indent`. */
export function wrap(text: string, width: number, indent = ''): string {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && indent.length + line.length + 1 + word.length > width) {
      lines.push(indent + line)
      line = word
    } else {
      line = line === '' ? word : `${line} ${word}`
    }
  }
  lines.push(indent + line)
  return lines.join('\n')
}
