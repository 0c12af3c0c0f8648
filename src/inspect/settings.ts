import type { Finding } from './finding.ts'
import { BLOCKS_FROM, isCounted, isSevere } from './verdict.ts'

/** From the strictest: `block` refuses, `surgical` takes out what it can and refuses the rest, `log_only` records. */
export const MODES = ['block', 'surgical', 'log_only'] as const
export type Mode = (typeof MODES)[number]

/** One thing that somebody looked at and wants to let through. */
export interface AllowEntry {
  /** Id of the detector. */
  readonly detector: string
  /** JSON path it is allowed at; default everywhere. `$.args[*].path` means every element. */
  readonly path?: string
  /** Shown in reports. */
  readonly reason: string
  /** Milliseconds since the epoch; from then on the entry says nothing. */
  readonly expiresAt: number
}

/** How findings are judged: what holds for one agent, server and tool. */
export interface InspectSettings {
  readonly mode: Mode
  /** Detectors that are off: what they find is dropped. */
  readonly off: readonly string[]
  /** By detector: the confidence from which it blocks, in place of 0.8. */
  readonly thresholds: Readonly<Record<string, number>>
  readonly allow: readonly AllowEntry[]
}

export const DEFAULT_SETTINGS: InspectSettings = {
  mode: 'block',
  off: [],
  thresholds: {},
  allow: [],
}

/** Settings from the widest to the narrowest (house, agent, server, tool): the narrower wins, lists add up. */
export function mergeSettings(layers: readonly Partial<InspectSettings>[]): InspectSettings {
  return layers.reduce<InspectSettings>(
    (wide, narrow) => ({
      mode: narrow.mode ?? wide.mode,
      off: [...wide.off, ...(narrow.off ?? [])],
      thresholds: { ...wide.thresholds, ...narrow.thresholds },
      allow: [...wide.allow, ...(narrow.allow ?? [])],
    }),
    DEFAULT_SETTINGS,
  )
}

const EVERY_INDEX = /\[\d+\]/g

/** Whether an entry for `wide` lets through all that one for `narrow` does. */
function covers(wide: AllowEntry, narrow: AllowEntry): boolean {
  return (
    wide.detector === narrow.detector &&
    (wide.path === undefined ||
      wide.path === narrow.path ||
      wide.path === narrow.path?.replaceAll(EVERY_INDEX, '[*]'))
  )
}

/** What lets through only what both let through: every part is the stricter of the two. */
export function strictest(one: InspectSettings, other: InspectSettings): InspectSettings {
  const thresholds: Record<string, number> = {}
  const thresholdIn = (settings: InspectSettings, id: string): number =>
    Object.hasOwn(settings.thresholds, id) ? (settings.thresholds[id] ?? BLOCKS_FROM) : BLOCKS_FROM
  for (const id of [...Object.keys(one.thresholds), ...Object.keys(other.thresholds)])
    thresholds[id] = Math.min(thresholdIn(one, id), thresholdIn(other, id))
  const until = (entry: AllowEntry, end: AllowEntry): AllowEntry => ({
    ...entry,
    expiresAt: Math.min(entry.expiresAt, end.expiresAt),
  })
  return {
    mode: MODES.indexOf(one.mode) < MODES.indexOf(other.mode) ? one.mode : other.mode,
    off: one.off.filter((id) => other.off.includes(id)),
    thresholds,
    allow: one.allow.flatMap((mine) =>
      other.allow.flatMap((theirs) => {
        if (covers(theirs, mine)) return [until(mine, theirs)]
        return covers(mine, theirs) ? [until(theirs, mine)] : []
      }),
    ),
  }
}

/**
 * The entry that lets a finding through, or null.
 *
 * @param now - milliseconds since the epoch
 */
export function allowanceOf(
  finding: Finding,
  settings: InspectSettings,
  now: number,
): AllowEntry | null {
  return (
    settings.allow.find(
      (one) =>
        one.detector === finding.detector &&
        one.expiresAt > now &&
        (one.path === undefined ||
          one.path === finding.path ||
          one.path === finding.path.replaceAll(EVERY_INDEX, '[*]')),
    ) ?? null
  )
}

/** Whether a finding is severe and sure enough to refuse a call in mode `block`. */
export function isBlocking(finding: Finding, settings: InspectSettings, now: number): boolean {
  if (!isSevere(finding.severity) || !isCounted(finding)) return false
  if (settings.off.includes(finding.detector)) return false
  const from = Object.hasOwn(settings.thresholds, finding.detector)
    ? (settings.thresholds[finding.detector] ?? BLOCKS_FROM)
    : BLOCKS_FROM
  return finding.confidence >= from && allowanceOf(finding, settings, now) === null
}
