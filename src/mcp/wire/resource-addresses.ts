/** Whether a resource is one of those at these addresses, the keys of a set or map, or a part of one. */
export function isWithin(
  uri: string,
  addresses: Pick<ReadonlySet<string>, 'has' | 'keys'>,
): boolean {
  if (addresses.has(uri)) return true
  for (const address of addresses.keys()) if (isPartOf(uri, address)) return true
  return false
}

function isPartOf(uri: string, address: string): boolean {
  if (!uri.startsWith(address)) return false
  return address.endsWith('/') || '/?#'.includes(uri.charAt(address.length))
}
