import {
  accessSync,
  chmodSync,
  constants,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
} from 'node:fs'
import { freemem, tmpdir } from 'node:os'
import { join } from 'node:path'

/** Where Linux keeps files in memory. */
const IN_MEMORY = '/dev/shm'
/** A fresh clone with what it installs, some databases, and some hundred vaults. */
const NEEDED_BYTES = 6 * 2 ** 30
const NAME = /^sallyport-test-(\d+)-/

/**
 * Makes the folder of one run of the tests: in memory where there is room, because hundreds of vaults wait for their
 * disk after each change. What is shown of them is the same: that a process ends early, no file in memory forgets.
 *
 * @returns the folder, and the one below it that is the temporary directory of the tests
 */
export function scratchFolder(): { readonly folder: string; readonly temporary: string } {
  const place = fitsInMemory() ? IN_MEMORY : tmpdir()
  if (place === IN_MEMORY) removeLeftovers()
  const folder = mkdtempSync(join(place, `sallyport-test-${process.pid}-`))
  const temporary = join(folder, 't')
  mkdirSync(temporary)
  // A database server that root starts runs as somebody else, who has to come by.
  chmodSync(folder, 0o711)
  chmodSync(temporary, 0o1777)
  return { folder, temporary }
}

/** Of runs that were killed: what lies in memory is missed there. */
function removeLeftovers(): void {
  for (const name of readdirSync(IN_MEMORY)) {
    const pid = Number(NAME.exec(name)?.[1])
    if (!(pid > 0) || isRunning(pid)) continue
    try {
      rmSync(join(IN_MEMORY, name), { recursive: true, force: true })
    } catch {
      // Somebody else's.
    }
  }
}

function fitsInMemory(): boolean {
  try {
    accessSync(IN_MEMORY, constants.W_OK)
    const mount = readFileSync('/proc/mounts', 'utf8').match(/^\S+ \/dev\/shm tmpfs (\S+)/m)?.[1]
    const { bavail, bsize } = statfsSync(IN_MEMORY)
    // Some tests start programs that they have written.
    return (
      mount !== undefined &&
      !mount.split(',').includes('noexec') &&
      bavail * bsize >= NEEDED_BYTES &&
      freemem() >= NEEDED_BYTES
    )
  } catch {
    return false
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
