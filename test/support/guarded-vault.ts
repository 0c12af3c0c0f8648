import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { AuditEntry } from '../../src/core/admin-port.ts'
import { SecretText } from '../../src/core/secret-text.ts'
import { createBackups, createTokens, createTrust } from '../../src/vault/index.ts'
import { setPresence } from './presence.ts'
import { openTestVault, PERSON } from './vault.ts'

/** A vault that a person has set up: secrets, an allowed project, a token, a backup, and the presence passphrase. */
export interface GuardedVault {
  readonly home: string
  /** Folder whose approved list names `api/*`; its `.env` refers to `db/key`, which the list does not name. */
  readonly project: string
  /** Folder with a list that nobody approved. */
  readonly stranger: string
  readonly passphrase: string
  readonly values: Readonly<Record<'api/key' | 'db/key', string>>
  readonly tokenId: string
  readonly backup: { readonly file: string; readonly recoveryKey: string }
  /** Folder that stands first in the PATH of an attacker: dialogs that would answer with the right passphrase. */
  readonly fakes: { readonly folder: string; readonly log: string }
  /** A copy of the vault, for one attack. @returns its home */
  copy(): string
  remove(): void
}

const FAKES = ['zenity', 'kdialog', 'pinentry', 'pinentry-gtk-2', 'osascript', 'pkcheck', 'stty']

/** @param hasPassphrase false for a vault whose person has not set one */
export async function guardedVault(hasPassphrase = true): Promise<GuardedVault> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'sallyport-guarded-')))
  const at = (name: string): string => join(folder, name)
  const passphrase = `correct ${randomBytes(9).toString('hex')} staple`
  const values = {
    'api/key': `api-${randomBytes(12).toString('hex')}`,
    'db/key': `db-${randomBytes(12).toString('hex')}`,
  }
  for (const name of ['project', 'stranger', 'bin']) mkdirSync(at(name))
  writeFileSync(at('project/.sallyport.yml'), 'allow:\n  - "api/*"\n')
  writeFileSync(at('project/.env'), 'KEY=secret://db/key\n')
  writeFileSync(at('stranger/.sallyport.yml'), 'allow:\n  - "**"\n')
  writeFakes(at('bin'), at('fakes.log'), passphrase)

  const home = at('home')
  const stack = await openTestVault({ home })
  try {
    for (const [path, value] of Object.entries(values))
      await stack.vault.put(PERSON, 'default', { path, value: SecretText.fromText(value) })
    const trust = createTrust(stack)
    await trust.allow(PERSON, await trust.standing(at('project')))
    const { info } = await (await createTokens(stack)).create('client', null)
    if (hasPassphrase) await setPresence(stack, passphrase)
    const file = at('backup')
    const { recoveryKey } = await createBackups(stack).backup(file, 'recovery-key')
    return {
      home,
      project: at('project'),
      stranger: at('stranger'),
      passphrase,
      values,
      tokenId: info.id,
      backup: { file, recoveryKey: recoveryKey!.reveal() },
      fakes: { folder: at('bin'), log: at('fakes.log') },
      copy() {
        const copied = mkdtempSync(at('copy-'))
        // With its modes: a key file that others could read is refused.
        execFileSync('cp', ['-a', `${home}/.`, copied])
        return copied
      },
      remove: () => rmSync(folder, { recursive: true, force: true }),
    }
  } finally {
    await stack.close()
  }
}

function writeFakes(folder: string, log: string, answer: string): void {
  const script = `#!/bin/sh\necho "$0" >> '${log}'\necho '${answer}'\n`
  for (const name of FAKES) writeFileSync(join(folder, name), script, { mode: 0o755 })
}

/** What the gate protects, as it is stored: everything but the audit, its keys, and the count of wrong answers. */
export function protectedRows(home: string): readonly unknown[] {
  const db = new DatabaseSync(join(home, 'data', 'vault.db'))
  try {
    return [
      'select * from seal',
      "select * from keys where purpose <> 'audit-mac' order by id",
      'select * from vaults order by id',
      'select * from secrets order by id',
      'select * from versions order by secret_id, version',
      'select * from sealed_values order by secret_id, version',
      'select * from trusted_files order by id',
      'select * from tokens order by id',
      'select record, set_at, changed_at, exempt from presence',
    ].map((sql) => db.prepare(sql).all())
  } finally {
    db.close()
  }
}

/** Opens a vault as the person would and looks: records after `seq`, oldest first, and whether the audit is whole. */
export async function auditAfter(
  home: string,
  seq: number,
): Promise<{ readonly entries: readonly AuditEntry[]; readonly isWhole: boolean }> {
  const stack = await openTestVault({ home })
  try {
    const { ok } = await stack.audit.verify()
    const entries = await stack.audit.query({ limit: 1000 })
    return { entries: entries.filter((one) => one.seq > seq).toReversed(), isWhole: ok }
  } finally {
    await stack.close()
  }
}
