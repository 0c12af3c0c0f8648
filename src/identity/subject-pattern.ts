import { Fault } from '../core/faults.ts'

const MAX_CHARACTERS = 512
const PIECE = /[:/]/
const DELIMITERS = /([:/])/
/** Pieces at the beginning that must be written out: `repo:*` would be everybody's repository. */
const LITERAL_PIECES = 2

/** @throws {Fault} `BAD_INPUT` */
export function checkedSubject(pattern: string): string {
  const pieces = pattern.split(PIECE)
  const problem =
    pattern === '' || pattern.length > MAX_CHARACTERS || /[\p{C}\s]/u.test(pattern)
      ? `must have 1 to ${MAX_CHARACTERS} printable characters and no space`
      : pieces.some((piece) => piece.includes('*') && piece !== '*')
        ? "may have '*' only as a whole piece between ':' and '/'"
        : pieces.slice(0, LITERAL_PIECES).includes('*')
          ? "must begin with two pieces that are written out: '*' there could be anybody"
          : null
  if (problem === null) return pattern
  throw new Fault('BAD_INPUT', `subject ${problem}.`, { details: { field: 'subject' } })
}

/** Whether a subject is what a pattern stands for: the same pieces and the same delimiters, `*` any one piece. */
export function isSubject(pattern: string, subject: string): boolean {
  const wanted = pattern.split(DELIMITERS)
  const given = subject.split(DELIMITERS)
  return (
    wanted.length === given.length &&
    wanted.every((piece, at) => (piece === '*' ? given[at] !== '' : piece === given[at]))
  )
}
