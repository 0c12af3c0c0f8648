import { type Figure, figure } from '../report.ts'
import type { Client, Measured } from './client.ts'

export interface Driven {
  readonly calls: number
  readonly block: number
  readonly callers?: number
  readonly characters?: number
}

export interface ByTurns extends Measured {
  readonly blocks: readonly Measured[]
}

function add(one: ByTurns | undefined, more: Measured): ByTurns {
  if (one === undefined) return { ...more, blocks: [more] }
  return {
    calls: one.calls + more.calls,
    cpuUs: one.cpuUs + more.cpuUs,
    elapsedMs: one.elapsedMs + more.elapsedMs,
    blocks: [...one.blocks, more],
  }
}

/** Drives every client in short blocks, by turns, in an order that turns around: the machine is shared. */
export async function byTurns<K extends string>(
  clients: Readonly<Record<K, Client>>,
  { calls, block, callers = 1, characters }: Driven,
): Promise<Readonly<Record<K, ByTurns>>> {
  const sums: Record<string, ByTurns> = {}
  const order = Object.entries<Client>(clients)
  for (let done = 0; done < calls; done += block) {
    for (const [name, client] of order)
      sums[name] = add(sums[name], await client.drive(block, callers, characters))
    order.reverse()
  }
  return sums as Readonly<Record<K, ByTurns>>
}

/** Microseconds on a processor. */
export const perCall = ({ cpuUs, calls }: Measured): number => cpuUs / calls

/** The same of the block in the middle: others on the machine have their hours, too. For blocks that are long. */
export function perCallInMiddle({ blocks }: ByTurns): number {
  const all = blocks.map(perCall).toSorted((one, other) => one - other)
  return all[Math.floor(all.length / 2)] ?? Number.NaN
}

export const perSecond = ({ calls, elapsedMs }: Measured): number => (calls / elapsedMs) * 1_000

export function report(
  name: string,
  value: number,
  unit: Figure['unit'],
  baseline: number | null,
): void {
  figure({ bench: 'gateway', figure: name, value, unit, baseline })
}
