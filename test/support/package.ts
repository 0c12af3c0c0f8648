import { spawn } from 'node:child_process'
import { cp, mkdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '..', '..')

/**
 * Makes the package as it is published: launcher and bundle, and no sources that the launcher would compare with.
 *
 * @param modules where it is written which modules each file of the bundle holds
 * @returns the launcher
 */
export async function packInto(folder: string, modules?: string): Promise<string> {
  await mkdir(folder)
  await Promise.all([
    cp(join(ROOT, 'bin'), join(folder, 'bin'), { recursive: true }),
    cp(join(ROOT, 'package.json'), join(folder, 'package.json')),
    symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules')),
  ])
  const build = [join(ROOT, 'scripts', 'build.ts'), '--out', join(folder, 'dist')]
  if (modules !== undefined) build.push('--modules', modules)
  const child = spawn(process.execPath, build, { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  const code = await new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', resolve)
  })
  if (code !== 0) throw new Error(`the build ended with ${String(code)}: ${said}`)
  return join(folder, 'bin', 'sallyport.mjs')
}
