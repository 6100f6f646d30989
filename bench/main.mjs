#!/usr/bin/env node
// npm run bench: taskd's figures beside those of others, taken in the same run.
//   node bench/main.mjs [--only latency,spawn] [--quick] [--taskd FILE]
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { conditions, failedLine, HEAD, lineOf } from './lib/report.mjs'
import { makeStamp } from './lib/stamp.mjs'
import { median } from './lib/stats.mjs'
import { agents } from './rows/agents.mjs'
import { fill } from './rows/fill.mjs'
import { http } from './rows/http.mjs'
import { imports } from './rows/imports.mjs'
import { latency } from './rows/latency.mjs'
import { memory } from './rows/memory.mjs'
import { programs, thousand } from './rows/programs.mjs'
import { pull } from './rows/pull.mjs'
import { recovery } from './rows/recovery.mjs'
import { sources } from './rows/sources.mjs'
import { php, spawn } from './rows/spawn.mjs'
import { status } from './rows/status.mjs'
import { minutes, ticks } from './rows/ticks.mjs'

const PARTS = [
  spawn,
  php,
  latency,
  ticks,
  minutes,
  recovery,
  programs,
  thousand,
  memory,
  status,
  fill,
  http,
  pull,
  agents,
  sources,
  imports,
]

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    quick: { type: 'boolean', default: false },
    taskd: { type: 'string', default: fileURLToPath(new URL('../bin/taskd', import.meta.url)) },
  },
})

const wanted = values.only?.split(',')
const unknown = wanted?.find(name => !PARTS.some(part => part.name === name))
if (unknown !== undefined) {
  console.error(`no part named ${unknown}; there are ${PARTS.map(part => part.name).join(', ')}`)
  process.exit(2)
}

const folder = mkdtempSync(join(tmpdir(), 'taskd-bench-'))
const endings = []
const appended = []
const ctx = {
  quick: values.quick,
  rounds: values.quick ? 2 : 5,
  /** How long the whole run may wait for calm moments. */
  patienceMs: values.quick ? 10_000 : 600_000,
  taskd: values.taskd,
  folder,
  stamp: makeStamp(folder),
  noise: [],
  onEnd: act => endings.push(act),
  append: text => appended.push(text),
  say: text => console.error(`  ${text}`),
  without: program => {
    console.error(`  ${program} is not installed; left out`)
    return []
  },
}

/** What a part has started and not ended itself. */
async function endAll() {
  for (const act of endings.splice(0).toReversed())
    try {
      await act()
    } catch {
      // What it was about has ended already; the others are to end as well.
    }
}

let cleaned
/** Ends what we started, last first, and takes our folder away. */
function cleanUp() {
  cleaned ??= (async () => {
    await endAll()
    rmSync(folder, { recursive: true, force: true })
  })()
  return cleaned
}
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, abandon)
process.once('uncaughtException', abandon)

async function giveUp(why) {
  if (cleaned === undefined) console.error(why)
  await cleanUp()
  process.exit(1)
}

function abandon(why) {
  void giveUp(why)
}

const failed = []
try {
  console.log(`${conditions(ctx)}\n\n${HEAD}`)
  for (const part of PARTS) {
    if (wanted ? !wanted.includes(part.name) : part.slow && values.quick) continue
    console.error(part.name)
    ctx.noise = []
    // Row by row: one that fails costs itself alone.
    try {
      for (const row of await part.run(ctx))
        console.log(lineOf({ ...row, noise: median(ctx.noise) }))
    } catch (error) {
      failed.push(part.name)
      console.error(error)
      console.log(failedLine(part.name, error))
      await endAll()
    }
  }
  for (const text of appended) console.log(`\n${text}`)
} finally {
  await cleanUp()
}
if (failed.length > 0) {
  console.error(`not measured: ${failed.join(', ')}; again with --only ${failed.join(',')}`)
  process.exitCode = 1
}
