import { randomBytes } from 'node:crypto'

/** Names this process to the others of its store; another one after each start. */
export const THIS_NODE = randomBytes(9).toString('base64url')

const HELD = /^held\.([\w-]{12})\.[\w-]{24}$/

/** A name for a call of a legacy server that is held open here: nobody else can go on with it. */
export function newHandle(): string {
  return `held.${THIS_NODE}.${randomBytes(18).toString('base64url')}`
}

/** The process that holds what a state stands for; null for a state that any process can take to the server. */
export function holderOf(state: unknown): string | null {
  return typeof state === 'string' ? (HELD.exec(state)?.[1] ?? null) : null
}
