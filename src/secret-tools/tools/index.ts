import type { UnboundTool } from '../secret-tool.ts'
import { createVault } from './create_vault.ts'
import { deleteSecret } from './delete_secret.ts'
import { describeSecret } from './describe_secret.ts'
import { getApprovalStatus } from './get_approval_status.ts'
import { getEnvBundle } from './get_env_bundle.ts'
import { getSecret } from './get_secret.ts'
import { grantAccess } from './grant_access.ts'
import { inputSecret } from './input_secret.ts'
import { listSecrets } from './list_secrets.ts'
import { listVaults } from './list_vaults.ts'
import { listVersions } from './list_versions.ts'
import { putSecret } from './put_secret.ts'
import { requestApproval } from './request_approval.ts'
import { rotateAndStore } from './rotate_and_store.ts'
import { rotateGenerate } from './rotate_generate.ts'
import { searchSecrets } from './search_secrets.ts'
import { setSecret } from './set_secret.ts'
import { shareSecret } from './share_secret.ts'

export { inspectContent } from './inspect_content.ts'

/** In the order in which they are listed. */
export const TOOLS: readonly UnboundTool[] = [
  listSecrets,
  getSecret,
  inputSecret,
  putSecret,
  setSecret,
  describeSecret,
  searchSecrets,
  deleteSecret,
  rotateAndStore,
  rotateGenerate,
  getEnvBundle,
  listVersions,
  listVaults,
  createVault,
]

/** Listed where there are people who can be asked. */
export const APPROVAL_TOOLS: readonly UnboundTool[] = [requestApproval, getApprovalStatus]

/** Listed where access can be granted. */
export const GRANTING_TOOLS: readonly UnboundTool[] = [grantAccess]

/** Listed where secrets can be shared. */
export const SHARING_TOOLS: readonly UnboundTool[] = [shareSecret]
