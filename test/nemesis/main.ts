import { parseArgs } from 'node:util'
import { runNemesis } from './nemesis.ts'
import { tell } from './report.ts'

/** `npm run nemesis -- --seed N --minutes M [--only NAME]`. Exit codes: 0 well, 1 found, 2 usage. */

const USAGE = 'usage: npm run nemesis -- [--seed N] [--minutes M] [--only PART-OF-A-FAULTS-NAME]'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: String(1 + Math.floor(Math.random() * 999_999)) },
    minutes: { type: 'string', default: '1' },
    only: { type: 'string', default: '' },
  },
})
const seed = Number(values.seed)
const minutes = Number(values.minutes)
if (!Number.isSafeInteger(seed) || !(minutes > 0)) {
  console.error(USAGE)
  process.exit(2)
}
const print = (line: string) => console.log(line)
const { violations, folder } = await runNemesis({ seed, minutes, only: values.only, print })
for (const line of tell(violations)) print(line)
if (violations.length > 0) {
  print(`seed ${seed}: ${violations.length} violations; ledger, logs and history: ${folder}`)
  process.exit(1)
}
print(`seed ${seed}: nothing found in ${minutes} min`)
process.exit(0)
