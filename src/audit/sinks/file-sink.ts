import { constants } from 'node:fs'
import { type FileHandle, open, rename, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { withFileLock } from '../../crypto/index.ts'
import { linesOfBatch, paddedSeq, type Sink, type SinkBatch } from './sink.ts'
import type { FileSinkConfig } from './sink-config.ts'

/**
 * Lines at the end of a file that only its owner reads, on the disk before `send` resolves. A full file is renamed to
 * itself with the number of the record that came next; none is ever removed. Another program may rename it too.
 */
export class FileSink implements Sink {
  readonly #config: FileSinkConfig
  #file: FileHandle | null = null

  constructor(config: FileSinkConfig) {
    this.#config = config
  }

  async send(batch: SinkBatch): Promise<void> {
    const data = linesOfBatch(batch)
    const file = await this.#opened(data.byteLength, batch.records[0]?.seq)
    // One write at the end of the file: lines of several processes do not mix.
    await file.appendFile(data)
    await file.datasync()
  }

  async close(): Promise<void> {
    await this.#leave()
  }

  async #opened(bytes: number, seq: number | undefined): Promise<FileHandle> {
    const { path, maxBytes } = this.#config
    const held = await this.#held()
    const file = held ?? (await this.#open())
    const { size } = await file.stat()
    if (size === 0 || size + bytes <= maxBytes) return file
    await withFileLock(path, async () => {
      // Another process may have put it aside while this one waited.
      if ((await this.#held()) !== null) await rename(path, `${path}.${paddedSeq(seq)}`)
    })
    await this.#leave()
    return this.#open()
  }

  /** The open file, if it still is what stands at the path. */
  async #held(): Promise<FileHandle | null> {
    const file = this.#file
    if (file === null) return null
    const [mine, there] = await Promise.all([
      file.stat(),
      stat(this.#config.path).catch(() => null),
    ])
    if (there !== null && mine.ino === there.ino && mine.dev === there.dev) return file
    await this.#leave()
    return null
  }

  async #open(): Promise<FileHandle> {
    const { path } = this.#config
    const file = await open(path, constants.O_RDWR | constants.O_APPEND | constants.O_CREAT, 0o600)
    this.#file = file
    const { size } = await file.stat()
    if (size === 0) {
      await syncDirectory(dirname(path))
      return file
    }
    const { buffer } = await file.read(Buffer.alloc(1), 0, 1, size - 1)
    // A power cut within a line must not make one line of two records.
    if (buffer[0] !== 0x0a) await file.appendFile('\n')
    return file
  }

  async #leave(): Promise<void> {
    const file = this.#file
    this.#file = null
    await file?.close()
  }
}

async function syncDirectory(path: string): Promise<void> {
  // Windows opens no folders and needs none of this.
  if (process.platform === 'win32') return
  const folder = await open(path, constants.O_RDONLY)
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
