import type { Command } from './command.ts'
import type { CliDeps } from './deps.ts'

type Load = () => Promise<Command<CliDeps>>

/**
 * Every command by name, in the order in which help shows them. Only the module of the command that runs is loaded;
 * help, completion and docs/cli.md load all.
 */
export const COMMANDS = {
  up: () => import('./commands/up.ts').then((m) => m.up),
  mcp: () => import('./commands/mcp.ts').then((m) => m.mcp),
  allow: () => import('./commands/allow.ts').then((m) => m.allow),
  doctor: () => import('./commands/doctor.ts').then((m) => m.doctor),
  'secret put': () => import('./commands/secret-put.ts').then((m) => m.secretPut),
  'secret get': () => import('./commands/secret-get.ts').then((m) => m.secretGet),
  'secret ls': () => import('./commands/secret-ls.ts').then((m) => m.secretLs),
  'secret search': () => import('./commands/secret-search.ts').then((m) => m.secretSearch),
  'secret describe': () => import('./commands/secret-describe.ts').then((m) => m.secretDescribe),
  'secret history': () => import('./commands/secret-history.ts').then((m) => m.secretHistory),
  'secret rotate': () => import('./commands/secret-rotate.ts').then((m) => m.secretRotate),
  'secret rm': () => import('./commands/secret-rm.ts').then((m) => m.secretRm),
  'secret undelete': () => import('./commands/secret-undelete.ts').then((m) => m.secretUndelete),
  'secret destroy': () => import('./commands/secret-destroy.ts').then((m) => m.secretDestroy),
  'secret disable': () => import('./commands/secret-version.ts').then((m) => m.secretDisable),
  'secret enable': () => import('./commands/secret-version.ts').then((m) => m.secretEnable),
  'secret canary': () => import('./commands/secret-canary.ts').then((m) => m.secretCanary),
  run: () => import('./commands/run.ts').then((m) => m.run),
  'env export': () => import('./commands/env-export.ts').then((m) => m.envExport),
  'vault ls': () => import('./commands/vault-ls.ts').then((m) => m.vaultLs),
  'vault create': () => import('./commands/vault-create.ts').then((m) => m.vaultCreate),
  'presence set': () => import('./commands/presence-set.ts').then((m) => m.presenceSet),
  'presence status': () => import('./commands/presence-status.ts').then((m) => m.presenceStatus),
  'setting exempt': () => import('./commands/setting-exempt.ts').then((m) => m.settingExempt),
  unlock: () => import('./commands/unlock.ts').then((m) => m.unlock),
  lock: () => import('./commands/lock.ts').then((m) => m.lock),
  'key status': () => import('./commands/key-status.ts').then((m) => m.keyStatus),
  'key rotate': () => import('./commands/key-rotate.ts').then((m) => m.keyRotate),
  'key rekey': () => import('./commands/key-rekey.ts').then((m) => m.keyRekey),
  'key change-source': () =>
    import('./commands/key-change-source.ts').then((m) => m.keyChangeSource),
  'token ls': () => import('./commands/token-ls.ts').then((m) => m.tokenLs),
  'token create': () => import('./commands/token-create.ts').then((m) => m.tokenCreate),
  'token rotate': () => import('./commands/token-rotate.ts').then((m) => m.tokenRotate),
  'token revoke': () => import('./commands/token-revoke.ts').then((m) => m.tokenRevoke),
  'people setup': () => import('./commands/people-setup.ts').then((m) => m.peopleSetup),
  'people ls': () => import('./commands/people-ls.ts').then((m) => m.peopleLs),
  'people invite': () => import('./commands/people-invite.ts').then((m) => m.peopleInvite),
  'people role': () => import('./commands/people-state.ts').then((m) => m.peopleRole),
  'people disable': () => import('./commands/people-state.ts').then((m) => m.peopleDisable),
  'people enable': () => import('./commands/people-state.ts').then((m) => m.peopleEnable),
  'people reset': () => import('./commands/people-reset.ts').then((m) => m.peopleReset),
  'people rm': () => import('./commands/people-rm.ts').then((m) => m.peopleRm),
  'agent ls': () => import('./commands/agent-ls.ts').then((m) => m.agentLs),
  'agent show': () => import('./commands/agent-show.ts').then((m) => m.agentShow),
  'agent create': () => import('./commands/agent-create.ts').then((m) => m.agentCreate),
  'agent update': () => import('./commands/agent-update.ts').then((m) => m.agentUpdate),
  'agent rotate': () => import('./commands/agent-rotate.ts').then((m) => m.agentRotate),
  'agent disable': () => import('./commands/agent-state.ts').then((m) => m.agentDisable),
  'agent enable': () => import('./commands/agent-state.ts').then((m) => m.agentEnable),
  'agent rm': () => import('./commands/agent-rm.ts').then((m) => m.agentRm),
  'access grant': () => import('./commands/access-grant.ts').then((m) => m.accessGrant),
  'access ls': () => import('./commands/access-look.ts').then((m) => m.accessLs),
  'access rm': () => import('./commands/access-look.ts').then((m) => m.accessRm),
  'access explain': () => import('./commands/access-look.ts').then((m) => m.accessExplain),
  'access unused': () => import('./commands/access-look.ts').then((m) => m.accessUnused),
  'workload ls': () => import('./commands/workload-ls.ts').then((m) => m.workloadLs),
  'workload add': () => import('./commands/workload-add.ts').then((m) => m.workloadAdd),
  'workload rm': () => import('./commands/workload-rm.ts').then((m) => m.workloadRm),
  'grant ls': () => import('./commands/grant-ls.ts').then((m) => m.grantLs),
  'grant create': () => import('./commands/grant-create.ts').then((m) => m.grantCreate),
  'grant rotate': () => import('./commands/grant-rotate.ts').then((m) => m.grantRotate),
  'grant revoke': () => import('./commands/grant-revoke.ts').then((m) => m.grantRevoke),
  freeze: () => import('./commands/freeze.ts').then((m) => m.freeze),
  unfreeze: () => import('./commands/unfreeze.ts').then((m) => m.unfreeze),
  'quota set': () => import('./commands/quota-set.ts').then((m) => m.quotaSet),
  'quota show': () => import('./commands/quota-show.ts').then((m) => m.quotaShow),
  'share create': () => import('./commands/share-create.ts').then((m) => m.shareCreate),
  'share ls': () => import('./commands/share-ls.ts').then((m) => m.shareLs),
  'share revoke': () => import('./commands/share-revoke.ts').then((m) => m.shareRevoke),
  'approvals list': () => import('./commands/approvals-list.ts').then((m) => m.approvalsList),
  'approvals show': () => import('./commands/approvals-show.ts').then((m) => m.approvalsShow),
  'approvals approve': () =>
    import('./commands/approvals-decide.ts').then((m) => m.approvalsApprove),
  'approvals deny': () => import('./commands/approvals-decide.ts').then((m) => m.approvalsDeny),
  'webhook ls': () => import('./commands/webhook-ls.ts').then((m) => m.webhookLs),
  'webhook add': () => import('./commands/webhook-add.ts').then((m) => m.webhookAdd),
  'webhook rm': () => import('./commands/webhook-rm.ts').then((m) => m.webhookRm),
  'audit tail': () => import('./commands/audit-tail.ts').then((m) => m.auditTail),
  'audit query': () => import('./commands/audit-query.ts').then((m) => m.auditQuery),
  'audit verify': () => import('./commands/audit-verify.ts').then((m) => m.auditVerify),
  'audit accept-head': () =>
    import('./commands/audit-accept-head.ts').then((m) => m.auditAcceptHead),
  'counters accept': () => import('./commands/counters-accept.ts').then((m) => m.countersAccept),
  'audit checkpoint': () => import('./commands/audit-checkpoint.ts').then((m) => m.auditCheckpoint),
  'audit checkpoint-key': () =>
    import('./commands/audit-checkpoint-key.ts').then((m) => m.auditCheckpointKey),
  'audit proof': () => import('./commands/audit-proof.ts').then((m) => m.auditProof),
  'audit check-proof': () =>
    import('./commands/audit-check-proof.ts').then((m) => m.auditCheckProof),
  'audit sinks': () => import('./commands/audit-sinks.ts').then((m) => m.auditSinks),
  'audit set-sinks': () => import('./commands/audit-set-sinks.ts').then((m) => m.auditSetSinks),
  'audit prune': () => import('./commands/audit-prune.ts').then((m) => m.auditPrune),
  'audit retention': () => import('./commands/audit-retention.ts').then((m) => m.auditRetention),
  'audit set-retention': () =>
    import('./commands/audit-set-retention.ts').then((m) => m.auditSetRetention),
  'audit export': () => import('./commands/audit-export.ts').then((m) => m.auditExport),
  inspect: () => import('./commands/inspect.ts').then((m) => m.inspect),
  'scan-files': () => import('./commands/scan-files.ts').then((m) => m.scanFiles),
  'inspection status': () =>
    import('./commands/inspection-status.ts').then((m) => m.inspectionStatus),
  'inspection report': () =>
    import('./commands/inspection-report.ts').then((m) => m.inspectionReport),
  'inspection approve': () =>
    import('./commands/inspection-approve.ts').then((m) => m.inspectionApprove),
  'inspection allow': () => import('./commands/inspection-allow.ts').then((m) => m.inspectionAllow),
  'inspection set': () => import('./commands/inspection-set.ts').then((m) => m.inspectionSet),
  'inspection mode': () => import('./commands/inspection-mode.ts').then((m) => m.inspectionMode),
  wrap: () => import('./commands/wrap.ts').then((m) => m.wrap),
  status: () => import('./commands/status.ts').then((m) => m.status),
  top: () => import('./commands/top.ts').then((m) => m.top),
  'server ls': () => import('./commands/server-look.ts').then((m) => m.serverLs),
  'server show': () => import('./commands/server-look.ts').then((m) => m.serverShow),
  'server add': () => import('./commands/server-add.ts').then((m) => m.serverAdd),
  'server login': () => import('./commands/server-login.ts').then((m) => m.serverLogin),
  'server logout': () => import('./commands/server-login.ts').then((m) => m.serverLogout),
  'server rm': () => import('./commands/server-rm.ts').then((m) => m.serverRm),
  'policy ls': () => import('./commands/policy-look.ts').then((m) => m.policyLs),
  'policy show': () => import('./commands/policy-look.ts').then((m) => m.policyShow),
  'policy set': () => import('./commands/policy-set.ts').then((m) => m.policySet),
  'policy rm': () => import('./commands/policy-rm.ts').then((m) => m.policyRm),
  'policy attach': () => import('./commands/policy-attach.ts').then((m) => m.policyAttach),
  'policy detach': () => import('./commands/policy-attach.ts').then((m) => m.policyDetach),
  'policy init': () => import('./commands/policy-init.ts').then((m) => m.policyInit),
  'policy explain': () => import('./commands/policy-explain.ts').then((m) => m.policyExplain),
  'policy test': () => import('./commands/policy-test.ts').then((m) => m.policyTest),
  'policy replay': () => import('./commands/policy-replay.ts').then((m) => m.policyReplay),
  'policy fmt': () => import('./commands/policy-fmt.ts').then((m) => m.policyFmt),
  'policy convert': () => import('./commands/policy-convert.ts').then((m) => m.policyConvert),
  'policy validate': () => import('./commands/policy-validate.ts').then((m) => m.policyValidate),
  backup: () => import('./commands/backup.ts').then((m) => m.backup),
  restore: () => import('./commands/restore.ts').then((m) => m.restore),
  completion: () => import('./commands/completion.ts').then((m) => m.completion),
} as const satisfies Readonly<Record<string, Load>>

export type CommandName = keyof typeof COMMANDS

export function isCommandName(name: string): name is CommandName {
  return Object.hasOwn(COMMANDS, name)
}

const COMMAND_NAMES: readonly CommandName[] = Object.keys(COMMANDS).filter(isCommandName)

export interface TopicNames {
  readonly title: string
  readonly names: readonly CommandName[]
}

/** How help and docs/cli.md group the commands; every command stands in exactly one group. */
export const TOPICS: readonly TopicNames[] = [
  { title: 'Open the vault to agents', names: ['up', 'mcp', 'allow', 'doctor'] },
  { title: 'Secrets', names: under('secret') },
  { title: 'Use without seeing', names: ['run', ...under('env')] },
  { title: 'Vaults', names: under('vault') },
  {
    title: 'The person and the keys',
    names: [...under('presence'), ...under('setting'), 'unlock', 'lock', ...under('key')],
  },
  { title: 'Tokens of HTTP clients', names: under('token') },
  { title: 'People with accounts on a server', names: under('people') },
  {
    title: 'Agents with keys of their own',
    names: [
      ...under('agent'),
      ...under('access'),
      ...under('workload'),
      ...under('grant'),
      ...under('quota'),
      'freeze',
      'unfreeze',
    ],
  },
  { title: 'Handing on', names: under('share') },
  { title: 'What waits for a person', names: [...under('approvals'), ...under('webhook')] },
  { title: 'The record of what happened', names: under('audit') },
  { title: 'What is in a text', names: ['inspect', 'scan-files', ...under('inspection')] },
  {
    title: 'What agents may do on MCP servers',
    names: ['wrap', ...under('server'), ...under('policy'), 'status', 'top', 'counters accept'],
  },
  { title: 'Copies, shells', names: ['backup', 'restore', 'completion'] },
]

/** Names of other programs for the same thing; they work and are not listed. */
export const HIDDEN_NAMES: ReadonlyMap<string, CommandName> = new Map<string, CommandName>([
  ['secret set', 'secret put'],
  ['secret list', 'secret ls'],
  ['secret delete', 'secret rm'],
  ['exec', 'run'],
  ['export', 'env export'],
  ['vault list', 'vault ls'],
  ['token list', 'token ls'],
  ['agent list', 'agent ls'],
  ['workload list', 'workload ls'],
  ['grant list', 'grant ls'],
  ['approvals ls', 'approvals list'],
  ['webhook list', 'webhook ls'],
  ['server list', 'server ls'],
  ['policy list', 'policy ls'],
])

export function loadCommand(name: CommandName): Promise<Command<CliDeps>> {
  const load: Load = COMMANDS[name]
  return load()
}

/** All commands as data, in order. */
export function allCommands(): Promise<readonly Command<CliDeps>[]> {
  return Promise.all(COMMAND_NAMES.map(loadCommand))
}

/** The commands that begin with the noun: those of `secret`. */
export function under(noun: string): CommandName[] {
  return COMMAND_NAMES.filter((name) => name.startsWith(`${noun} `))
}
