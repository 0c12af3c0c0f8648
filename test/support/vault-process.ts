import { isFault } from '../../src/core/faults.ts'
import { epochMs } from '../../src/core/time.ts'
import { createKeyAdmin, createTrust } from '../../src/vault/index.ts'
import { openTestVault, PERSON } from './vault.ts'
import { secret } from './vault-stores.ts'

// A vault in a process of its own: `vault-process.ts HOME ORDER [TIMES [PROJECT or DATE]]`. Says `ready` once it is open, then what came
// of it, as lines on standard output.
const [home = '', order = '', times = '1', project = ''] = process.argv.slice(2)
const say = (text: string): void => void process.stdout.write(`${text}\n`)

async function main(): Promise<void> {
  const vault = await openTestVault({ home })
  say('ready')
  const admin = createKeyAdmin({ ...vault, writeChoice: () => Promise.resolve() })
  for (let i = 0; i < Number(times); i += 1)
    switch (order) {
      case 'rotate':
        await vault.vault.rotateGenerated(PERSON, 'default', { path: 'p' })
        break
      case 'rotate-keys':
        await admin.rotate()
        break
      case 'rekey':
        await admin.rekey()
        break
      case 'allow': {
        const trust = createTrust(vault)
        await trust.allow(PERSON, await trust.standing(project))
        break
      }
      case 'disallow':
        await createTrust(vault).revoke(PERSON, project)
        break
      case 'fill': {
        const value = secret('x'.repeat(60_000))
        const { version } = await vault.vault.put(PERSON, 'default', { path: `f/${i}`, value })
        say(`stored f/${i} ${version}`)
        break
      }
      case 'prune': {
        const { pruned } = await vault.audit.prune(PERSON, epochMs(Date.parse(project)))
        say(`pruned ${pruned}`)
        break
      }
      default:
        throw new Error(`unknown order ${order}`)
    }
  await vault.close()
  say('done')
}

main().catch((error: unknown) => {
  say(isFault(error) ? `fault ${error.code} ${error.message}` : String(error))
  process.exitCode = 1
})
