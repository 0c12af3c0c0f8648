const MAX_SHOWN = 80
const MAX_PROBLEM = 400

/** Input as it may stand in a message: in single quotes, control characters as escapes, at most 80 characters. */
export function quoted(text: string): string {
  const shown = shortened(text, MAX_SHOWN)
  return `'${shown.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, escape)}'`
}

/** What is wrong with a file, as a line to read: some libraries repeat what stands there, however long it is. */
export function problemText(problem: string): string {
  return shortened(problem, MAX_PROBLEM)
}

export function shortened(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most).toWellFormed()}…` : text
}

function escape(char: string): string {
  return `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`
}
