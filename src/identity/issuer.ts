import type { OrgId } from '../core/ids.ts'

/** Whom Sallyport's tokens are for: itself. */
export const AUDIENCE = 'sallyport'

/** Who issues the tokens of an organisation. */
export function issuerOf(orgId: OrgId): string {
  return `urn:sallyport:org:${orgId}`
}
