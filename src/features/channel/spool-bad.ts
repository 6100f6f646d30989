import { open, readdir, rename, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { syncFolder } from '../../lib/sync-folder.ts'

const ENDING = '.bad'

export interface BadFiles {
  readonly count: number
  readonly bytes: number
}

/** Counts the files that were set aside; people look at them and remove them. */
export async function countBad(dir: string): Promise<BadFiles> {
  const names = (await readdir(dir)).filter(name => name.endsWith(ENDING))
  let bytes = 0
  for (const name of names)
    bytes += await stat(join(dir, name)).then(
      found => found.size,
      () => 0,
    )
  return { count: names.length, bytes }
}

/** Whole or not at all, and on the disk when it resolves. */
export async function writeBad(dir: string, name: string, content: Uint8Array): Promise<void> {
  const safe = name.replace(/[^\w.-]/g, '_').slice(0, 180)
  const path = join(dir, `${safe}${ENDING}`)
  const part = `${path}.part`
  try {
    const file = await open(part, 'w', 0o600)
    try {
      await file.writeFile(content)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(part, path)
  } catch (error) {
    await unlink(part).catch(() => undefined)
    throw error
  }
  await syncFolder(dir)
}
