import type { AuditFinding, AuditReport } from '../../core/admin-port.ts'
import type { ExportReport } from '../../core/audit-evidence.ts'
import { FAULTS } from '../../core/faults.ts'
import { toIso } from '../../core/time.ts'
import { MAX_RECORD_BYTES } from '../audit-view.ts'
import { command, type Json, type Output } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { fields, instant, plural, table } from '../text.ts'
import { linesOfFile, neededTextFile, readTextFile } from '../text-files.ts'

type Deps = Pick<CliDeps, 'audit' | 'evidence' | 'needStore'>

export const auditVerify = command({
  name: 'audit verify',
  summary: 'Check every record, the tree and its head.',
  about: [
    `Exit code ${FAULTS.AUDIT_BROKEN.exit} when anything is wrong.`,
    'With --export a copy is checked instead, with nothing but the copy, the public key and the checkpoints that ' +
      'were kept: no store and no keys are opened. What a sink kept is such a copy too, with its checkpoints in it. ' +
      'Proved are the body of each record and the epoch that its line states; its mac is checked where the keys are.',
  ],
  arguments: [],
  options: {
    against: {
      summary: 'a checkpoint that was kept elsewhere; more than once for several',
      value: 'CHECKPOINT',
      repeats: true,
    },
    export: {
      summary: 'check what audit export wrote or a sink kept; - is standard input',
      value: 'FILE',
    },
    key: {
      summary: "the public key of audit checkpoint-key, needed with --export; else the store's own",
      value: 'FILE',
    },
  },
  examples: [
    ['sallyport audit verify', 'the store on this machine'],
    [
      'sallyport audit verify --export audit.jsonl --against friday.json --key sallyport-audit.pem',
      'a copy, on any machine',
    ],
    [
      'sallyport audit verify --export copy.jsonl --key sallyport-audit.pem',
      'what a file sink kept, with its checkpoints',
    ],
  ],
  async run(args, io, deps: Deps) {
    const checkpoints = await Promise.all(
      args.against.map((file) => readTextFile('--against', file)),
    )
    if (args.export !== undefined) {
      const key = await neededTextFile('--key', args.key)
      const lines =
        args.export === '-'
          ? io.stdin.lines(MAX_RECORD_BYTES)
          : linesOfFile('--export', args.export, MAX_RECORD_BYTES)
      const report = await (await deps.evidence()).verifyExport(lines, checkpoints, key)
      await io.answer(copyJson(report), () => copyText(report, io.stdout))
      return report.ok ? 0 : FAULTS.AUDIT_BROKEN.exit
    }
    await deps.needStore()
    const audit = await deps.audit()
    const report = await audit.verify()
    if (checkpoints.length === 0) {
      await io.answer(json(report), () => human(report, io.stdout))
      return report.ok ? 0 : FAULTS.AUDIT_BROKEN.exit
    }
    const key =
      args.key === undefined ? await audit.checkpointKeys() : await readTextFile('--key', args.key)
    const copy = await (await deps.evidence()).verifyExport(
      inLists(audit.export()),
      checkpoints,
      key,
    )
    const both = { ...report, ok: report.ok && copy.ok, findings: merged(report, copy) }
    await io.answer({ ...json(both), checkpoints: checkpointsJson(copy) }, () =>
      [human(both, io.stdout), checkpointLines(copy)].join('\n\n'),
    )
    return both.ok ? 0 : FAULTS.AUDIT_BROKEN.exit
  },
})

async function* inLists(lines: AsyncIterable<string>): AsyncGenerator<readonly string[]> {
  for await (const line of lines) yield [line]
}

/** What both found is said once. */
function merged(report: AuditReport, copy: ExportReport): readonly AuditFinding[] {
  const known = new Set(report.findings.map(({ kind, seq }) => `${kind} ${seq}`))
  const added = copy.findings.filter(
    ({ kind, seq, detail }) => detail.includes('checkpoint') || !known.has(`${kind} ${seq}`),
  )
  return [...report.findings, ...added]
}

function checkpointLines(report: ExportReport): string {
  return report.checkpoints
    .map(
      ({ size, at, holds }) =>
        `checkpoint of ${at}, ${plural(size, 'record')}: ${holds ? 'holds' : 'CONTRADICTED'}`,
    )
    .join('\n')
}

function checkpointsJson(report: ExportReport): Json {
  return report.checkpoints.map(({ size, at, holds }) => ({ size, at, holds }))
}

function copyText(report: ExportReport, out: Output): string {
  const { first, size, pruned, proven, stamps } = report
  const from = proven?.from ?? first
  const whole = from === 1 ? 'The copy is whole.' : `The copy is whole from record ${from} on.`
  const verdict = report.ok
    ? out.paint('green', whole)
    : out.paint('red', 'The copy was changed or is not complete.')
  const facts = fields([
    ['records', first === 1 ? String(size) : `${first} to ${size}`],
    ...(pruned === 0 ? [] : [['pruned', `records 1 to ${pruned}, by their hashes`] as const]),
    ['root', report.root],
    ...(stamps === 0 ? [] : [['checkpoints in it', String(stamps)] as const]),
    ...(proven === null ? [] : [['signed', `records ${proven.from} to ${proven.to}`] as const]),
  ])
  const parts = [verdict, facts]
  if (report.checkpoints.length > 0) parts.push(checkpointLines(report))
  if (report.findings.length > 0) parts.push(findingsTable(report.findings, out))
  return parts.join('\n\n')
}

function copyJson(report: ExportReport): Json {
  return {
    ok: report.ok,
    first: report.first,
    size: report.size,
    pruned: report.pruned,
    root: report.root,
    signed: report.proven === null ? null : { ...report.proven },
    checkpoints_in_it: report.stamps,
    checkpoints: checkpointsJson(report),
    findings: findingsJson(report.findings),
  }
}

function human(report: AuditReport, out: Output): string {
  const verdict = report.ok
    ? out.paint('green', 'The audit is whole.')
    : out.paint('red', 'The audit was changed or is not complete.')
  const { head } = report
  const facts = fields([
    ['records', String(report.size)],
    ...(report.pruned === 0
      ? []
      : [['pruned', `records 1 to ${report.pruned}, by their hashes`] as const]),
    ['root', report.root],
    [
      'head',
      head === null ? 'none' : `${head.size} records at ${instant(head.at)}, kept in ${head.place}`,
    ],
    ['rows checked', String(report.rowsChecked)],
  ])
  if (report.findings.length === 0) return `${verdict}\n\n${facts}`
  return [verdict, facts, findingsTable(report.findings, out)].join('\n\n')
}

function findingsTable(findings: readonly AuditFinding[], out: Output): string {
  return table(
    ['FOUND', 'RECORD', 'DETAIL'],
    findings.map(({ kind, seq, detail }) => [kind, seq === null ? '-' : String(seq), detail]),
    out,
  )
}

function findingsJson(findings: readonly AuditFinding[]): Json {
  return findings.map(({ kind, detail, seq }) => ({ kind, detail, seq }))
}

function json(report: AuditReport): { readonly [name: string]: Json } {
  return {
    ok: report.ok,
    size: report.size,
    pruned: report.pruned,
    root: report.root,
    head:
      report.head === null
        ? null
        : { size: report.head.size, at: toIso(report.head.at), place: report.head.place },
    rows_checked: report.rowsChecked,
    findings: findingsJson(report.findings),
  }
}
