import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import type { Environment } from '../../config/config.ts'
import { runTool } from '../../lib/tool.ts'

/** Where a program is: a path is taken as it is, a bare name is looked up in the PATH. */
export function findProgram(name: string, env: Environment): string | undefined {
  if (name.includes('/')) return runs(name) ? name : undefined
  const folders = (env['PATH'] ?? '').split(delimiter).filter(folder => folder !== '')
  return folders.map(folder => join(folder, name)).find(runs)
}

function runs(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return statSync(file).isFile()
  } catch {
    return false
  }
}

const LIMIT_MS = 5000

/** What a program writes, or undefined when it fails or takes too long. */
export async function outputOf(file: string, args: readonly string[]): Promise<string | undefined> {
  const run = await runTool(file, args, LIMIT_MS)
  return run.ok ? run.stdout.trim() : undefined
}
