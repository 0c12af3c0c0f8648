import { Worker } from 'node:worker_threads'

/** Weights of a commit: one that nobody waits for holds what hundreds of calls left. */
const WEIGHTS = { now: 1, soon: 50 } as const
/** So much is brought over at once. */
const MOST = 400
/** Processes that write less than that leave it to SQLite, which does it within a commit. */
const BUSY = MOST / 2
/** Pages in the log from which on SQLite does it within a commit all the same; by itself 1,000. */
const MOST_PAGES = 16_384
const SQLITE_PAGES = 1_000

/**
 * Passive: nobody is kept waiting, and what a reader still needs stays in the log. The log is on the disk before it is
 * brought over, and the database before the log begins anew, as this connection waits for the disk (`synchronous`).
 */
const THREAD = `
const { parentPort, workerData } = require('node:worker_threads')
const { DatabaseSync } = require('node:sqlite')
const database = new DatabaseSync(workerData.file)
database.exec('pragma synchronous = full')
if (process.platform === 'darwin') database.exec('pragma fullfsync = on; pragma checkpoint_fullfsync = on')
const checkpoint = database.prepare('pragma wal_checkpoint(passive)')
parentPort.on('message', (what) => {
  if (what === 'close') {
    database.close()
    parentPort.close()
    return
  }
  try {
    checkpoint.all()
  } catch {
    // The next one does it, or SQLite within a commit.
  }
  parentPort.postMessage('done')
})
parentPort.postMessage('ready')
`

/**
 * Brings what is in the log of SQLite into its database, in another thread: within a commit it keeps a process waiting
 * for the disk, at times for a tenth of a second.
 *
 * @see https://www.sqlite.org/wal.html#avoiding_excessively_large_wal_files
 */
export class Checkpoints {
  readonly #file: string
  readonly #setPages: (pages: number) => void
  #weight = 0
  #thread: Worker | null = null
  #ended: Promise<void> = Promise.resolve()
  #isIdle = false
  #isClosed = false

  /** @param setPages sets the pages from which on SQLite does it by itself */
  constructor(file: string, setPages: (pages: number) => void) {
    this.#file = file
    this.#setPages = setPages
  }

  committed(durability: keyof typeof WEIGHTS): void {
    this.#weight += WEIGHTS[durability]
    if (this.#thread === null) {
      if (this.#weight >= BUSY && !this.#isClosed) this.#start()
    } else if (this.#weight >= MOST && this.#isIdle) {
      this.#weight = 0
      this.#isIdle = false
      this.#tell('checkpoint')
    }
  }

  /** Resolves when nothing of the store is open here. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#thread?.ref()
    this.#tell('close')
    await this.#ended
  }

  #tell(what: 'checkpoint' | 'close'): void {
    this.#thread?.postMessage(what)
  }

  #start(): void {
    const thread = new Worker(THREAD, {
      eval: true,
      workerData: { file: this.#file },
      env: {},
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2, stackSizeMb: 1 },
    })
    this.#thread = thread
    this.#ended = new Promise((resolve) => {
      thread.once('exit', () => {
        resolve()
        if (!this.#isClosed) this.#lost()
      })
    })
    thread.on('error', () => this.#lost())
    thread.on('message', (what) => {
      this.#isIdle = true
      if (what === 'ready' && !this.#isClosed) this.#setPages(MOST_PAGES)
    })
    thread.unref()
  }

  /** SQLite does it by itself again, and another thread may be begun much later. */
  #lost(): void {
    if (!this.#isClosed && this.#isIdle) this.#setPages(SQLITE_PAGES)
    this.#isIdle = false
    this.#weight = Number.NEGATIVE_INFINITY
  }
}
