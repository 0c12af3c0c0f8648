// Frames of MCP, bent in the ways that make two parsers disagree. The same seed makes the same frames.

/** @returns numbers from 0 up to `below`, the same ones for the same seed (mulberry32) */
export function randomFrom(seed: number): (below: number) => number {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below)
  }
}

const FRAMES = [
  '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"pay","arguments":{"amount":1,"to":{"kind":"a"}}}}',
  '{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"task","arguments":{"skip":[1,{"k":2}]},"_meta":{"progressToken":3}}}',
  '{"jsonrpc":"2.0","id":2,"method":"ping"}',
  '{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}',
  '{"jsonrpc":"2.0","id":3,"result":{"content":[{"type":"text","text":"a\\"b\\\\"}]}}',
  '{"jsonrpc":"2.0","id":4,"error":{"code":-32000,"message":"no"}}',
  '{"jsonrpc":"2.0","id":5,"method":"resources/read","params":{"uri":"file:///a"}}',
]

const NAMES =
  'jsonrpc id method params result error name arguments amount to kind skip k uri _meta'.split(' ')
const VALUES =
  '1 0 -0 1.0 1e400 -1e400 12345678901234567890 0.1000000000000000055 null true "x" "tools/call" "ping" "2.0" {} [] {"amount":9} {"name":"other"} [1]'.split(
    ' ',
  )
const LOOSE = [
  ...'{}[]",:0-eE.\\ \t\r\n'.split(''),
  '\u0000',
  '\ufeff',
  '\u2028',
  '\\u0000',
  '\\ud800',
  '/**/',
  'NaN',
]
/** Letters that fold to others: s, k, i, and full-width ones. */
const LOOK_ALIKE: Readonly<Record<string, string>> = {
  s: 'ſ',
  k: '\u212a',
  i: 'ı',
  a: 'ａ',
  m: 'Ｍ',
}

function bentName(name: string, random: (below: number) => number): string {
  const at = random(name.length)
  const letter = name[at] ?? ''
  const bent = [
    name,
    name,
    name.toUpperCase(),
    name.slice(0, at) + letter.toUpperCase() + name.slice(at + 1),
    name.slice(0, at) + (LOOK_ALIKE[letter] ?? letter) + name.slice(at + 1),
    `${name.slice(0, at)}\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}${name.slice(at + 1)}`,
    `${name}\\u0000`,
    `${name.slice(0, at)}\u200b${name.slice(at)}`,
  ]
  return bent[random(bent.length)] ?? name
}

/** A frame that was bent in one to three places. */
export function mutatedFrame(random: (below: number) => number): string {
  let frame = FRAMES[random(FRAMES.length)] ?? ''
  const pick = (from: readonly string[]): string => from[random(from.length)] ?? ''
  for (let left = 1 + random(3); left > 0; left -= 1) {
    const at = random(frame.length)
    switch (random(6)) {
      case 0:
      case 1:
      case 2: {
        // One more member, before or behind those of some object.
        const member = `"${bentName(pick(NAMES), random)}":${pick(VALUES)}`
        const opens = frame.indexOf('{', at)
        const closes = frame.indexOf('}', at)
        if (random(2) === 0 && opens !== -1)
          frame = `${frame.slice(0, opens + 1)}${member},${frame.slice(opens + 1)}`
        else if (closes !== -1) frame = `${frame.slice(0, closes)},${member}${frame.slice(closes)}`
        break
      }
      case 3: {
        const name = pick(NAMES)
        frame = frame.replace(`"${name}"`, () => `"${bentName(name, random)}"`)
        break
      }
      case 4:
        frame = frame.slice(0, at) + pick(LOOSE) + frame.slice(at + random(2))
        break
      default:
        frame = frame.replace(/:\d+/, () => `:${pick(VALUES)}`)
    }
  }
  return frame
}
