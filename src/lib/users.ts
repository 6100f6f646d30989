import { runTool } from './tool.ts'

export interface User {
  readonly name: string
  readonly uid: number
  readonly gid: number
  readonly home: string
}

/** Long enough for a directory on the network. */
const LIMIT_MS = 10_000
/** What getent(1) exits with when there is no such entry. */
const NO_ENTRY = 2

const known = new Map<string, Promise<User>>()

/**
 * Looks a user up as the system does (files, LDAP, …), once.
 * @param name a user name or a uid
 * @throws Error when there is none, or when getent does not tell
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
  const found = await runTool('getent', ['passwd', name], LIMIT_MS)
  if (!found.ok && found.exitCode !== NO_ENTRY)
    throw new Error(`user ${name} cannot be looked up: ${found.reason}`)
  const [login, , uid, gid, , home] = (found.ok ? found.stdout : '').trim().split(':')
  if (login === undefined || uid === undefined || gid === undefined)
    throw new Error(`no such user: ${name}`)
  return { name: login, uid: Number(uid), gid: Number(gid), home: home ?? '/' }
}
