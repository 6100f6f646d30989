import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { end, timed, which } from './proc.mjs'

/**
 * Vixie cron with our crontab and nobody else's: in a mount namespace of its own, where the
 * places it reads are ours. Undefined where that cannot be had (it takes root).
 */
export async function startVixie(ctx, stamp, file, jobs) {
  const cron = which('cron')
  const unshare = which('unshare')
  if (!cron || !unshare || process.getuid() !== 0) return undefined
  const folder = mkdtempSync(join(ctx.folder, 'vixie-'))
  const empty = join(folder, 'empty')
  const table = join(folder, 'crontab')
  mkdirSync(empty)
  writeFileSync(
    table,
    Array.from({ length: jobs }, (_, n) => `* * * * * root ${stamp} ${file} vixie-${n}\n`).join(''),
  )
  const inside = `mount --bind "$1" /etc/cron.d && mount --bind "$1" /var/spool/cron &&
    mount --bind "$2" /etc/crontab && mount -t tmpfs tmpfs /run`
  const flags = ['-m', '--propagation', 'private', 'sh', '-c']
  const probe = await timed(unshare, [...flags, inside, 'sh', empty, table])
  if (probe.code !== 0) return undefined
  const child = spawn(unshare, [...flags, `${inside} && exec "$3" -f`, 'sh', empty, table, cron], {
    stdio: 'ignore',
  })
  ctx.onEnd(() => end(child))
  return { stop: () => end(child) }
}
