// Opens streams and says what each takes: node --expose-gc … <folder> <count>
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

const { Logs } = await import('../../../src/logs/logs.ts')
const { realClock } = await import('../../../src/lib/clock.ts')
const [, , dir, count] = process.argv
const streams = Number(count)
const log = { info: () => undefined, warn: text => console.error(text) }
const logs = new Logs({ clock: realClock, log, folder: join(dir, 'run') })
const open = async n => {
  const path = join(dir, 'many', `${n}.log`)
  const rules = { maxBytes: 1 << 20, backups: 10, gzip: true, timestamps: true }
  const output = logs.open({ kind: 'file', path, through: 'pipe', ...rules })
  const lent = await output.descriptor()
  lent.release()
  return output
}
// The first ones pay for code and buffers that all share.
const first = await Promise.all(Array.from({ length: 20 }, (_, n) => open(`first-${n}`)))
await delay(200)
globalThis.gc()
const before = process.memoryUsage.rss()
const outputs = await Promise.all(Array.from({ length: streams }, (_, n) => open(n)))
await delay(300)
globalThis.gc()
const bytesEach = Math.round((process.memoryUsage.rss() - before) / streams)
const used = process.cpuUsage()
await delay(1000)
const { user, system } = process.cpuUsage(used)
process.stdout.write(JSON.stringify({ bytesEach, cpuMs: (user + system) / 1000 }))
await Promise.all([...first, ...outputs].map(one => one.close()))
await logs.stop()
