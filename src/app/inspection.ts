import { existsSync } from 'node:fs'
import type { Inspection } from '../cli/index.ts'
import { packageVersion } from '../core/config.ts'
import { Fault } from '../core/faults.ts'
import { systemClock } from '../core/time.ts'
import {
  builtInEngine,
  DEFAULT_SETTINGS,
  ENGINE_FINDINGS,
  type Engine,
  isCounted,
  isKind,
  judge,
  KINDS,
} from '../inspect/index.ts'
import { sarifLog } from './sarif.ts'
import { scanFiles } from './scan-files.ts'

/**
 * The detectors for the command line, those of the inspection file among them. What the file lets through for agents
 * does not count here.
 *
 * @throws {Fault} `BAD_INPUT` naming the field of the file that is not usable
 */
export async function createInspection(inspectionFile: string): Promise<Inspection> {
  const engine = await engineFor(inspectionFile)
  const inspection: Inspection = {
    kinds: KINDS,
    inspect(text, { kind, mode, direction }) {
      if (kind !== null && !isKind(kind))
        throw new Fault('BAD_INPUT', `kind must be one of ${KINDS.join(', ')}.`, {
          details: { field: 'kind' },
        })
      const { verdict, findings, isBlocked, cleaned } = judge(
        engine,
        text,
        kind === null ? {} : { kind },
        { ...DEFAULT_SETTINGS, mode },
        systemClock(),
      )
      return {
        verdict,
        blocked: isBlocked && direction === 'input',
        findings: findings
          .filter(isCounted)
          .map(({ detector, category, severity, confidence, start, end }) => ({
            detector,
            category,
            severity,
            confidence,
            start,
            end,
          }))
          .toSorted((a, b) => a.start - b.start || a.end - b.end),
        cleaned: mode !== 'surgical' ? null : typeof cleaned === 'string' ? cleaned : text,
      }
    },
    scanFiles: (request) => scanFiles(request, inspection),
    summaryOf: (id) =>
      [...engine.detectors, ...ENGINE_FINDINGS].find((one) => one.id === id)?.summary ?? null,
    sarif: (files) => sarifLog(files, [...engine.detectors, ...ENGINE_FINDINGS], packageVersion()),
  }
  return inspection
}

async function engineFor(inspectionFile: string): Promise<Engine> {
  if (!existsSync(inspectionFile)) return builtInEngine()
  const { createRules } = await import('./inspection-rules.ts')
  const { engine } = await createRules(inspectionFile, async () => null)()
  return engine ?? builtInEngine()
}
