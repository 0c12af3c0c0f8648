// What schemas for editors are made of.

export type Schema = Readonly<Record<string, unknown>>

/** A member of an object: its schema, and what is said of it while somebody writes. */
export type Members<K extends string> = Readonly<Record<K, Schema>>

export const text = { type: 'string', minLength: 1 }
export const scalar = { type: ['string', 'number', 'boolean', 'null'] }
export const oneOf = (choices: readonly string[]): Schema => ({ enum: choices })
export const whole = (minimum: number, maximum = Number.MAX_SAFE_INTEGER): Schema => ({
  type: 'integer',
  minimum,
  maximum,
})
export const listOf = (items: Schema, more: Schema = {}): Schema => ({
  type: 'array',
  items,
  ...more,
})
export const ref = (name: string): Schema => ({ $ref: `#/definitions/${name}` })
export const said = (schema: Schema, description: string): Schema => ({ ...schema, description })

/** Exactly the keys that the reader knows: a key that is missing here does not compile. */
export function object<const K extends readonly string[]>(
  _keys: K,
  properties: Members<K[number]>,
  required: readonly K[number][] = [],
): Schema {
  return {
    type: 'object',
    additionalProperties: false,
    properties,
    ...(required.length > 0 && { required }),
  }
}
