/** Up to so many are looked through one by one. */
const FEW = 8

/**
 * A map for what comes and goes: mostly few entries at a time, and many in the course of time. A `Map` makes a table
 * anew from time to time, and each table keeps the next one alive, with what is in it: once one of them counts as old,
 * what is over long since is copied by the garbage collector again and again. This one keeps its memory, and where there
 * are many, its tables name nothing but numbers. In the order of insertion.
 */
export class Few<V> {
  readonly #keys: string[] = []
  readonly #values: V[] = []
  /** Where there are many: all of their keys, with the places of their values. */
  #places: Map<string, number> | null = null
  /** Places whose values are gone. */
  readonly #free: number[] = []

  get size(): number {
    return this.#places === null ? this.#keys.length : this.#places.size
  }

  get(key: string): V | undefined {
    const at = this.#placeOf(key)
    return at < 0 ? undefined : this.#values[at]
  }

  has(key: string): boolean {
    return this.#placeOf(key) >= 0
  }

  set(key: string, value: V): void {
    const at = this.#placeOf(key)
    if (at >= 0) this.#values[at] = value
    else if (this.#places !== null || this.#keys.length === FEW) this.#setAmongMany(key, value)
    else {
      this.#keys.push(key)
      this.#values.push(value)
    }
  }

  /** @returns whether it was there */
  delete(key: string): boolean {
    const at = this.#placeOf(key)
    if (at < 0) return false
    if (this.#places === null) {
      closeGap(this.#keys, at)
      closeGap(this.#values, at)
    } else if (this.#places.size === 1) this.clear()
    else {
      this.#places.delete(key)
      // What stands in an array is alive.
      this.#values[at] = undefined as V
      this.#free.push(at)
    }
    return true
  }

  clear(): void {
    this.#keys.length = 0
    this.#values.length = 0
    this.#free.length = 0
    this.#places = null
  }

  /** As they are now: what comes or goes meanwhile changes nothing. */
  entries(): readonly (readonly [key: string, value: V])[] {
    return this.keys().map((key) => [key, this.#values[this.#placeOf(key)] as V])
  }

  /** As `entries`. */
  keys(): readonly string[] {
    return this.#places === null ? this.#keys.slice() : [...this.#places.keys()]
  }

  /** As `entries`. */
  values(): readonly V[] {
    if (this.#places === null) return this.#values.slice()
    return Array.from(this.#places.values(), (at) => this.#values[at] as V)
  }

  /** @returns −1 when it is not there */
  #placeOf(key: string): number {
    return this.#places === null ? this.#keys.indexOf(key) : (this.#places.get(key) ?? -1)
  }

  #setAmongMany(key: string, value: V): void {
    if (this.#places === null) {
      this.#places = new Map(this.#keys.map((one, at) => [one, at]))
      this.#keys.length = 0
    }
    const at = this.#free.pop() ?? this.#values.length
    this.#values[at] = value
    this.#places.set(key, at)
  }
}

/** As `splice(at, 1)`, which makes an array of what it took out. */
function closeGap(items: unknown[], at: number): void {
  for (let next = at + 1; next < items.length; next += 1) items[next - 1] = items[next]
  items.pop()
}
