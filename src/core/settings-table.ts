/** The switches of inspection have a name beside the older one, with and without `MCP_`. */
function switchNames<N extends string>(
  name: N,
): readonly [`SALLYPORT_MCP_${N}`, `SALLYPORT_${N}`, `ONECLAW_MCP_${N}`] {
  return [`SALLYPORT_MCP_${name}`, `SALLYPORT_${name}`, `ONECLAW_MCP_${name}`]
}

/** One row per setting: docs/config.md is printed from this table, and `loadSettings` reads nothing that is not in it. */
export const SETTINGS = {
  home: {
    env: ['SALLYPORT_HOME'],
    summary: 'One folder for data, state and configuration, instead of the platform directories.',
  },
  dataDir: { env: ['SALLYPORT_DATA_DIR'], summary: 'Where the SQLite store lives (0700).' },
  stateDir: {
    env: ['SALLYPORT_STATE_DIR'],
    summary: 'Where the head of the audit tree and the unlock socket live, apart from the store.',
  },
  configDir: {
    env: ['SALLYPORT_CONFIG_DIR'],
    summary: 'Where the choice of key source and the key file live.',
  },
  databaseUrl: {
    env: ['SALLYPORT_DATABASE_URL'],
    summary:
      'postgres://… to keep the store in PostgreSQL instead of SQLite. Or SALLYPORT_DATABASE_URL_FILE: a file that holds it.',
  },
  counters: {
    env: ['SALLYPORT_COUNTERS_URL'],
    summary:
      'redis://…, rediss://… (TLS) or unix:///SOCKET of a Redis or Valkey that counts the limits on tool calls for many nodes. Or SALLYPORT_COUNTERS_URL_FILE: a file that holds it. Default: the store counts.',
  },
  vault: {
    env: ['SALLYPORT_VAULT', 'ONECLAW_VAULT_ID'],
    summary: 'Name or id of the vault that paths refer to. Default: default.',
  },
  baseUrl: {
    env: ['SALLYPORT_BASE_URL', 'ONECLAW_BASE_URL'],
    summary:
      'https://… of a server whose vault sallyport mcp serves, instead of the one on this machine.',
  },
  agentId: {
    env: ['SALLYPORT_AGENT_ID', 'ONECLAW_AGENT_ID'],
    summary: 'With a base URL: the agent whose key this is. The server finds out by itself.',
  },
  agentKey: {
    env: ['SALLYPORT_AGENT_API_KEY', 'ONECLAW_AGENT_API_KEY'],
    summary: 'With a base URL: the key that is exchanged for short-lived tokens.',
  },
  agentToken: {
    env: ['SALLYPORT_AGENT_TOKEN', 'ONECLAW_AGENT_TOKEN'],
    summary: 'With a base URL: a token, used as it is until it ends, instead of a key.',
  },
  port: { env: ['SALLYPORT_PORT'], summary: 'Port of sallyport up on loopback. Default: 4747.' },
  publicUrl: {
    env: ['SALLYPORT_PUBLIC_URL'],
    summary:
      'https://… where browsers find this server: its pages, links and passkeys are for this name. Default: http://localhost:PORT, for this machine alone.',
  },
  nodeUrl: {
    env: ['SALLYPORT_NODE_URL'],
    summary:
      'Where several servers share a store: http(s)://… at which the others reach this one. Default: the address it listens at, unless that is every address.',
  },
  oidcIssuer: {
    env: ['SALLYPORT_OIDC_ISSUER'],
    summary: 'https://… of an OpenID Connect provider at which people may sign in.',
  },
  oidcClientId: {
    env: ['SALLYPORT_OIDC_CLIENT_ID'],
    summary:
      'With an issuer: the client that this server is there; its redirect address is PUBLIC_URL/sign-in/back.',
  },
  oidcClientSecret: {
    env: ['SALLYPORT_OIDC_CLIENT_SECRET'],
    summary: 'With an issuer: the secret of that client, if it has one.',
  },
  oidcLabel: {
    env: ['SALLYPORT_OIDC_LABEL'],
    summary: 'How the sign-in page names the provider. Default: the host of the issuer.',
  },
  oidcDomains: {
    env: ['SALLYPORT_OIDC_DOMAINS'],
    summary:
      'Who may come without an invitation: example.org=member, example.net=auditor; the provider must say that the address is verified. Default: nobody.',
  },
  clientDocument: {
    env: ['SALLYPORT_CLIENT_METADATA_URL'],
    summary:
      'https://… of a document that says who this program is to authorization servers of MCP servers that fetch one (docs/gateway.md). Default: none; they register it, or a person does.',
  },
  logLevel: {
    env: ['SALLYPORT_LOG_LEVEL'],
    summary: 'debug, info, warn, error or silent. JSON lines on stderr. Default: info.',
  },
  projectDir: {
    env: ['CLAUDE_PROJECT_DIR'],
    summary: 'Folder from which the project is looked up. Default: the working directory.',
  },
  keySource: {
    env: ['SALLYPORT_KEY_SOURCE'],
    summary:
      'First run only: keychain, passphrase or keyfile. Later runs use what was written down.',
  },
  localOnly: {
    env: ['SALLYPORT_LOCAL_ONLY', 'ONECLAW_LOCAL_ONLY'],
    summary:
      'true: sallyport mcp lists inspect_content alone and opens no vault, no key and no account. Default: false.',
  },
  securityEnabled: {
    env: switchNames('SECURITY_ENABLED'),
    summary: 'false: calls are neither inspected nor redacted. Default: true.',
  },
  sanitizationMode: {
    env: switchNames('SANITIZATION_MODE'),
    summary:
      'What happens to arguments with severe findings: block, surgical or log_only. Default: block.',
  },
  redactSecrets: {
    env: switchNames('REDACT_SECRETS'),
    summary:
      'false: known secret values stay in answers and in what servers write to stderr. Default: true.',
  },
  piiDetection: {
    env: switchNames('PII_DETECTION'),
    summary: 'false: personal data is not reported. Default: true.',
  },
  exfilProtection: {
    env: switchNames('EXFIL_PROTECTION'),
    summary:
      'What happens to arguments that hold a known secret value: block, warn or off. block refuses in every mode. Default: warn.',
  },
  inspectionFile: {
    env: ['SALLYPORT_INSPECTION_FILE'],
    summary:
      'What is let through: detectors that are off, thresholds, allowed findings. Default: inspection.json in the configuration folder.',
  },
  rateLimits: {
    env: ['SALLYPORT_RATE_LIMITS'],
    summary:
      'Requests a second that all processes of one store answer together, twice as many at once: token=50,agent=100,address=200. Default: no limits.',
  },
  billingUrl: {
    env: ['SALLYPORT_BILLING_URL'],
    summary: 'Address that a refusal names when a quota is exhausted.',
  },
  netCa: {
    env: ['SALLYPORT_NET_CA'],
    summary:
      'PEM file with certificates of authorities that are trusted beside those of the system, wherever this program asks: issuers of workloads and people, webhooks, sinks, servers.',
  },
  maxMessageMb: {
    env: ['SALLYPORT_MAX_MESSAGE_MB'],
    summary:
      'The largest message that the gateway passes on, in MiB, 1 to 1024. What is larger than 2 MiB is put aside in a sealed temporary file. Default: 128.',
  },
  serverLimits: {
    env: ['SALLYPORT_SERVER_LIMITS'],
    summary:
      'How long servers behind the gateway may take and how much they bear, where server add does not say: start (until the first answer), call (without an answer or progress), idle (until sallyport up ends it), open (calls at once), late (calls in a row that came too late before it is left alone), rest (for how long). Default: start=2m,call=1h,idle=30m,open=1000,late=5,rest=30s.',
  },
  netAllow: {
    env: ['SALLYPORT_NET_ALLOW'],
    summary:
      'What may be requested although it is not public: addresses and ranges (10.0.0.0/8), hosts (idp.lan, *.corp.lan, idp.lan:8443), origins (http://idp.lan:8080, the only form that lets plain HTTP through). Separated by commas or spaces.',
  },
} as const satisfies Record<string, { env: readonly string[]; summary: string }>
