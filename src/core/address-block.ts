/**
 * What counts as one address where somebody is counted: of IPv6 the network, as who has one address there has 2^64.
 *
 * @param address as sockets and trusted proxies write it; null: unknown
 */
export function addressBlock(address: string | null): string {
  if (address === null) return 'unknown'
  // Of a socket for both families, or plainly IPv4.
  const v4 = /^(?:::ffff:)?(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1]
  if (v4 !== undefined || !address.includes(':')) return v4 ?? address
  const [head = '', tail] = (address.split('%')[0] ?? '').toLowerCase().split('::')
  const left = groupsOf(head)
  const right = groupsOf(tail ?? '')
  const gap = tail === undefined ? 0 : Math.max(0, 8 - left.length - right.length)
  const groups = [...left, ...Array.from({ length: gap }, () => '0'), ...right]
  return `${groups.slice(0, 4).join(':')}::/64`
}

/** Without the zeros that one writes and another does not. */
function groupsOf(text: string): readonly string[] {
  return text === '' ? [] : text.split(':').map((group) => group.replace(/^0+(?=.)/, ''))
}
