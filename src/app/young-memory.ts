import { PerformanceObserver } from 'node:perf_hooks'
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8'

/** Of both halves: collections of larger ones take no less time, and the memory is never given back. */
const ENOUGH_BYTES = 2 * 16 * 1_048_576

/** V8 gives back what a process that does little may not need after eight seconds. */
const IDLE_MS = 600_000

let isKept = false

/**
 * Settings of V8 for a process through which calls go, one after another, without an end.
 *
 * What is kept of a call lives for a quarter of a second. Where V8 takes that for long, it makes such things among the
 * old ones from the start: there they count as alive until the next full collection, with all that they name, which
 * doubles what each of the small collections copies. And room for the young grows with all that ever outlived a
 * collection, to 128 MiB on a large machine, of which a call needs 15 KB. Nor does that room shrink as soon as nothing
 * happens for a few seconds: then it would take thousands of calls to grow again, and each of them half as long again.
 */
export function keepYoung(): void {
  if (isKept) return
  isKept = true
  setFlagsFromString('--no-allocation-site-pretenuring')
  setFlagsFromString('--lazy-new-space-shrinking')
  setFlagsFromString(`--gc-memory-reducer-start-delay-ms=${IDLE_MS}`)
  let isEnough = false
  // Told of collections: a process that does nothing is not woken.
  new PerformanceObserver(() => {
    if (youngBytes() >= ENOUGH_BYTES === isEnough) return
    isEnough = !isEnough
    // Where memory is short, it shrinks all the same.
    setFlagsFromString(`--semi-space-growth-factor=${isEnough ? 1 : 2}`)
  }).observe({ entryTypes: ['gc'] })
}

function youngBytes(): number {
  return getHeapSpaceStatistics().find((one) => one.space_name === 'new_space')?.space_size ?? 0
}
