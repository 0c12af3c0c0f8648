import { Fault } from '../core/faults.ts'
import type { NewLink, PeoplePort, PersonInfo } from '../core/people-port.ts'
import type { Caller } from '../core/principals.ts'
import { toIso } from '../core/time.ts'
import type { Io, Json } from './command.ts'
import { instant, visible } from './text.ts'

/** The argument of every command about one account. */
export const PERSON_ARGUMENT = { name: 'person', summary: 'e-mail or id' } as const

/** @throws {Fault} `NOT_FOUND` */
export async function personNamed(
  people: PeoplePort,
  caller: Caller,
  name: string,
): Promise<PersonInfo> {
  const wanted = name.toLowerCase()
  const found = (await people.list(caller)).find(({ id, email }) => id === name || email === wanted)
  if (found === undefined) throw new Fault('NOT_FOUND', `There is no account '${visible(name)}'.`)
  return found
}

export function personJson(person: PersonInfo): Json {
  return {
    id: person.id,
    email: person.email,
    name: person.name,
    role: person.role,
    active: person.isActive,
    created_at: toIso(person.createdAt),
    created_by: person.createdBy,
  }
}

const PLACES = { setup: 'setup', invite: 'join', reset: 'reset' } as const

/** Shows a link in the one answer it ever appears in. */
export async function showLink(link: NewLink, site: string, io: Io): Promise<void> {
  const url = `${site}/${PLACES[link.kind]}/${link.token}`
  await io.answer(
    { url, email: link.email, role: link.role, expires_at: toIso(link.expiresAt) },
    () => url,
  )
  if (!io.json) await io.say(`It works once, until ${instant(link.expiresAt)}.`)
}
