import { type Figure, figure } from '../report.ts'
import type { Client, Measured } from './client.ts'

export interface Driven {
  readonly calls: number
  readonly block: number
  readonly callers?: number
  readonly characters?: number
}

function add(one: Measured | undefined, more: Measured): Measured {
  if (one === undefined) return more
  return {
    calls: one.calls + more.calls,
    cpuUs: one.cpuUs + more.cpuUs,
    elapsedMs: one.elapsedMs + more.elapsedMs,
  }
}

/** Drives every client in short blocks, by turns, in an order that turns around: the machine is shared. */
export async function byTurns<K extends string>(
  clients: Readonly<Record<K, Client>>,
  { calls, block, callers = 1, characters }: Driven,
): Promise<Readonly<Record<K, Measured>>> {
  const sums: Record<string, Measured> = {}
  const order = Object.entries<Client>(clients)
  for (let done = 0; done < calls; done += block) {
    for (const [name, client] of order)
      sums[name] = add(sums[name], await client.drive(block, callers, characters))
    order.reverse()
  }
  return sums as Readonly<Record<K, Measured>>
}

/** Microseconds on a processor. */
export const perCall = ({ cpuUs, calls }: Measured): number => cpuUs / calls
export const perSecond = ({ calls, elapsedMs }: Measured): number => (calls / elapsedMs) * 1_000

export function report(
  name: string,
  value: number,
  unit: Figure['unit'],
  baseline: number | null,
): void {
  figure({ bench: 'gateway', figure: name, value, unit, baseline })
}
