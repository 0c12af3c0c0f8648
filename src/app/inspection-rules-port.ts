import { mkdir, realpath, rename, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { InspectionRules, RuleChange, RuleScope, RulesStanding } from '../cli/index.ts'
import type { ApprovedFilesPort } from '../core/admin-port.ts'
import { Fault, isFault } from '../core/faults.ts'
import { newId } from '../core/ids.ts'
import { toIso } from '../core/time.ts'
import {
  type LayerFile,
  linesOf,
  parseRulesFile,
  type RulesFile,
  readRules,
} from './inspection-file.ts'
import { textOf } from './inspection-rules.ts'

/** The inspection file for the commands of the person. */
export function createInspectionRules(file: string, approvals: ApprovedFilesPort): InspectionRules {
  return {
    async standing() {
      const approved = await approvals.approved(file)
      const standing = { file, problem: null, missing: [], approvedAt: approved?.at ?? null }
      const before = approved === null ? [] : linesOrNone(file, approved.text)
      try {
        const text = await textOf(file)
        if (text === null)
          return approved === null
            ? { ...standing, state: 'absent', lines: [] }
            : { ...standing, state: 'gone', lines: [], missing: before }
        await readRules(file, text)
        const lines = linesOf(parseRulesFile(file, text))
        const missing = before.filter((one) => !lines.includes(one))
        return { ...standing, state: stateOf(text, approved?.text), lines, missing }
      } catch (error) {
        if (!isFault(error, 'BAD_INPUT')) throw error
        return { ...standing, state: 'invalid', problem: error.message, lines: [], missing: before }
      }
    },

    async draft(change, scope = {}) {
      const before = await textOf(file)
      const text = change === undefined ? before : changed(file, before, change, scope)
      if (text === null)
        throw new Fault('NOT_FOUND', `There is no inspection file ${file}.`, {
          details: { remedy: 'sallyport inspection approve --revoke forgets what was approved' },
        })
      await readRules(file, text)
      return { text, before, lines: linesOf(parseRulesFile(file, text)) }
    },

    async approve(caller, { text, before }) {
      if ((await textOf(file)) !== before)
        throw new Fault(
          'CONFLICT',
          'The inspection file changed after it was shown; look at it again and repeat the command.',
        )
      if (text !== before) await replace(file, text)
      await approvals.approve(caller, file, text)
    },

    revoke: (caller) => approvals.revoke(caller, file),
  }
}

function stateOf(text: string, approved: string | undefined): RulesStanding['state'] {
  if (approved === undefined) return 'unapproved'
  return text === approved ? 'approved' : 'changed'
}

function linesOrNone(file: string, text: string): readonly string[] {
  try {
    return linesOf(parseRulesFile(file, text))
  } catch (error) {
    if (!isFault(error, 'BAD_INPUT')) throw error
    return []
  }
}

/** In one step: a reader sees the old text or the new one. */
async function replace(file: string, text: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  const target = await realpath(file).catch(() => file)
  const beside = `${target}.${newId()}`
  await writeFile(beside, text, { flag: 'wx', mode: 0o600 })
  await rename(beside, target)
}

function changed(
  file: string,
  before: string | null,
  change: RuleChange,
  scope: RuleScope,
): string {
  const rules = structuredClone(before === null ? {} : parseRulesFile(file, before))
  apply(layerAt(rules, scope), change)
  return `${JSON.stringify(rules, null, 2)}\n`
}

function layerAt(rules: RulesFile, { agent, server, tool }: RuleScope): LayerFile {
  if (agent !== undefined) {
    if (server !== undefined || tool !== undefined)
      throw new Fault('BAD_USAGE', '--agent does not go with --server or --tool.')
    return memberOf((rules.agents ??= {}), agent)
  }
  if (server === undefined) return tool === undefined ? rules : memberOf((rules.tools ??= {}), tool)
  const at: LayerFile & { tools?: Record<string, LayerFile> | undefined } = memberOf(
    (rules.servers ??= {}),
    server,
  )
  return tool === undefined ? at : memberOf((at.tools ??= {}), tool)
}

function memberOf(layers: Record<string, LayerFile>, name: string): LayerFile {
  const own = Object.hasOwn(layers, name) ? layers[name] : undefined
  if (own !== undefined) return own
  const made: LayerFile = {}
  Object.defineProperty(layers, name, {
    value: made,
    enumerable: true,
    writable: true,
    configurable: true,
  })
  return made
}

function apply(layer: LayerFile, change: RuleChange): void {
  switch (change.to) {
    case 'mode':
      if (change.mode === null) delete layer.mode
      else layer.mode = change.mode
      return
    case 'off':
      layer.off = [...new Set([...(layer.off ?? []), change.detector])]
      return
    case 'on':
      layer.off = (layer.off ?? []).filter((id) => id !== change.detector)
      return
    case 'threshold':
      layer.thresholds = { ...layer.thresholds, [change.detector]: change.from }
      return
    case 'allow':
      layer.allow = [
        ...(layer.allow ?? []).filter(
          (one) => one.detector !== change.detector || one.path !== change.path,
        ),
        {
          detector: change.detector,
          ...(change.path !== undefined && { path: change.path }),
          reason: change.reason,
          expires: toIso(change.expiresAt),
        },
      ]
      return
    case 'disallow':
      layer.allow = (layer.allow ?? []).filter((one) => one.detector !== change.detector)
  }
}
