/** East Asian wide forms and pictures take two columns of a terminal. */
const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6]|[\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/u
const NARROW = /\p{M}/u

/** Of a terminal, as it shows the text. */
export function columnsOf(shown: string): number {
  let columns = 0
  for (const letter of shown) columns += NARROW.test(letter) ? 0 : WIDE.test(letter) ? 2 : 1
  return columns
}

/** As many of the letters, from the first on, as take no more columns. */
export function fitting(letters: readonly string[], columns: number): readonly string[] {
  let used = 0
  const end = letters.findIndex((letter) => {
    used += columnsOf(letter)
    return used > columns
  })
  return end === -1 ? letters : letters.slice(0, end)
}

/** A line without colours, in no more columns. */
export function cutTo(line: string, columns: number): string {
  if (columnsOf(line) <= columns) return line
  return `${fitting(Array.from(line), columns - 1).join('')}…`
}
