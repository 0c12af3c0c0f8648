import type { EncodedRun } from './decoder.ts'

/** UTF-16 units of the text that holds a run: from and to. */
export type Span = readonly [start: number, end: number]

/** A run, or many short ones of one encoding that are looked at as one text. */
export interface Bundle {
  readonly encoding: string
  readonly decoded: string
  /** See `EncodedRun`. */
  readonly isUnread: boolean
  /** Where a stretch of `decoded` stands in the given text. */
  spanOf(start: number, end: number): Span
  /** Where the run stands that a stretch of `decoded` lies in; null for what reaches from one to another. */
  runOf(start: number, end: number): Span | null
}

/** More runs of one encoding than this are looked at together: each look has its price, however short the run. */
const MANY = 32
/** A run of more units is looked at by itself. */
const SHORT = 1_024
/** Between two runs. Nothing that is looked for reaches across, and the middle unit is part of no encoding. */
const GAP = '\n\uffff\n'

/** The runs as they are, or where there are very many short ones, those of each encoding in one text. */
export function bundlesOf(runs: readonly EncodedRun[]): readonly Bundle[] {
  if (runs.length <= MANY) return runs.map(alone)
  const bundles: Bundle[] = []
  const byEncoding = new Map<string, EncodedRun[]>()
  for (const run of runs) {
    if (run.decoded.length > SHORT || run.isUnread === true) {
      bundles.push(alone(run))
      continue
    }
    const same = byEncoding.get(run.encoding)
    if (same === undefined) byEncoding.set(run.encoding, [run])
    else same.push(run)
  }
  for (const same of byEncoding.values())
    if (same.length <= MANY) bundles.push(...same.map(alone))
    else bundles.push(together(same))
  return bundles
}

function spanIn(run: EncodedRun, start: number, end: number): Span {
  const { sourceOffset } = run
  return sourceOffset === undefined
    ? [run.start, run.end]
    : [sourceOffset(start), sourceOffset(end)]
}

function alone(run: EncodedRun): Bundle {
  const whole: Span = [run.start, run.end]
  return {
    encoding: run.encoding,
    decoded: run.decoded,
    isUnread: run.isUnread === true,
    spanOf: (start, end) => spanIn(run, start, end),
    runOf: () => whole,
  }
}

function together(runs: readonly EncodedRun[]): Bundle {
  const starts = new Int32Array(runs.length)
  let length = 0
  for (const [index, { decoded }] of runs.entries()) {
    starts[index] = length
    length += decoded.length + GAP.length
  }
  /** The last run that begins at or before a unit. */
  const at = (offset: number): { readonly run: EncodedRun; readonly start: number } => {
    let low = 0
    let high = runs.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if ((starts[middle] as number) <= offset) low = middle
      else high = middle - 1
    }
    return { run: runs[low] as EncodedRun, start: starts[low] as number }
  }
  return {
    encoding: runs[0]?.encoding ?? '',
    decoded: runs.map(({ decoded }) => decoded).join(GAP),
    isUnread: false,
    spanOf(start, end) {
      const first = at(start)
      const last = at(end)
      const [from] = spanIn(first.run, start - first.start, start - first.start)
      const [, to] = spanIn(last.run, end - last.start, end - last.start)
      return [from, to]
    },
    runOf(start, end) {
      const { run, start: from } = at(start)
      return end > from + run.decoded.length ? null : [run.start, run.end]
    },
  }
}
