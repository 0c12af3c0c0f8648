import type { Clock } from '../../core/time.ts'
import type { Outgoing } from '../../net/index.ts'
import { FileSink } from './file-sink.ts'
import type { Sink } from './sink.ts'
import type { SinkConfig } from './sink-config.ts'

export interface SinkWorld {
  readonly clock: Clock
  /** Opened for the first sink that needs it. */
  readonly outgoing: () => Promise<Outgoing>
}

/** Modules of sinks are loaded when there is one of the kind. */
export async function openSink(config: SinkConfig, world: SinkWorld): Promise<Sink> {
  switch (config.kind) {
    case 'file':
      return new FileSink(config)
    case 'syslog':
      return (await import('./syslog-sink.ts')).syslogSink(config)
    case 'webhook': {
      const { webhookSink } = await import('./webhook-sink.ts')
      return webhookSink(config, await world.outgoing(), world.clock)
    }
    case 's3': {
      const { s3Sink } = await import('./s3-sink.ts')
      return s3Sink(config, await world.outgoing(), world.clock)
    }
  }
}

/** Where a sink is, for people: no path and no query of a URL, they may hold secrets. */
export function sinkPlace(config: SinkConfig): string {
  switch (config.kind) {
    case 'file':
      return config.path
    case 'syslog':
      return config.transport === 'unix'
        ? config.path
        : `${config.transport} ${config.host}:${config.port}`
    case 'webhook':
      return new URL(config.url).origin
    case 's3':
      return `${new URL(config.endpoint).origin}, bucket ${config.bucket}`
  }
}
