import type { Output } from './command.ts'
import type { FoundSpan, InspectedText, Verdict } from './deps.ts'
import { plural, visible } from './text.ts'
import { columnsOf, fitting } from './width.ts'

const COLOUR_OF: Readonly<Record<Verdict, 'green' | 'yellow' | 'red'>> = {
  clean: 'green',
  warning: 'yellow',
  suspicious: 'red',
  malicious: 'red',
}

const MAX_SHOWN = 100
const MAX_CLEANED_LINES = 60
const MIN_WIDTH = 40
/** In front of each line of the text. */
const MARGIN = '  | '

/** What a detector looks for, in a line. */
export type SummaryOf = (detector: string) => string | null

/** A verdict, each finding with the line it stands in and carets under it, and what the detectors look for. */
export function reportOf(
  name: string,
  text: string,
  { verdict, blocked, findings, cleaned }: InspectedText,
  out: Pick<Output, 'paint' | 'columns'>,
  summaryOf: SummaryOf,
): string {
  const head = [
    `${visible(name)}: ${out.paint(COLOUR_OF[verdict], verdict)}`,
    ...(findings.length === 0 ? [] : [plural(findings.length, 'finding')]),
    ...(blocked ? ['blocked'] : []),
  ]
  const places = placer(text)
  const shown = findings.slice(0, MAX_SHOWN).map((one) => spanReport(text, one, places, out))
  const rest = findings.length - MAX_SHOWN
  return [
    head.join(', '),
    ...shown,
    ...(rest > 0 ? ['', `  … and ${rest} more`] : []),
    ...legend(findings, out, summaryOf),
    ...(cleaned === null || cleaned === text ? [] : ['', '  goes on as:', indented(cleaned)]),
  ].join('\n')
}

function legend(
  findings: readonly FoundSpan[],
  out: Pick<Output, 'paint'>,
  summaryOf: SummaryOf,
): readonly string[] {
  const lines = [...new Set(findings.map(({ detector }) => detector))].flatMap((detector) => {
    const summary = summaryOf(detector)
    return summary === null
      ? []
      : [out.paint('dim', `  ${detector}: ${visible(summary.replace(/\.$/, ''))}`)]
  })
  return lines.length === 0 ? [] : ['', ...lines]
}

function indented(text: string): string {
  const lines = text.split('\n')
  const rest = lines.length - MAX_CLEANED_LINES
  return [
    ...lines.slice(0, MAX_CLEANED_LINES).map((line) => `${MARGIN}${shownAs(line)}`),
    ...(rest > 0 ? [`  … and ${plural(rest, 'more line', 'more lines')}; --json has all`] : []),
  ].join('\n')
}

/** As a line of a text: tabs are blanks, what would not show is spelt out. */
function shownAs(line: string): string {
  return visible(line.replace(/\r$/, '').replaceAll('\t', '  '))
}

function spanReport(
  text: string,
  found: FoundSpan,
  places: (offset: number) => Place,
  out: Pick<Output, 'paint' | 'columns'>,
): string {
  const { detector, severity, category, confidence, start, end } = found
  const from = places(start)
  const to = places(end)
  const { before, marked, after } = cutAround(text, from, found, out.columns - MARGIN.length)
  const where = `${from.line}:${from.column}${to.line > from.line ? ` to ${to.line}:${to.column}` : ''}`
  return [
    '',
    `  ${where}  ${out.paint('bold', detector)}  ${severity}, ${confidence.toFixed(2)}, ${category}`,
    `${MARGIN}${before}${marked}${after}`,
    `${MARGIN}${' '.repeat(columnsOf(before))}${out.paint('red', '^'.repeat(Math.max(1, columnsOf(marked))))}`,
  ].join('\n')
}

interface Place {
  /** From 1. */
  readonly line: number
  /** From 1, UTF-16 units. */
  readonly column: number
  readonly lineStart: number
}

/** Finds line and column of offsets that come in ascending order; an earlier one is looked for from the beginning. */
function placer(text: string): (offset: number) => Place {
  let line = 1
  let lineStart = 0
  return (offset) => {
    if (offset < lineStart) {
      line = 1
      lineStart = 0
    }
    for (
      let end = text.indexOf('\n', lineStart);
      end !== -1 && end < offset;
      end = text.indexOf('\n', lineStart)
    ) {
      line += 1
      lineStart = end + 1
    }
    return { line, column: offset - lineStart + 1, lineStart }
  }
}

/** The line that a span begins in, as it can be shown, cut down to a width around the span. */
function cutAround(
  text: string,
  { lineStart }: Place,
  { start, end }: FoundSpan,
  columns: number,
): { readonly before: string; readonly marked: string; readonly after: string } {
  const width = Math.max(MIN_WIDTH, columns)
  const newline = text.indexOf('\n', start)
  const lineEnd = newline === -1 ? text.length : newline
  const markEnd = Math.min(end, lineEnd)
  // No unit is shown in less than no column: what is further away than the width can only be marks on letters.
  const before = lettersOf(text.slice(Math.max(lineStart, start - width), start))
  const marked = lettersOf(text.slice(start, Math.min(markEnd, start + width)))
  const after = lettersOf(
    text.slice(markEnd, Math.min(lineEnd, markEnd + width)).replace(/\r$/, ''),
  )
  const wanted = columnsOf(after.join(''))
  const unclaimed = width - 2 - wanted - columnsOf(before.join(''))
  const shownMark = fitting(marked, Math.max(unclaimed, Math.ceil(width * 0.6)))
  const isMarkCut = shownMark.length < marked.length || start + width < markEnd
  const room = width - columnsOf(shownMark.join('')) - 2
  const shownBefore = fitting(
    before.toReversed(),
    Math.max(room - wanted, Math.floor(room / 2)),
  ).toReversed()
  const shownAfter = isMarkCut ? [] : fitting(after, room - columnsOf(shownBefore.join('')))
  const isCutBefore = shownBefore.length < before.length || start - width > lineStart
  const isCutAfter = isMarkCut || shownAfter.length < after.length || markEnd + width < lineEnd
  return {
    before: `${isCutBefore ? '…' : ''}${shownBefore.join('')}`,
    marked: shownMark.join(''),
    after: `${shownAfter.join('')}${isCutAfter ? '…' : ''}`,
  }
}

/** Letter by letter, as each is shown. */
function lettersOf(text: string): readonly string[] {
  return Array.from(text, shownAs)
}
