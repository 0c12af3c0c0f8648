/** Why a file that somebody named was not read, as a sentence: that it is not there is another mistake than a lock on it. */
export function unreadFile(shown: string, cause: unknown): string {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : null
  switch (code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return `There is no file '${shown}'.`
    case 'EISDIR':
      return `'${shown}' is a folder, not a file.`
    case 'EACCES':
    case 'EPERM':
      return `The file '${shown}' is there, and this user may not read it.`
    default:
      return `The file '${shown}' cannot be read${code === null ? '' : ` (${code})`}.`
  }
}
