export interface Instruction {
  readonly name: string
  /** What follows the name, on one line. */
  readonly text: string
  readonly line: number
}

export interface Stage {
  readonly image: string
  readonly instructions: readonly Instruction[]
}

/** The stages of a Dockerfile; comments are left out, continued lines are joined. */
export function stagesOf(dockerfile: string): readonly Stage[] {
  const stages: { image: string; instructions: Instruction[] }[] = []
  const lines = dockerfile.split('\n')
  for (let index = 0; index < lines.length; index += 1) {
    const line = index + 1
    let text = lines[index] ?? ''
    if (/^\s*(?:#|$)/.test(text)) continue
    while (text.endsWith('\\')) {
      index += 1
      const next = lines[index] ?? ''
      text = text.slice(0, -1) + (/^\s*#/.test(next) ? '\\' : next)
    }
    const [, name = '', rest = ''] = /^\s*([A-Za-z]+)\s+(.*)$/.exec(text) ?? []
    if (name.toUpperCase() === 'FROM')
      stages.push({ image: rest.split(/\s+/)[0] ?? '', instructions: [] })
    else
      stages
        .at(-1)
        ?.instructions.push({ name: name.toUpperCase(), text: rest.replaceAll(/\s+/g, ' '), line })
  }
  return stages
}

const KNOWN = 'COPY RUN ENV WORKDIR USER VOLUME EXPOSE STOPSIGNAL HEALTHCHECK ENTRYPOINT CMD'.split(
  ' ',
)
/** Every layer of an image is read by whoever has it: no variable of it may hold something secret. */
const SECRET_NAME = /PASS|SECRET|TOKEN|CREDENTIAL|API_KEY|DATABASE_URL|PRIVATE/i
const PINNED = /^[\w./-]+:\d+\.\d+(?:\.\d+)?(?:-[\w.]+)?(?:@sha256:[0-9a-f]{64})?$/

/** What is wrong with a Dockerfile, one line each. */
export function dockerfileProblems(dockerfile: string): readonly string[] {
  const problems: string[] = []
  const stages = stagesOf(dockerfile)
  for (const { image } of stages)
    if (!PINNED.test(image)) problems.push(`the image ${image} is not pinned to a version`)
  for (const { name, text, line } of stages.flatMap(({ instructions }) => instructions)) {
    const say = (what: string): number => problems.push(`line ${line}: ${what}`)
    if (!KNOWN.includes(name)) say(`${name} is not used here`)
    if (['RUN', 'CMD', 'ENTRYPOINT'].includes(name) && !isList(text)) say(`${name} goes by a shell`)
    if (name === 'HEALTHCHECK' && !isList(text.replace(/^.*?CMD /, '')))
      say('HEALTHCHECK goes by a shell')
    if (name === 'COPY' && /(?:^|\s)\.{1,2}\/?\s/.test(text)) say('COPY takes the whole context')
    if (name === 'WORKDIR' && !text.startsWith('/')) say('WORKDIR is not absolute')
    if (name === 'ENV' && SECRET_NAME.test(text)) say('ENV holds something secret')
    if (/\bsudo\b|\bcurl\b|\bwget\b|--unsafe-perm/.test(text)) say(`${name} fetches or rises`)
  }
  const last = stages.at(-1)?.instructions ?? []
  const user = last.findLast(({ name }) => name === 'USER')?.text ?? ''
  if (!/^[1-9]\d*(?::[1-9]\d*)?$/.test(user)) problems.push('it runs as root, or as a bare name')
  for (const needed of ['HEALTHCHECK', 'ENTRYPOINT', 'CMD'])
    if (last.filter(({ name }) => name === needed).length !== 1)
      problems.push(`${needed} stands once in the last stage`)
  const afterUser = last.slice(last.findIndex(({ name }) => name === 'USER') + 1)
  for (const { name, line } of afterUser)
    if (name === 'COPY' || name === 'RUN') problems.push(`line ${line}: ${name} after USER`)
  return problems
}

function isList(text: string): boolean {
  try {
    const list: unknown = JSON.parse(text)
    return Array.isArray(list) && list.every((one) => typeof one === 'string')
  } catch {
    return false
  }
}

interface ComposeService {
  readonly image?: string
  readonly build?: unknown
  readonly environment?: Readonly<Record<string, string>>
  readonly ports?: readonly string[]
  readonly read_only?: boolean
  readonly cap_drop?: readonly string[]
  readonly security_opt?: readonly string[]
  readonly privileged?: boolean
  readonly volumes?: readonly string[]
  readonly command?: readonly string[]
  readonly secrets?: readonly string[]
  readonly mem_limit?: string
  readonly pids_limit?: number
}

export interface Compose {
  readonly services: Readonly<Record<string, ComposeService>>
  readonly secrets: Readonly<Record<string, { readonly file?: string }>>
}

/** What is wrong with a compose file, one line each. */
export function composeProblems({ services, secrets }: Compose): readonly string[] {
  const problems: string[] = []
  for (const [name, service] of Object.entries(services)) {
    const say = (what: string): number => problems.push(`${name}: ${what}`)
    if (service.build === undefined && !PINNED.test(service.image ?? '')) say('image is not pinned')
    if (service.read_only !== true) say('its root file system can be written')
    if (service.privileged !== undefined) say('privileged')
    if (service.cap_drop?.join() !== 'ALL') say('it keeps capabilities')
    if (service.security_opt?.includes('no-new-privileges:true') !== true) say('it may rise')
    if (service.mem_limit === undefined || service.pids_limit === undefined) say('it has no limits')
    for (const [variable, value] of Object.entries(service.environment ?? {}))
      if (SECRET_NAME.test(variable) && !(variable.endsWith('_FILE') && isMounted(value)))
        say(`${variable} holds something secret`)
    for (const port of service.ports ?? [])
      if (!/^127\.0\.0\.1:\d+:\d+$/.test(port)) say(`port ${port} is open to the network`)
    for (const volume of service.volumes ?? [])
      if (/^[./~]/.test(volume)) say(`${volume} is a folder of the host`)
    for (const secret of service.secrets ?? [])
      if (secrets[secret]?.file === undefined) say(`the secret ${secret} is no file`)
  }
  return problems
}

function isMounted(value: string): boolean {
  return value.startsWith('/run/secrets/')
}
