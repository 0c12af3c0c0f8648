import type { Scene } from './detector.ts'
import type { Expansions } from './expansions.ts'

/** A stretch of a text that stands for another text: an encoding that was undone, or look-alikes that were folded. */
export interface EncodedRun {
  /** UTF-16 units of the text that was given. */
  readonly start: number
  readonly end: number
  /** What `via` of a finding says: `base64`, `percent`, `hex`, `fold` … */
  readonly encoding: string
  readonly decoded: string
  /** Where a unit of `decoded` stands in the given text. Without it, what is found is said of the whole run. */
  readonly sourceOffset?: (offset: number) => number
  /** Too much stands here to be undone: nothing was decoded, and the text was not looked at whole. */
  readonly isUnread?: true
}

/**
 * The encoded runs of a text, one layer deep: the engine looks into what was decoded, asks
 * again, and keeps depth and budget. A run is a shape, never a finding. Linear time.
 *
 * @param expansions of the message that the text is part of
 */
export type FindEncoded = (
  text: string,
  scene: Scene,
  expansions?: Expansions,
) => readonly EncodedRun[]

/** The `encoding` of a run that hides nothing: letters that look like others, read as those. */
export const FOLD = 'fold'

/** How deep layers are undone, and how much decoded text is looked at: this often the length of the given text. */
export const DECODE_LIMITS = { maxDepth: 3, maxGrowth: 4, minUnits: 262_144 } as const
