/** A scheme, a host and perhaps a port: nobody's name before them, and nothing behind. */
const PLAIN_HOST =
  /^[a-z][a-z0-9+.-]*:\/\/(?:([a-z0-9][a-z0-9._-]*)|\[[0-9a-f:.]+\])(?::\d{0,5})?$/i
const MAX_HOST_CHARACTERS = 300
/** Texts that are remembered. */
const MAX_KNOWN = 64
/** Clients say the same with every request. */
const knownHostnames = new Map<string, string | null>()

/**
 * The host of an `Origin`, or of `http://` and a `Host`, in lower case.
 *
 * @returns null for what names none, or none as it is written: `2130706433` is 127.0.0.1 to some and a name to others
 */
export function hostnameIn(url: string): string | null {
  const known = knownHostnames.get(url)
  if (known !== undefined) return known
  const plain = PLAIN_HOST.exec(url)
  const parsed = plain === null ? null : (URL.parse(url)?.hostname ?? null)
  const written = plain?.[1]?.toLowerCase()
  const hostname = written === undefined || written === parsed ? parsed : null
  if (url.length <= MAX_HOST_CHARACTERS) {
    if (knownHostnames.size >= MAX_KNOWN) knownHostnames.clear()
    knownHostnames.set(url, hostname)
  }
  return hostname
}
