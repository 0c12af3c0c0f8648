import type { Migration } from './migrate.ts'

/**
 * One text for both databases: `bytea` holds bytes on PostgreSQL and keeps them as they are on SQLite.
 * Booleans are 0 and 1, instants are milliseconds, ids are UUID text. Every table with a `mac` column carries rights:
 * its MAC covers all other columns and its `revision` is in the audit record of the change.
 */
export const MIGRATIONS: readonly Migration[] = [
  {
    version: 1,
    name: 'vaults, secrets, keys, audit tree',
    statements: [
      `create table seal (
        id bigint primary key, store_id text not null, source text not null, seal_key_id text not null,
        params text not null, root_key_id text not null, sealed_root bytea not null,
        created_at bigint not null, revision bigint not null)`,
      `create table keys (
        id text primary key, purpose text not null, vault_id text, root_key_id text not null,
        state text not null, wrapped bytea not null, wraps bigint not null,
        created_at bigint not null, revision bigint not null, mac bytea not null)`,
      `create index keys_by_purpose on keys (purpose, vault_id, state)`,
      `create table rights (id bigint primary key, revision bigint not null)`,
      `insert into rights (id, revision) values (1, 1)`,
      `create table vaults (
        id text primary key, name text not null unique, description text, created_at bigint not null,
        created_by text not null, revision bigint not null, mac bytea not null)`,
      `create table secrets (
        id text primary key, vault_id text not null, path text not null, type text not null,
        metadata text not null, created_at bigint not null, updated_at bigint not null, deleted_at bigint,
        version bigint not null, state text not null, reads bigint not null, max_reads bigint,
        expires_at bigint, byte_length bigint not null, is_binary bigint not null,
        revision bigint not null, mac bytea not null)`,
      `create unique index secrets_by_path on secrets (vault_id, path)`,
      `create table versions (
        secret_id text not null, version bigint not null, state text not null, type text not null,
        created_at bigint not null, created_by text not null, reads bigint not null, max_reads bigint,
        expires_at bigint, byte_length bigint not null, is_binary bigint not null,
        revision bigint not null, mac bytea not null, primary key (secret_id, version))`,
      `create table sealed_values (
        secret_id text not null, version bigint not null, key_id text not null, wrapped_key bytea not null,
        sealed bytea not null, primary key (secret_id, version))`,
      `create index sealed_values_by_key on sealed_values (key_id)`,
      `create table trusted_files (
        id text primary key, project text not null unique, file text not null, digest bytea not null,
        lists text not null, state text not null, approved_at bigint not null, approved_by text not null,
        revision bigint not null, mac bytea not null)`,
      `create table tokens (
        id text primary key, label text not null, project text, digest bytea not null unique,
        created_at bigint not null, revoked_at bigint, revision bigint not null, mac bytea not null)`,
      `create table presence (
        id bigint primary key, record text, set_at bigint, changed_at bigint,
        failures bigint not null, blocked_until bigint, exempt text not null,
        revision bigint not null, mac bytea not null)`,
      `create table audit_tree (
        id bigint primary key, size bigint not null, frontier bytea not null, epoch_key_id text not null,
        epoch_start bigint not null, epoch_from bigint not null)`,
      `create table audit_records (
        seq bigint primary key, epoch_key_id text not null, body bytea not null, mac bytea not null)`,
    ],
    // Every read updates its secret's row: with room on the page the new row stays there and no index is touched.
    onPostgres: [
      'alter table secrets set (fillfactor = 40)',
      'alter table versions set (fillfactor = 60)',
      'alter table audit_tree set (fillfactor = 10)',
    ],
  },
  {
    version: 2,
    name: 'fingerprints of values, and who knows them',
    statements: [
      `create table remembered_versions (
        secret_id text not null, version bigint not null, redactable bigint not null,
        guess_bits bigint not null, ended_at bigint, primary key (secret_id, version))`,
      `create index remembered_versions_by_end on remembered_versions (ended_at)`,
      `create table fingerprints (
        secret_id text not null, version bigint not null, part bigint not null, variant text not null,
        length bigint not null, window_at bigint not null, window_hash bigint not null,
        proof bytea not null, spans_lines bigint not null,
        primary key (secret_id, version, part, variant))`,
      `create table known_versions (
        principal text not null, secret_id text not null, version bigint not null, last_at bigint not null,
        primary key (principal, secret_id, version))`,
      `create index known_versions_by_version on known_versions (secret_id, version)`,
      `create table known_revision (id bigint primary key, revision bigint not null)`,
      `insert into known_revision (id, revision) values (1, 1)`,
    ],
  },
  {
    version: 3,
    name: 'organisation, people, agents, freezes, path policies',
    statements: [
      `create table organisation (
        id text primary key, name text not null, created_at bigint not null,
        revision bigint not null, mac bytea not null)`,
      `create table users (
        id text primary key, email text not null unique, name text, role text not null, state text not null,
        password text, created_at bigint not null, created_by text not null,
        revision bigint not null, mac bytea not null)`,
      `create table user_keys (
        id text primary key, user_id text not null, label text not null, prefix text not null,
        digest bytea not null unique, scopes text, created_at bigint not null, expires_at bigint,
        revoked_at bigint, revision bigint not null, mac bytea not null)`,
      `create index user_keys_by_user on user_keys (user_id)`,
      `create table agents (
        id text primary key, name text not null, description text, state text not null,
        scopes text, vault_ids text, token_ttl bigint not null, environment text, expires_at bigint,
        key_id text, key_prefix text, key_digest bytea unique, key_expires_at bigint,
        created_at bigint not null, created_by text not null,
        revision bigint not null, mac bytea not null)`,
      `create table workload_rules (
        id text primary key, agent_id text not null, issuer text not null, audience text not null,
        subject text not null, created_at bigint not null, created_by text not null,
        revision bigint not null, mac bytea not null)`,
      `create index workload_rules_by_issuer on workload_rules (issuer)`,
      `create index workload_rules_by_agent on workload_rules (agent_id)`,
      `create table ended_tokens (
        id text primary key, ends_at bigint not null, revision bigint not null, mac bytea not null)`,
      `create index ended_tokens_by_end on ended_tokens (ends_at)`,
      `create table shown_proofs (id text primary key, ends_at bigint not null)`,
      `create index shown_proofs_by_end on shown_proofs (ends_at)`,
      `create table freezes (
        id text primary key, state text not null, at bigint not null, set_by text not null, reason text,
        revision bigint not null, mac bytea not null)`,
      `create table path_policies (
        id text primary key, vault_id text not null, pattern text not null, principal_type text not null,
        principal_id text not null, effect text not null, permissions text not null, conditions text,
        priority bigint not null, expires_at bigint, created_at bigint not null, created_by text not null,
        revision bigint not null, mac bytea not null)`,
      `create index path_policies_by_principal on path_policies (principal_type, principal_id)`,
      `create index path_policies_by_vault on path_policies (vault_id)`,
    ],
  },
  {
    version: 4,
    name: 'sinks of the audit, and how far each is',
    statements: [
      `create table audit_sinks (
        id text primary key, key_id text not null, sealed bytea not null, set_at bigint not null,
        revision bigint not null, mac bytea not null)`,
      `create table audit_sink_cursors (
        sink text primary key, delivered bigint not null, follower text, follows_until bigint not null)`,
    ],
  },
  {
    version: 5,
    name: 'people: one-time links, sessions, passkeys, sign-in elsewhere',
    statements: [
      `create table user_links (
        id text primary key, kind text not null, email text, role text not null, user_id text,
        digest bytea not null unique, created_at bigint not null, created_by text not null,
        expires_at bigint not null, used_at bigint, revision bigint not null, mac bytea not null)`,
      `create table user_sessions (
        id text primary key, user_id text not null, digest bytea not null unique, via text not null,
        address text, agent text, created_at bigint not null, seen_at bigint not null,
        stepped_up_at bigint, ends_at bigint not null, revision bigint not null, mac bytea not null)`,
      `create index user_sessions_by_user on user_sessions (user_id)`,
      `create table passkeys (
        id text primary key, user_id text not null, credential_id text not null unique,
        public_key bytea not null, counter bigint not null, transports text not null, label text not null,
        created_at bigint not null, used_at bigint, revision bigint not null, mac bytea not null)`,
      `create index passkeys_by_user on passkeys (user_id)`,
      `create table user_identities (
        id text primary key, user_id text not null, issuer text not null, subject text not null,
        created_at bigint not null, revision bigint not null, mac bytea not null)`,
      `create unique index user_identities_by_subject on user_identities (issuer, subject)`,
      `create table sign_in_failures (
        id text primary key, failures bigint not null, last_at bigint not null, blocked_until bigint not null)`,
      `create table sign_in_challenges (
        id text primary key, kind text not null, data text not null, ends_at bigint not null)`,
      `create index sign_in_challenges_by_end on sign_in_challenges (ends_at)`,
    ],
  },
  {
    version: 6,
    name: 'approvals, webhooks and what is still to be sent to them',
    statements: [
      `create table approvals (
        id text primary key, kind text not null, requester text not null, project text, client text,
        act_digest text not null, action text not null, target_type text not null, target_id text not null,
        arguments_digest text not null, policy_revision text not null, preview text not null, reason text,
        place text, permission text, pattern text, grant_seconds bigint, grant_uses bigint,
        used bigint not null, needed bigint not null, votes text not null, status text not null,
        created_at bigint not null, expires_at bigint not null, decided_at bigint, consumed_at bigint,
        revision bigint not null, mac bytea not null)`,
      `create index approvals_by_act on approvals (requester, act_digest, status)`,
      `create index approvals_by_grant on approvals (requester, kind, status)`,
      `create index approvals_by_time on approvals (created_at, id)`,
      `create table webhooks (
        id text primary key, url text not null, events text not null, description text,
        key_id text not null, sealed bytea not null, state text not null,
        created_at bigint not null, created_by text not null, revision bigint not null, mac bytea not null)`,
      `create table webhook_deliveries (
        id text primary key, webhook_id text not null, event text not null, body text not null,
        attempts bigint not null, next_at bigint not null, state text not null, last_problem text,
        created_at bigint not null, revision bigint not null, mac bytea not null)`,
      `create index webhook_deliveries_by_time on webhook_deliveries (state, next_at)`,
      `create index webhook_deliveries_by_webhook on webhook_deliveries (webhook_id)`,
    ],
  },
  {
    version: 7,
    name: 'quotas, canaries, shares, env vars',
    statements: [
      `create table quotas (
        id text primary key, reads bigint, writes bigint, set_at bigint not null, set_by text not null,
        revision bigint not null, mac bytea not null)`,
      `create table quota_use (
        id text primary key, month text not null, reads bigint not null, writes bigint not null,
        revision bigint not null, mac bytea not null)`,
      `create table canaries (
        id text primary key, vault_id text not null, path text not null, freezes bigint not null, notes text,
        created_at bigint not null, created_by text not null, triggered bigint not null, last_at bigint,
        revision bigint not null, mac bytea not null)`,
      `create unique index canaries_by_path on canaries (vault_id, path)`,
      `create table shares (
        id text primary key, vault_id text not null, secret_id text not null, path text not null,
        recipient_type text not null, recipient text, email text, digest bytea, passphrase text,
        failures bigint not null, state text not null, reads bigint not null, max_reads bigint,
        ip_allowlist text, expires_at bigint not null, accepted_at bigint, created_at bigint not null,
        created_by text not null, created_from text, revision bigint not null, mac bytea not null)`,
      `create index shares_by_maker on shares (created_by)`,
      `create index shares_by_recipient on shares (recipient)`,
      `create table env_vars (
        id text primary key, vault_id text not null, key text not null, environments text not null,
        git_branch text, sensitive bigint not null, comment text, linked_vaults text,
        created_at bigint not null, created_by text not null, updated_at bigint not null,
        revision bigint not null, mac bytea not null)`,
      `create index env_vars_by_vault on env_vars (vault_id, key)`,
      `create table environments (
        id text primary key, vault_id text not null, slug text not null, description text, copied_from text,
        created_at bigint not null, created_by text not null, revision bigint not null, mac bytea not null)`,
      `create unique index environments_by_slug on environments (vault_id, slug)`,
    ],
  },
  {
    version: 8,
    name: 'answers to requests that may come twice',
    statements: [
      `create table idempotent_requests (
        id text primary key, request bytea not null, status bigint, answer text, mac bytea,
        ends_at bigint not null)`,
      `create index idempotent_requests_by_end on idempotent_requests (ends_at)`,
    ],
  },
  {
    version: 9,
    name: 'grants: bearers of agents for servers of the gateway',
    statements: [
      `create table grants (
        id text primary key, agent_id text not null, label text not null, server text not null,
        policies text not null, key_id text not null, prefix text not null, digest bytea not null unique,
        created_at bigint not null, created_by text not null, rotated_at bigint, expires_at bigint,
        revoked_at bigint, revision bigint not null, mac bytea not null)`,
      `create index grants_by_agent on grants (agent_id)`,
    ],
  },
  {
    version: 10,
    name: 'counters of the limits on tool calls',
    statements: [
      `create table gateway_counters (
        counter text not null, bucket bigint not null, used bigint not null, ends_at bigint not null,
        primary key (counter, bucket))`,
      `create index gateway_counters_by_end on gateway_counters (ends_at)`,
    ],
  },
  {
    version: 11,
    name: 'servers behind the gateway, and policies on their tools',
    statements: [
      `create table gateway_servers (
        name text primary key, target text not null, policies text not null, created_at bigint not null,
        created_by text not null, changed_at bigint not null, revision bigint not null, mac bytea not null)`,
      `create table gateway_policies (
        name text primary key, document text not null, created_at bigint not null, created_by text not null,
        changed_at bigint not null, changed_by text not null, revision bigint not null, mac bytea not null)`,
    ],
  },
  {
    version: 12,
    name: 'retention of the audit, checkpoints for its sinks',
    statements: [
      `create table audit_retention (
        id text primary key, keep_ms bigint, size bigint not null, frontier bytea not null,
        vouched bytea not null, pruned_at bigint, revision bigint not null, mac bytea not null)`,
      `create table audit_leaves (last bigint primary key, first bigint not null, hashes bytea not null)`,
      `create table audit_vouched (place text primary key, revision bigint not null, at bigint not null)`,
      `alter table audit_sink_cursors add column checkpoint_at bigint not null default 0`,
      `alter table audit_sink_cursors add column checkpoint_size bigint not null default 0`,
    ],
  },
  {
    version: 13,
    name: 'buckets of the limits on requests',
    statements: [],
    // Of a file of its own on SQLite. What a crash of the database takes here was worth seconds.
    onPostgres: [
      'create unlogged table rate_buckets (id text collate "C" primary key, full_at bigint not null)',
    ],
  },
  {
    version: 14,
    name: 'path policies that ask for an approval',
    statements: [`alter table path_policies add column approval text`],
  },
  {
    version: 15,
    name: 'calls through the gateway that are not over',
    statements: [
      `create table gateway_tasks (
        task text not null, who text not null, sealed bytea not null, ends_at bigint not null,
        primary key (task, who))`,
      `create index gateway_tasks_by_end on gateway_tasks (ends_at)`,
      `create table gateway_rounds (nonce text primary key, ends_at bigint not null)`,
      `create index gateway_rounds_by_end on gateway_rounds (ends_at)`,
      `create table gateway_nodes (id text primary key, sealed bytea not null, ends_at bigint not null)`,
    ],
  },
  {
    version: 16,
    name: 'logins at servers behind the gateway',
    statements: [
      `create table gateway_logins (
        server text primary key, url text not null, issuer text not null, client text not null,
        client_id text not null, scopes text not null, missing text not null, state text not null,
        key_id text not null, sealed bytea not null, expires_at bigint, created_at bigint not null,
        created_by text not null, renewed_at bigint not null, revision bigint not null, mac bytea not null)`,
      `create table gateway_login_attempts (
        id text primary key, key_id text not null, sealed bytea not null, ends_at bigint not null)`,
      `create table gateway_login_leases (
        server text primary key, holder text not null, ends_at bigint not null)`,
    ],
  },
  {
    version: 17,
    name: 'recorded calls of tools, and the keys of their days',
    statements: [
      `create table recorded_calls (
        run text not null, seq bigint not null, server text not null, day bigint not null,
        first_at bigint not null, last_at bigint not null, ends_at bigint not null, sealed bytea not null,
        primary key (run, seq))`,
      `create index recorded_calls_by_time on recorded_calls (first_at, run, seq)`,
      `create index recorded_calls_by_end on recorded_calls (ends_at)`,
      `create table recorded_days (
        day bigint primary key, key_id text not null, wrapped_by text not null, wrapped bytea not null,
        ends_at bigint not null)`,
    ],
  },
  {
    version: 18,
    name: 'what has to be where limits are counted apart from the store',
    statements: [
      `create table counter_marks (
        id bigint primary key, marker text not null, changes bigint not null, changed_at bigint not null)`,
    ],
  },
  {
    version: 19,
    name: 'how far the journal of calls is in the audit',
    statements: [
      `create table call_journal (
        id bigint primary key, generation bigint not null, name text not null, place bigint not null,
        last_at bigint not null, mac bytea not null)`,
      `create table call_places (place bigint primary key, seq bigint not null)`,
    ],
  },
  {
    version: 20,
    name: 'labels of agents, for rules on tools',
    statements: [`alter table agents add column labels text`],
  },
  {
    version: 21,
    name: 'whether the lines of a value are remembered one by one',
    statements: [
      `alter table remembered_versions add column by_line bigint not null default 0`,
      `delete from fingerprints where variant = 'pem-line'`,
    ],
  },
]

/** Every table in the order in which a backup loads them. */
export const TABLES = [
  'seal',
  'keys',
  'rights',
  'vaults',
  'secrets',
  'versions',
  'sealed_values',
  'remembered_versions',
  'fingerprints',
  'known_versions',
  'known_revision',
  'trusted_files',
  'tokens',
  'presence',
  'organisation',
  'users',
  'user_keys',
  'user_links',
  'user_sessions',
  'passkeys',
  'user_identities',
  'sign_in_failures',
  'sign_in_challenges',
  'agents',
  'workload_rules',
  'grants',
  'ended_tokens',
  'shown_proofs',
  'freezes',
  'path_policies',
  'quotas',
  'quota_use',
  'canaries',
  'shares',
  'env_vars',
  'environments',
  'audit_sinks',
  'audit_sink_cursors',
  'approvals',
  'webhooks',
  'webhook_deliveries',
  'idempotent_requests',
  'gateway_servers',
  'gateway_policies',
  'gateway_logins',
  'gateway_login_attempts',
  'gateway_login_leases',
  'gateway_counters',
  'counter_marks',
  'gateway_tasks',
  'gateway_rounds',
  'gateway_nodes',
  'recorded_calls',
  'recorded_days',
  'audit_retention',
  'audit_leaves',
  'audit_vouched',
  'audit_tree',
  'audit_records',
] as const
