/** What Sallyport must do, and what proves it. docs/status.md is printed from this table. */
export interface Requirement {
  readonly id: string
  readonly sentence: string
  readonly status: 'done' | 'open'
  /** `file#name of the test`, from the root of the repository. Through the public surface: MCP client, HTTP or CLI. */
  readonly tests: readonly string[]
}

function open(id: string, sentence: string): Requirement {
  return { id, sentence, status: 'open', tests: [] }
}

function done(id: string, sentence: string, ...tests: readonly string[]): Requirement {
  return { id, sentence, status: 'done', tests }
}

export const REQUIREMENTS: readonly Requirement[] = [
  // CS: what a secrets server for one developer does.
  done(
    'CS-1',
    'input_secret asks the person with hidden input; the value never reaches the model',
    'test/e2e/mcp-stdio.e2e.test.ts#${era}: input_secret opens a page that the person fills in',
    'test/e2e/ask-page.e2e.test.ts#page in Chromium: a typed value arrives as typed and the page says stored',
    'test/input-secret.test.ts#${era}: each way not to answer the page has its own text and stores nothing',
  ),
  done(
    'CS-2',
    'six tools with name arguments; list_secrets tells how many exist and are visible',
    'test/secret-tools.test.ts#${era}: a secret is stored, listed, described and read, with its ids',
    'test/secret-tools.test.ts#${era}: delete is soft and says how to undo it',
    'test/e2e/mcp-inspector.e2e.test.ts#the Inspector lists and calls the tools over ${name}, ${era}',
  ),
  done(
    'CS-3',
    'values are encrypted at rest; the master key is in the OS keychain or a fallback',
    'src/crypto/key-sources/keychain.test.ts#keychain: a real Secret Service keeps keys and texts, and a locked one is refused at once',
    'test/attacks/canary.e2e.test.ts#no file of the vault, no audit record and no file of the project holds what is marked',
    'test/e2e/cli.e2e.test.ts#keys rotate and are made anew; what they protect stays readable',
  ),
  done(
    'CS-4',
    'a project allow-list denies by default and counts only once the person approved it',
    'test/e2e/cli.e2e.test.ts#a folder that is allowed may do what its list says, until the list changes',
    'test/e2e/mcp-stdio.e2e.test.ts#${era}: an approved project lists, reads, stores, and is refused elsewhere',
    'test/attacks/presence.e2e.test.ts#on a terminal that script makes, Enter, y and guesses open nothing',
  ),
  done(
    'CS-5',
    'CLI get, set, delete, list, search; secret:// in .env files; export; run -- CMD',
    'test/e2e/cli.e2e.test.ts#a secret is stored from a pipe, listed and described, never shown',
    'test/e2e/env-commands.e2e.test.ts#run: what the approved list names goes into the child and nowhere else',
    'test/e2e/env-commands.e2e.test.ts#env export: every missing name is listed',
  ),
  open('CS-6', 'client extras: session hook with names only, slash commands, one-command set-up'),
  // PL: rules on every tool call.
  done(
    'PL-1',
    'a policy on a registered server is enforced before a call reaches the server',
    'test/gateway/registry.e2e.test.ts#servers and policies are changed behind the gate and read before it',
    'test/gateway/named-wrap.e2e.test.ts#without a policy every call is denied and it says how to attach one; then each change holds within a second',
    'test/gateway/http-door.test.ts#${era}: a client with a grant reaches its server, and a denied call does not',
    'test/gateway/http-door.test.ts#${era}: a grant without a policy denies every call, and all that are attached count',
    "test/gateway/all-servers.test.ts#${era}: tools of all granted servers, under their servers' names and policies",
  ),
  done(
    'PL-2',
    'policy documents of version 1 and their aliases; unknown keys name the right one',
    'test/e2e/policy.e2e.test.ts#one that is wrong is told with line and column, and fails',
    'test/e2e/policy.e2e.test.ts#explain says which rule denies, what it saw and what would be counted',
    'test/e2e/policy.e2e.test.ts#convert writes the other form, or says why there is none',
    'test/policy/forms.test.ts#a policy decides alike in JSON, in YAML, converted either way, and formatted',
  ),
  open('PL-3', 'caps hold in a loop, reset alone, survive restarts and are shared by processes'),
  done(
    'PL-4',
    'a denied call is answered as a policy violation with its reason',
    'test/e2e/wrap.e2e.test.ts#a call that is denied never reaches the server, and everything else goes through',
    'test/e2e/wrap.e2e.test.ts#${era}: a client and a server of the SDK meet through it',
  ),
  done(
    'PL-5',
    'what the policy does not name is denied and not listed',
    'test/e2e/wrap.e2e.test.ts#a call that is denied never reaches the server, and everything else goes through',
    'test/gateway.test.ts#tools that could not be called are not listed, on every page',
  ),
  done(
    'PL-6',
    'labelled bearer tokens per client, rotated and revoked alone within one second',
    'test/contract/grants.test.ts#grants on ${store.name}: each is rotated and revoked alone, in all processes at once',
    'test/gateway/http-door.test.ts#an old bearer is dead within a second, with the sessions and streams it opened',
    'test/gateway/up.e2e.test.ts#a rotated bearer is dead at two processes within a second, and a killed one leaves no child',
    'test/gateway/http-door.test.ts#a frozen grant stops at once, its agent elsewhere does not',
  ),
  open('PL-7', 'every tool is classified with severity, quoted evidence and a rule to copy'),
  open('PL-8', 'an inventory of everything the agents can call, server by server'),
  // PI: what Intercept's tests assert, but for what docs/decisions/0017 replaces.
  done(
    'PI-1',
    'documents: what is read, what is refused and with which words',
    'test/gateway/intercept-behaviours.test.ts#config: a sample policy is read with its tools, rules, fields, state, wildcard and denial',
    'test/gateway/intercept-behaviours.test.ts#config: a bad document yields all that is wrong with it at once',
    "test/gateway/intercept-behaviours.test.ts#config: the rate limit ${rate} is ${max === null ? 'refused' : 'a counter with a cap'}",
  ),
  done(
    'PI-2',
    'judging: eleven operators, paths, rules of a tool and of all, defaults, hidden tools',
    "test/gateway/intercept-behaviours.test.ts#engine: ${what} ${isAllowed ? 'allows' : 'denies'}",
    'test/gateway/intercept-behaviours.test.ts#engine: under default deny what is listed passes by its rules, and "*" rescues nothing',
  ),
  done(
    'PI-3',
    'charges: which counters a call is counted against, by how much, up to which cap',
    'test/gateway/intercept-behaviours.test.ts#handler: a call with a counter of its own and one of all tools is charged for both, in that order',
    'test/gateway/intercept-behaviours.test.ts#handler: an amount is what is charged; one that is missing denies',
  ),
  done(
    'PI-4',
    'its defects in policies and in counting cannot happen',
    'test/gateway/intercept-defects.test.ts#defect: an argument under two names (${what}) is denied, not read one way',
    'test/gateway/intercept-defects.test.ts#defect: an amount that is ${what} neither refills a counter nor ends it',
    'test/gateway/intercept-defects.test.ts#defect: tools with dots can be limited, and no two counters collide',
    'test/gateway/intercept-defects.test.ts#defect: ${line} is an error that says what was meant, not a weaker policy',
  ),
  // OC: a vault behind an MCP server.
  done(
    'OC-1',
    'values are never logged, never on disk in clear, never beside the answer',
    'test/attacks/canary.e2e.test.ts#HTTP: no answer, no refusal and no log line holds what is marked',
    'test/attacks/canary.e2e.test.ts#no file of the vault, no audit record and no file of the project holds what is marked',
    'test/secret-tools.test.ts#${era}: exactly one log line says that a value was answered',
  ),
  done(
    'OC-2',
    'values are never cached; only a keyed fingerprint of a value is remembered',
    'test/attacks/canary.e2e.test.ts#between calls no reachable string or buffer holds a value',
    'test/attacks/canary.e2e.test.ts#no file of the vault, no audit record and no file of the project holds what is marked',
    'test/known-values.test.ts#${era}: inspect_content tells nobody what another principal holds',
    'test/e2e/cli.e2e.test.ts#a value that can be guessed is stored with a warning, and remembered only by the person',
  ),
  done(
    'OC-3',
    'stdio takes token and vault from the environment; HTTP has one client a session',
    'test/e2e/remote.e2e.test.ts#remote: with ${spelling}, the stdio server serves the vault of the server',
    'test/mcp-agents.test.ts#${era}: two agents on one server see their own lists, with a key or a token',
    'test/mcp-agents.test.ts#legacy: a session is nobody else’s, with whatever its id is shown',
    'test/mcp-agents.test.ts#a registered caller has to name the vault, unless it is bound to exactly one',
  ),
  done(
    'OC-4',
    'the vault judges every access; the MCP server has no access control of its own',
    'test/e2e/mcp-stdio.e2e.test.ts#${era}: an approved project lists, reads, stores, and is refused elsewhere',
    'test/contract/vault.test.ts#403 comes before 404, and 404 before 410',
    'test/e2e/cli.e2e.test.ts#an agent cannot replace or remove; the denial names the remedy',
  ),
  done(
    'OC-5',
    'every access is in the audit log and can be queried',
    'test/api/secrets.test.ts#a key is exchanged, the token reads what policy allows, and the audit says who',
    'test/api/access.test.ts#the audit is read by those who may, page by page, and by others about themselves',
  ),
  done(
    'OC-6',
    'input is inspected for injection, encoding tricks, PII and exfiltration',
    'test/inspection-pipeline.test.ts#block: ${category} is seen in an argument',
    'test/inspection-pipeline.test.ts#block: a hostile argument is refused with every finding, and without its text',
    'test/inspection-pipeline.test.ts#exfiltration block: ${mode} refuses a known value, tools that take values aside',
    'test/e2e/inspect.e2e.test.ts#over HTTP a hostile argument is refused, a secret that looks hostile is stored, and known values are told',
  ),
  done(
    'OC-7',
    'modes block, surgical and log_only',
    'test/inspection-pipeline.test.ts#block: a hostile argument is refused with every finding, and without its text',
    'test/inspection-pipeline.test.ts#surgical: the call goes on with the cleaned argument and is recorded as changed',
    'test/inspection-pipeline.test.ts#log_only: the call goes on as it was and what would have been refused is recorded',
    'test/inspection-pipeline.test.ts#${mode}: ${what} is stored, rotated and read as it is',
  ),
  done(
    'OC-8',
    'output is inspected, and known values become [REDACTED:path]',
    'test/e2e/known-values.e2e.test.ts#a value that one process read or stored is redacted and held back in another',
    'test/gateway/known-values.e2e.test.ts#a value fetched through `sallyport mcp` is redacted in a separate `wrap` and raises the event',
    'test/gateway/known-values.e2e.test.ts#at /s/NAME/mcp it is redacted in both eras and raises the event',
    'test/inspection-pipeline.test.ts#known values are taken out of answers and errors, but not of the read of the value itself',
    'test/inspection-pipeline.test.ts#an answer with findings is recorded and not blocked',
    'test/inspection-pipeline.test.ts#the resource goes through inspection as answers do',
  ),
  done(
    'OC-9',
    'exfiltration protection warns, blocks or is off; secret tools are exempt',
    'test/inspection-pipeline.test.ts#exfiltration block: ${mode} refuses a known value, tools that take values aside',
    'test/inspection-pipeline.test.ts#exfiltration warn and off: the call goes on; warn is recorded',
    'test/e2e/known-values.e2e.test.ts#a value that one process read or stored is redacted and held back in another',
    'test/gateway/known-values.e2e.test.ts#a value fetched through `sallyport mcp` is redacted in a separate `wrap` and raises the event',
  ),
  done(
    'OC-10',
    'inspection is on by default and tuned by variables or configuration',
    'test/e2e/inspection-rules.e2e.test.ts#a refusal is in the report and in doctor, by detector',
    'test/e2e/inspection-rules.e2e.test.ts#the person runs the lines of the refusal, and the call goes on',
    'test/e2e/inspection-rules.e2e.test.ts#thresholds, modes and detectors are set by the person, one line each',
    'test/inspection-rules.test.ts#${what}: loosens nothing before the person approved it, and everything after',
    'test/e2e/inspect.e2e.test.ts#switched off, the server says so on standard error',
    'test/inspection-pipeline.test.ts#personal data is not reported where that is switched off',
  ),
  done(
    'OC-11',
    'inspect_content judges any text; a scanner-only mode needs no vault',
    'test/inspection-pipeline.test.ts#inspect_content: verdict and places, never the text',
    'test/inspection-pipeline.test.ts#inspect_content: clean text is safe, hidden letters are said, also where calls are not inspected',
    'test/e2e/inspect.e2e.test.ts#the scanner alone: one tool, and no vault, key or folder is made',
  ),
  done(
    'OC-12',
    'token scopes and path prefixes isolate agents',
    'test/e2e/agents.e2e.test.ts#a preset makes an agent that can do its work and nothing besides',
    'test/contract/registered-access.test.ts#vault binding and scopes narrow what policies give',
    'test/api/vaults.test.ts#a vault that is not there is answered like one in which the caller may do nothing',
  ),
  done(
    'OC-13',
    'expired or read out answers 410; racing readers never share the last read',
    'test/secret-tools.test.ts#${era}: 404, 410 and 403 in the sentences of the seed',
    'test/contract/vault-races.test.ts#of 64 readers at once, five get the five reads that are left',
    'test/contract/vault-races.test.ts#an expiry holds whichever way the clock is stepped',
  ),
  done(
    'OC-14',
    'the eleven vault tools and the resource vault://secrets',
    'test/secret-tools.test.ts#${era}: a secret is stored, listed, described and read, with its ids',
    'test/grant-tool.test.ts#an agent hands on what it holds, once a person has said yes, ${era}',
    'test/share-tool.test.ts#an agent shares by path and by id, and links once they are approved, ${era}',
    'test/e2e/remote.e2e.test.ts#remote: describing counts no read, rotating keeps type and metadata, values are redacted',
  ),
  done(
    'OC-15',
    'the error sentences for 404, 410, 402 and 403, word for word',
    'test/api/secrets.test.ts#what is refused is a problem with the words of the seeds',
    'test/api/sharing.test.ts#a quota shows in the headers and ends in 402 with the words of the seeds',
    'test/secret-tools.test.ts#${era}: 404, 410 and 403 in the sentences of the seed',
  ),
  done(
    'OC-16',
    'hosted and local are one server; existing HTTP clients work unchanged',
    'test/api/compatibility.test.ts#a client of the 1claw API is answered, call by call',
    'test/api/compatibility.test.ts#a path is what it says, encoded or not, and nothing else is taken for one',
    'test/api/offered.test.ts#${line}: ${standing}',
    'test/e2e/remote.e2e.test.ts#remote: with ${spelling}, the stdio server serves the vault of the server',
    'test/e2e/offline.e2e.test.ts#with loopback alone both doors serve every tool, and nothing else is ever connected to',
  ),
  // BY: beyond both.
  open(
    'BY-1',
    'secret:// in a tool argument, request, command or template is resolved at the last hop',
  ),
  open('BY-2', 'redaction survives encodings, splits, compression and create-then-read'),
  done(
    'BY-3',
    'approvals are bound to the exact call, single use and expiring',
    'test/attacks/self-approval.test.ts#the same arguments are one request, however they are written, and others another',
    'test/attacks/self-approval.test.ts#no bearer of any kind decides, at any of the calls that do, and no cookie is one',
    'test/path-approvals.test.ts#64 readers, two processes, one approval: one passes',
    'test/path-approvals.test.ts#a yes ends with its time, with the policy it was for, and is nobody else’s',
    'test/gateway/rules.test.ts#a call that a person has to allow waits for one, and passes once',
  ),
  done(
    'BY-4',
    'the audit is durable before release, chained, provable; a hung sink hangs nothing',
    'test/audit-sinks.test.ts#refuses within its deadline, then at once, releases nothing and hangs nothing',
    'test/audit-sinks.test.ts#a process that is killed loses nothing that it released',
    'test/e2e/audit-evidence.e2e.test.ts#proofs are made here and checked there',
    'test/e2e/audit-evidence.e2e.test.ts#the store is held against a checkpoint',
    'test/attacks/pruned.test.ts#what is pruned leaves hashes; checks, checkpoints and proofs go on as before',
    'test/audit-copies.test.ts#what ${kind} kept (${mode}) is checked with nothing but itself and the public key',
    'test/attacks/failing-sinks.test.ts#over HTTP it is 503 within the deadline, and health is told all the while',
  ),
  open('BY-5', 'tool definitions are pinned; a change is held until a person accepts it'),
  open('BY-6', 'shadow mode, policy test and replay against a draft'),
  open('BY-7', 'flow rules across servers break the lethal trifecta'),
  done(
    'BY-8',
    'revocation and kill switch within one second on every node',
    'test/attacks/freeze.test.ts#freeze: readers that never pause are all refused once it is committed',
    'test/attacks/freeze.test.ts#freeze: it holds where nothing is heard of changes',
    'test/api/access.test.ts#a freeze stops an agent on an open connection, and no key lifts it',
    'test/e2e/agents.e2e.test.ts#a freeze holds in every process at once, without a gate; lifting it has one',
  ),
  done(
    'BY-9',
    'canary secrets alert on any use',
    'test/contract/canaries.test.ts#reading, using, describing and being refused ring it; other paths do not',
    'test/contract/canaries.test.ts#a share of one rings, and so does reading by a share',
    'test/contract/canaries.test.ts#changing it rings too, whether it is done, refused, impossible or wrong',
    'test/notices.test.ts#canaries ring over HTTP, and the refusal says nothing of them',
    'test/api/sharing.test.ts#a honeytoken rings and freezes',
  ),
  done(
    'BY-10',
    'no input makes a check slower than linear',
    'test/inspection-linear.test.ts#inspect_content: four times as much takes about four times as long: ${what}',
    'src/inspect/detectors.test.ts#detector ${detector.id}: time on hostile text',
    'src/inspect/written.test.ts#what hangs a backtracking pattern does not hang a written one',
  ),
]
