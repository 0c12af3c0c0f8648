const TOKEN = /[!#$%&'*+\-.^_`|~0-9A-Za-z]+/y
const SPACES = /[ \t]*/y
const QUOTED = /"((?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\uffff]|\\[\t \x21-\x7e\x80-\uffff])*)"/y
/** Credentials of other schemes that are no list of parameters: `Negotiate YII…==`. */
const TOKEN68 = /[A-Za-z0-9\-._~+/]+=*(?=[ \t]*(?:,|$))/y

/** What a server says of the token that it wants. Names in lower case. */
export type Challenge = ReadonlyMap<string, string>

/**
 * The first challenge of the scheme Bearer in a `WWW-Authenticate` field (RFC 9110 section 11.6.1, RFC 6750 section
 * 3), which may hold several of several schemes. Null when there is none, or when the field cannot be read up to there.
 */
export function bearerChallenge(field: string | null): Challenge | null {
  if (field === null || field.length > MAX_FIELD) return null
  const reader = new FieldReader(field)
  for (;;) {
    reader.separators()
    const scheme = reader.take(TOKEN)
    if (scheme === null) return null
    const parameters = new Map<string, string>()
    reader.take(SPACES)
    if (!reader.credentials()) reader.parameters(parameters)
    if (scheme.toLowerCase() === 'bearer') return parameters
  }
}

const MAX_FIELD = 8_192

class FieldReader {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  take(pattern: RegExp, group = 0): string | null {
    pattern.lastIndex = this.#at
    const match = pattern.exec(this.#text)
    if (match === null) return null
    this.#at = pattern.lastIndex
    return match[group] ?? ''
  }

  separators(): void {
    while (this.take(SPACES) !== null && this.#text[this.#at] === ',') this.#at += 1
  }

  /** @returns whether the scheme had credentials in place of parameters */
  credentials(): boolean {
    return this.take(TOKEN68) !== null
  }

  parameters(into: Map<string, string>): void {
    for (;;) {
      const before = this.#at
      this.separators()
      const name = this.take(TOKEN)
      this.take(SPACES)
      // A token without `=` is the scheme of the next challenge.
      if (name === null || this.#text[this.#at] !== '=') {
        this.#at = before
        return
      }
      this.#at += 1
      this.take(SPACES)
      const value = this.take(QUOTED, 1)?.replaceAll(/\\(.)/g, '$1') ?? this.take(TOKEN)
      if (value === null) {
        this.#at = this.#text.length
        return
      }
      const key = name.toLowerCase()
      if (!into.has(key)) into.set(key, value)
    }
  }
}

const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]+$/
const MAX_SCOPES = 128

/** The scopes in a text, each once (RFC 6749 section 3.3); what is none is left out. */
export function scopesIn(text: string | undefined): readonly string[] {
  const all = (text ?? '').split(' ').filter((one) => one.length <= 256 && SCOPE.test(one))
  return [...new Set(all)].slice(0, MAX_SCOPES)
}
