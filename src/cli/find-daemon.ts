import { readFileSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Environment } from '../config/config.ts'
import { decode } from '../config/decode.ts'
import { Report } from '../config/diagnostics.ts'
import { placesOf } from '../config/paths.ts'
import { readIni } from '../config/read-ini.ts'
import type { Section } from '../config/section.ts'

/**
 * Finding the daemon must be quick, and must work while the configuration has a mistake that the
 * running daemon has never seen. So this reads two keys and judges nothing.
 */

/** The control socket of the daemon that runs on this file. */
export async function findSocket(file: string, env: Environment): Promise<string> {
  const quick = quickSocket(file, env)
  if (quick !== undefined) return quick
  const { exactSocket } = await import('./exact-socket.ts')
  return exactSocket(file, env)
}

/** Larger files take longer to read than the schemas to load. */
const MAX_BYTES = 1 << 20

/** Undefined for a file that does not stand alone: with includes, overlays, or no plain file at all. */
export function quickSocket(file: string, env: Environment): string | undefined {
  const { folder, dataDir } = placesOf(file)
  const variable = (name: string) => env[name]?.trim() || undefined
  const named = variable('TASKD_SOCKET')
  if (named !== undefined) return resolve(folder, named)
  const taskd = env['APP_ENV'] ? undefined : readTaskd(file)
  if (taskd === undefined) return undefined
  const written = (key: string) => taskd.get(key)?.value || undefined
  const socket = written('socket')
  if (socket !== undefined) return resolve(folder, socket)
  const data = variable('TASKD_DATA_DIR') ?? written('data_dir') ?? dataDir
  return resolve(folder, data, 'taskd.sock')
}

function readTaskd(file: string): Section['entries'] | undefined {
  const stat = statSync(file, { throwIfNoEntry: false })
  if (stat === undefined || !stat.isFile() || stat.size > MAX_BYTES) return undefined
  let bytes: Buffer
  try {
    bytes = readFileSync(file)
  } catch {
    return undefined
  }
  const decoded = decode(bytes)
  if (!decoded.ok) return undefined
  const sections = readIni(decoded.text, file, new Report())
  if (sections.some(section => section.kind === 'include')) return undefined
  return sections.find(section => section.kind === 'taskd')?.entries ?? new Map()
}
