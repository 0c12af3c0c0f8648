/** Up to so many are looked through one by one. */
const FEW = 8

/**
 * A map for what comes and goes: mostly few entries at a time, and many in the course of time. A `Map` makes a table
 * anew each time that it empties, and each table keeps the next one alive, with what is in it: what is over long since
 * is copied by the garbage collector again and again. This one keeps its memory. In the order of insertion; keys are
 * told apart by `===`.
 */
export class Few<V, K = string> {
  readonly #keys: K[] = []
  readonly #values: V[] = []
  /** Where there are many: all of them, and none above. */
  #many: Map<K, V> | null = null

  get size(): number {
    return this.#many === null ? this.#keys.length : this.#many.size
  }

  get(key: K): V | undefined {
    if (this.#many !== null) return this.#many.get(key)
    const at = this.#keys.indexOf(key)
    return at < 0 ? undefined : this.#values[at]
  }

  has(key: K): boolean {
    return this.#many === null ? this.#keys.includes(key) : this.#many.has(key)
  }

  set(key: K, value: V): void {
    if (this.#many === null) {
      const at = this.#keys.indexOf(key)
      if (at >= 0) this.#values[at] = value
      else if (this.#keys.length < FEW) {
        this.#keys.push(key)
        this.#values.push(value)
      } else this.#becomeMany().set(key, value)
    } else this.#many.set(key, value)
  }

  /** @returns whether it was there */
  delete(key: K): boolean {
    const many = this.#many
    if (many !== null) {
      const wasThere = many.delete(key)
      if (many.size === 0) this.#many = null
      return wasThere
    }
    const at = this.#keys.indexOf(key)
    if (at < 0) return false
    closeGap(this.#keys, at)
    closeGap(this.#values, at)
    return true
  }

  clear(): void {
    this.#keys.length = 0
    this.#values.length = 0
    this.#many = null
  }

  /** As they are now: what comes or goes meanwhile changes nothing. */
  entries(): readonly (readonly [key: K, value: V])[] {
    if (this.#many !== null) return [...this.#many]
    return this.#keys.map((key, at) => [key, this.#values[at] as V])
  }

  /** As `entries`. */
  keys(): readonly K[] {
    return this.#many === null ? this.#keys.slice() : [...this.#many.keys()]
  }

  /** As `entries`. */
  values(): readonly V[] {
    return this.#many === null ? this.#values.slice() : [...this.#many.values()]
  }

  #becomeMany(): Map<K, V> {
    const many = new Map(this.entries())
    this.clear()
    this.#many = many
    return many
  }
}

/** As `splice(at, 1)`, which makes an array of what it took out. */
function closeGap(items: unknown[], at: number): void {
  for (let next = at + 1; next < items.length; next += 1) items[next - 1] = items[next]
  items.pop()
}
