/** Pairs of letters that make up most of written language; about one in ten of random pairs is among them. */
const COMMON_PAIRS = new Set(
  (
    'th he in er an re on at en nd ti es or te of ed is it al ar st to nt ng se ha as ou io le ve co me de hi ri ro ic ' +
    'ne ea ra ce li ch ll be ma si om ur ca el ta la ns di fo ho pe ec pr no ct us ac ot il tr ly nc et ut ss so rs un ' +
    'lo wa ge ie wh ee wi em ad ol rt po we na ul ni ts mo ow pa im mi ai sh ir su id os iv ia am fi ci vi pl ig tu ev'
  ).split(' '),
)

/** From this share of common pairs on, a run of letters is taken for words. */
const WORDY = 0.4
/** What a letter of a word adds, about what a guesser with a list of words needs. */
const WORD_LETTER_BITS = 2.2
const FORESEEN_BITS = 0.5
/** What a stretch costs that stood before in the same value: which one and how long. */
const COPY_BITS = 8
const COPY_MIN = 4
/** Beyond this many characters everything is strong or copied. */
const MAX_JUDGED = 512

const RUN = /[A-Z]?[a-z]+|[A-Z]+|[0-9]+|[^A-Za-z0-9]+/g
/** What stands before the secret part of a token is public: `sk_live_`, `github_pat_`. Words of random letters are not. */
const PUBLIC_PREFIX = /^(?:[A-Za-z](?:[a-z]{1,7}|[A-Z]{1,7})[0-9]?[_-]){1,3}(?=\S{8})/
/** Names of options are in the manual: `--max-old-space-size=`. */
const OPTION = /(?<!\S)--[a-z]{2,16}(?:-[a-z]{1,16})*(?==|\s|$)/g
const ARMOUR = /-----(?:BEGIN|END) [A-Z0-9 ]{1,40}-----/g

/**
 * Estimates how many guesses a value takes for someone who knows one stretch of it, as a power of two. Low rather than
 * high: words, repeats, sequences and public prefixes count little.
 *
 * @param stretch start and end of what is known, UTF-16 units
 */
export function guessBits(value: string, stretch: readonly [start: number, end: number]): number {
  const prefix = PUBLIC_PREFIX.exec(value)?.[0].length ?? 0
  const counted = value.replaceAll(OPTION, (option) => '\0'.repeat(option.length))
  const before = counted.slice(Math.min(prefix, stretch[0]), stretch[0])
  const after = counted.slice(stretch[1])
  const rest = `${before}\0${after}`.replaceAll(ARMOUR, '').replaceAll(/\0+/g, '\0')
  return bitsOf(withoutCopies(rest.slice(0, MAX_JUDGED), value.slice(...stretch)))
}

/** What of the text does not repeat an earlier part of it; copies leave a mark that is counted. */
function withoutCopies(text: string, known: string): { fresh: string; copies: number } {
  let fresh = ''
  let copies = 0
  for (let at = 0; at < text.length; ) {
    const earlier = `${known}\0${text.slice(0, at)}`
    let length = 0
    while (
      at + length < text.length &&
      length < 64 &&
      earlier.includes(text.slice(at, at + length + 1))
    )
      length += 1
    if (length >= COPY_MIN) {
      copies += 1
      at += length
    } else {
      fresh += text[at] ?? ''
      at += 1
    }
  }
  return { fresh, copies }
}

function bitsOf({ fresh, copies }: { fresh: string; copies: number }): number {
  const alphabet = alphabetBits(fresh)
  let bits = copies * COPY_BITS
  for (const [run] of fresh.matchAll(RUN)) bits += runBits(run, alphabet)
  return bits
}

function runBits(run: string, alphabet: number): number {
  const perUnit = isWordy(run) ? Math.min(WORD_LETTER_BITS, alphabet) : alphabet
  let bits = 0
  let last = Number.NaN
  for (let i = 0; i < run.length; i++) {
    const step = i === 0 ? Number.NaN : run.charCodeAt(i) - run.charCodeAt(i - 1)
    // aaa, abc, 321: the third one is foreseen.
    const isForeseen = step === last && Math.abs(step) <= 1
    if (run[i] !== '\0') bits += isForeseen ? Math.min(FORESEEN_BITS, perUnit) : perUnit
    last = step
  }
  return bits
}

function isWordy(run: string): boolean {
  if (run.length < 3 || !/^[A-Za-z]+$/.test(run)) return false
  const folded = run.toLowerCase()
  let common = 0
  for (let i = 1; i < folded.length; i++)
    if (COMMON_PAIRS.has(folded.slice(i - 1, i + 1))) common += 1
  return common / (folded.length - 1) >= (run.length === 3 ? 1 : WORDY)
}

/** Bits of one character drawn from the smallest usual alphabet that holds them all. */
function alphabetBits(text: string): number {
  const own = text.replaceAll('\0', '')
  const bare = own.replaceAll(/[-_.:\s]/g, '')
  if (/^[0-9]*$/.test(bare)) return Math.log2(10)
  if (/^(?:[0-9a-f]*|[0-9A-F]*)$/.test(bare)) return 4
  let size = 0
  if (/[a-z]/.test(own)) size += 26
  if (/[A-Z]/.test(own)) size += 26
  if (/[0-9]/.test(own)) size += 10
  if (/[!-/:-@[-`{-~\s]/.test(own)) size += 16
  if (/[^\0-~]/.test(own)) size += 64
  // A text that says the same few characters again and again was not drawn from a large alphabet.
  const distinct = new Set(own).size
  return Math.log2(Math.max(2, distinct < own.length / 2 ? Math.min(size, distinct * 3) : size))
}
