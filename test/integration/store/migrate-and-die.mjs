/**
 * Migrates the database `argv[2]` and KILLs itself before statement number `argv[3]`; prints
 * `done` when there was no such statement. Run as `bundled` makes it.
 */
import { parseAddress } from '../../../src/store/address.ts'
import { openDatabase } from '../../../src/store/dialect.ts'
import { migrate } from '../../../src/store/migrate.ts'

const [, , url, last] = process.argv
const address = parseAddress(url)
let statements = 0

const mortal = {
  transformQuery({ node }) {
    statements += 1
    if (statements === Number(last)) process.kill(process.pid, 'SIGKILL')
    return node
  },
  transformResult: ({ result }) => Promise.resolve(result),
}

const db = openDatabase(address)
await migrate(db.withPlugin(mortal), address.kind)
await db.destroy()
console.log('done')
