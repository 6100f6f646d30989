import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

export interface User {
  readonly name: string
  readonly uid: number
  readonly gid: number
  readonly home: string
}

const run = promisify(execFile)
const known = new Map<string, Promise<User>>()

/**
 * Looks a user up as the system does (files, LDAP, …), once.
 * @param name a user name or a uid
 * @throws Error when there is none
 */
export function lookUpUser(name: string): Promise<User> {
  let found = known.get(name)
  if (!found) {
    found = getent(name)
    known.set(name, found)
    found.catch(() => known.delete(name))
  }
  return found
}

async function getent(name: string): Promise<User> {
  const { stdout } = await run('getent', ['passwd', name]).catch(() => ({ stdout: '' }))
  const [login, , uid, gid, , home] = stdout.trim().split(':')
  if (login === undefined || uid === undefined || gid === undefined || stdout === '')
    throw new Error(`no such user: ${name}`)
  return { name: login, uid: Number(uid), gid: Number(gid), home: home ?? '/' }
}
