import { hkdfSync } from 'node:crypto'
import type { Db } from '../core/db-port.ts'
import { isFault } from '../core/faults.ts'
import { type Clock, type EpochMs, systemClock } from '../core/time.ts'
import { KEY_BYTES, MacKey, open, type SealContext, seal } from '../crypto/index.ts'
import type { StoreKeys } from '../keys/index.ts'
import type { KeptTask, TaskKeeper } from './made-tasks.ts'

interface TaskRow {
  readonly who: string
  readonly sealed: Uint8Array
}

/**
 * What all processes of a store know of calls that are not over: whichever of them a client comes back to can go on.
 * What agents wrote is kept sealed, names of tasks as MACs, and nothing longer than it is needed.
 */
export class GatewayState implements TaskKeeper {
  /** 32 bytes that every process of the store has, for what clients carry from one to another. */
  readonly roundKey: Buffer
  /** What one process of the store says to another is signed with it. */
  readonly nodeKey: MacKey
  readonly #db: Db
  readonly #clock: Clock
  readonly #storeId: string
  readonly #sealKey: Buffer
  readonly #names: MacKey

  private constructor(db: Db, clock: Clock, storeId: string, key: Buffer) {
    this.#db = db
    this.#clock = clock
    this.#storeId = storeId
    this.roundKey = derived(key, 'rounds')
    this.nodeKey = new MacKey(derived(key, 'nodes'))
    this.#sealKey = derived(key, 'tasks')
    this.#names = new MacKey(derived(key, 'names'))
  }

  /** @throws {Fault} `STORE_UNAVAILABLE`, `STORE_TAMPERED` */
  static async open({
    db,
    keys,
    clock,
  }: {
    readonly db: Db
    readonly keys: Pick<StoreKeys, 'active' | 'storeId'>
    readonly clock?: Clock
  }): Promise<GatewayState> {
    const { key } = await db.read((reader) => keys.active(reader, 'cursor'))
    return new GatewayState(db, clock ?? systemClock, keys.storeId, key)
  }

  async keepTask(server: string, taskId: string, task: KeptTask, until: EpochMs): Promise<void> {
    const name = this.#nameOf(server, taskId)
    const { who, callText } = task
    const sealed = seal(
      this.#sealKey,
      this.#context(name, who),
      Buffer.from(callText ?? '', 'utf8'),
    )
    await this.#db.write(async (tx) => {
      await tx.run('delete from gateway_tasks where ends_at < ?', [this.#clock()])
      await tx.run('delete from gateway_tasks where task = ? and who = ?', [name, who])
      await tx.run('insert into gateway_tasks (task, who, sealed, ends_at) values (?, ?, ?, ?)', [
        name,
        who,
        sealed,
        until,
      ])
    })
  }

  async tasksOf(server: string, taskId: string): Promise<readonly KeptTask[]> {
    const name = this.#nameOf(server, taskId)
    const rows = await this.#db.read((reader) =>
      reader.all<TaskRow>('select who, sealed from gateway_tasks where task = ? and ends_at >= ?', [
        name,
        this.#clock(),
      ]),
    )
    return rows.map(({ who, sealed }) => {
      const text = open(this.#sealKey, this.#context(name, who), sealed).toString('utf8')
      return { who, callText: text === '' ? null : text }
    })
  }

  /** @returns whether it was not used before, here or in another process */
  async useOnce(nonce: string, until: EpochMs): Promise<boolean> {
    try {
      await this.#db.write(
        async (tx) => {
          await tx.run('delete from gateway_rounds where ends_at < ?', [this.#clock()])
          await tx.run('insert into gateway_rounds (nonce, ends_at) values (?, ?)', [nonce, until])
        },
        { durability: 'soon' },
      )
      return true
    } catch (error) {
      if (isFault(error, 'CONFLICT')) return false
      throw error
    }
  }

  /** Says where the other processes of the store reach this one. */
  async keepNode(node: string, address: string, until: EpochMs): Promise<void> {
    const sealed = seal(this.#sealKey, this.#context('node', node), Buffer.from(address, 'utf8'))
    await this.#db.write(async (tx) => {
      await tx.run('delete from gateway_nodes where ends_at < ? or id = ?', [this.#clock(), node])
      await tx.run('insert into gateway_nodes (id, sealed, ends_at) values (?, ?, ?)', [
        node,
        sealed,
        until,
      ])
    })
  }

  /** @returns null for a process that is not known, or that nobody can reach */
  async addressOf(node: string): Promise<string | null> {
    const row = await this.#db.read((reader) =>
      reader.get<{ sealed: Uint8Array }>(
        'select sealed from gateway_nodes where id = ? and ends_at >= ?',
        [node, this.#clock()],
      ),
    )
    if (row === undefined) return null
    return open(this.#sealKey, this.#context('node', node), row.sealed).toString('utf8')
  }

  async dropNode(node: string): Promise<void> {
    await this.#db.write((tx) => tx.run('delete from gateway_nodes where id = ?', [node]))
  }

  #nameOf(server: string, taskId: string): string {
    const name = JSON.stringify([server, taskId])
    return this.#names.sign(Buffer.from(name, 'utf8')).toString('base64url')
  }

  #context(name: string, who: string): SealContext {
    return {
      purpose: 'gateway-state',
      tenant: this.#storeId,
      vault: null,
      subject: JSON.stringify([name, who]),
      version: null,
      keyId: 'gateway-tasks',
    }
  }
}

function derived(key: Uint8Array, what: string): Buffer {
  return Buffer.from(hkdfSync('sha256', key, '', `sallyport-gateway-${what}-1`, KEY_BYTES))
}
