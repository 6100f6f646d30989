import { type Address, readDatabaseAddress } from '../lib/database-address.ts'
import { TaskdError } from '../lib/errors.ts'

export { type Address, describeAddress, type ServerAddress } from '../lib/database-address.ts'

/** @throws TaskdError E_DATABASE_URL; the message never holds the password */
export function parseAddress(url: string): Address {
  const read = readDatabaseAddress(url)
  if (read.ok) return read.value
  const scheme = /^\w+:/.exec(url)?.[0] ?? url.slice(0, 20)
  throw new TaskdError('E_DATABASE_URL', `database: ${scheme}… ${read.reason}`, read.hint)
}
