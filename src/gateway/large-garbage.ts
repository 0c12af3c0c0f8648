import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

// What large messages leave behind lies mostly outside of the heap, and nothing in the heap says that it is time to
// tidy up: so this process would grow by as much as it is allowed to.

/** What is young goes after so many bytes, and after so many times what survived that. */
const EVERY_BYTES = 4_194_304
const MAJOR_EVERY = 12

type Collect = (how: { readonly type: 'minor' | 'major' }) => void

let collect: Collect | null = null
let left = EVERY_BYTES
let times = 0

/** So many bytes of a large message went through our hands: from time to time what is left of them is given back. */
export function passed(bytes: number): void {
  left -= bytes
  if (left > 0) return
  left = EVERY_BYTES
  times += 1
  collect ??= collector()
  collect({ type: times % MAJOR_EVERY === 0 ? 'major' : 'minor' })
}

function collector(): Collect {
  setFlagsFromString('--expose-gc')
  const gc: unknown = runInNewContext('gc')
  return typeof gc === 'function' ? (gc as Collect) : () => {}
}
