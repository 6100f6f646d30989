import { parseArgs } from 'node:util'
import { FAULTS } from './faults.ts'
import { runNemesis } from './nemesis.ts'
import { tell } from './report.ts'
import { scheduleOf } from './schedule.ts'
import { NODES } from './world.ts'

/** `npm run nemesis -- --seed N --minutes M`. Exit codes: 0 nothing found, 1 violations, 2 bad usage. */

const USAGE = 'usage: npm run nemesis -- [--seed N] [--minutes M] [--only WORDS] [--dry-run]'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: String(1 + Math.floor(Math.random() * 999_999)) },
    minutes: { type: 'string', default: '1' },
    only: { type: 'string', default: '' },
    'dry-run': { type: 'boolean', default: false },
  },
})
const seed = Number(values.seed)
const minutes = Number(values.minutes)
if (!Number.isSafeInteger(seed) || !(minutes > 0)) {
  console.error(USAGE)
  process.exit(2)
}
const kinds = FAULTS.filter(kind => kind.name.includes(values.only))
if (kinds.length === 0) {
  console.error(`no fault has ${values.only} in its name; there are`)
  console.error(FAULTS.map(kind => kind.name).join(', '))
  process.exit(2)
}
if (values['dry-run']) {
  for (const { atMs, fault, forMs, node } of scheduleOf(seed, minutes, kinds, NODES))
    console.log(`${(atMs / 1000).toFixed(1).padStart(8)} s  ${fault} (${node}), ${forMs} ms`)
  process.exit(0)
}
// What was started and mounted goes at the exit, which ^C alone would not have.
process.once('SIGINT', () => process.exit(130))
const print = (line: string) => console.log(line)
const { violations, folder } = await runNemesis({ seed, minutes, only: values.only, print })
for (const line of tell(violations)) print(line)
if (violations.length > 0) {
  print(`seed ${seed}: ${violations.length} violations; ledger, logs and history: ${folder}`)
  process.exit(1)
}
print(`seed ${seed}: nothing found in ${minutes} min`)
process.exit(0)
