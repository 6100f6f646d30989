/**
 * Migrates the database `argv[2]` and KILLs itself before statement number `argv[3]`; prints
 * `done` when there was no such statement. Plain JavaScript, because it runs what is built.
 */
import { parseAddress } from '../../../dist/store/address.js'
import { openDatabase } from '../../../dist/store/dialect.js'
import { migrate } from '../../../dist/store/migrate.js'

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
