import { Fault } from '../core/faults.ts'
import { ROLES, type Role } from '../core/identity-port.ts'
import type { PersonInfo } from '../core/people-port.ts'
import type { UserRow } from './identity-rows.ts'

const MAX_EMAIL = 254
const MAX_NAME = 100
const EMAIL =
  /^[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?){1,8}$/
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u

export function personInfo(row: UserRow): PersonInfo {
  return {
    id: row.id,
    email: row.email,
    name: row.name,
    role: row.role,
    isActive: row.state === 'active',
    hasPassword: row.password !== null,
    createdAt: row.created_at,
    createdBy: row.created_by,
  }
}

/** One spelling of an address: what differs in capitals alone is one account. */
export function plainEmail(text: string): string {
  return text.trim().normalize('NFKC').toLowerCase().slice(0, 1000)
}

/** @throws {Fault} `BAD_INPUT` */
export function checkedEmail(text: string): string {
  const email = plainEmail(text)
  if (email.length > MAX_EMAIL || !EMAIL.test(email))
    throw new Fault('BAD_INPUT', 'email must be an address such as ada@example.org.', {
      details: { field: 'email' },
    })
  return email
}

/** @throws {Fault} `BAD_INPUT` */
export function checkedPersonName(text: string | null | undefined): string | null {
  const name = text?.trim() ?? ''
  if (name === '') return null
  if (name.length > MAX_NAME || UNPRINTABLE.test(name))
    throw new Fault('BAD_INPUT', `name must have at most ${MAX_NAME} printable characters.`, {
      details: { field: 'name' },
    })
  return name
}

/** @throws {Fault} `BAD_INPUT` */
export function checkedRole(role: string): Role {
  const found = ROLES.find((one) => one === role)
  if (found === undefined)
    throw new Fault('BAD_INPUT', `role must be one of ${ROLES.join(', ')}.`, {
      details: { field: 'role' },
    })
  return found
}
