import { Fault } from '../../core/faults.ts'
import { type EpochMs, parseInstant, toIso } from '../../core/time.ts'

/** @throws {Fault} `BAD_INPUT` naming the field */
export function momentFrom(field: string, text: string): EpochMs {
  const at = parseInstant(text)
  if (at !== null) return at
  throw new Fault('BAD_INPUT', `${field} is not an instant with a zone.`, { details: { field } })
}

export function isoOrNull(at: EpochMs | null): string | null {
  return at === null ? null : toIso(at)
}

/** Null and what was not given stay as they are. @throws {Fault} `BAD_INPUT` naming the field */
export function optionalMoment(
  field: string,
  text: string | null | undefined,
): EpochMs | null | undefined {
  return typeof text === 'string' ? momentFrom(field, text) : text
}

/** Who made something: `agent:<uuid>`, `user:<uuid>`, `person:local` or a part of this program. */
export function madeBy(principal: string): {
  readonly created_by: string
  readonly created_by_type: 'user' | 'agent' | 'system'
} {
  const [kind = '', id = ''] = principal.split(':')
  if (id === '') return { created_by: kind, created_by_type: 'system' }
  return { created_by: id, created_by_type: kind === 'agent' ? 'agent' : 'user' }
}
