import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { spread } from '../lib/stats.mjs'

const run = promisify(execFile)
const PACKAGES = [
  'bullmq',
  'ioredis',
  'zod',
  'pino',
  'hono',
  '@hono/node-server',
  'kysely',
  'libsql',
  'mysql2',
  'pg',
  'cron-parser',
  'commander',
  'pidusage',
  'lossless-json',
]

/** What loading each package costs a process, which is why most are loaded when they are needed. */
export const imports = {
  name: 'imports',
  slow: true,
  async run(ctx) {
    const figures = new Map(PACKAGES.map(name => [name, { ms: [], mb: [] }]))
    for (let round = 0; round < ctx.rounds; round += 1)
      for (const [name, { ms, mb }] of figures) {
        const cost = await costOf(name)
        ms.push(cost.ms)
        mb.push(cost.mb)
      }
    const lines = [...figures].map(
      ([name, { ms, mb }]) => `| ${name} | ${spread(ms, 0)} | ${spread(mb, 1)} |`,
    )
    ctx.append(['| import | ms | MB (RSS) |', '|---|---|---|', ...lines].join('\n'))
    return []
  },
}

async function costOf(name) {
  const script = `
    const { memoryUsage } = process
    const before = { mb: memoryUsage.rss(), at: performance.now() }
    await import(${JSON.stringify(name)})
    const after = { mb: memoryUsage.rss(), at: performance.now() }
    console.log(JSON.stringify({ ms: after.at - before.at, mb: (after.mb - before.mb) / 2 ** 20 }))`
  const flags = ['--max-semi-space-size=4', '--v8-pool-size=0', '--input-type=module', '-e']
  const { stdout } = await run(process.execPath, [...flags, script])
  return JSON.parse(stdout)
}
