import { randomUUID } from 'node:crypto'

/** UUIDs in text form, branded so that one kind can't be passed for another. */
export type VaultId = string & { readonly __id: 'vault' }
export type SecretId = string & { readonly __id: 'secret' }
export type KeyId = string & { readonly __id: 'key' }
export type StoreId = string & { readonly __id: 'store' }
export type OrgId = string & { readonly __id: 'org' }
export type UserId = string & { readonly __id: 'user' }
export type AgentId = string & { readonly __id: 'agent' }
export type PolicyId = string & { readonly __id: 'policy' }

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

export function isUuid(text: string): boolean {
  return UUID.test(text)
}

export function newId<T extends string>(): T {
  return randomUUID() as T
}
