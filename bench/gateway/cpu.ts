import { readdirSync, readFileSync } from 'node:fs'

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    // It ended meanwhile.
    return ''
  }
}

/** A process and all that it started, by process id. */
export function familyOf(pid: number): readonly number[] {
  const children = new Map<number, number[]>()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    // Behind the name, which may hold anything: state, then the parent.
    const parent = Number(/.*\) \S (\d+)/s.exec(textOf(`/proc/${name}/stat`))?.[1])
    children.set(parent, [...(children.get(parent) ?? []), Number(name)])
  }
  const family = [pid]
  for (const one of family) family.push(...(children.get(one) ?? []))
  return family
}

/** Time on a processor of all threads of these processes, in microseconds. Linux tells it in nanoseconds. */
export function cpuUsOf(pids: readonly number[]): number {
  let ns = 0
  for (const pid of pids) {
    let threads: readonly string[] = []
    try {
      threads = readdirSync(`/proc/${pid}/task`)
    } catch {
      continue
    }
    for (const thread of threads)
      ns += Number(textOf(`/proc/${pid}/task/${thread}/schedstat`).split(' ')[0])
  }
  return ns / 1_000
}

/** Resident memory, in kilobytes. */
export function memoryKbOf(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(textOf(`/proc/${pid}/status`))?.[1] ?? Number.NaN)
}
