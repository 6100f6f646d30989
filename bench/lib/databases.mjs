import { execFileSync, spawn } from 'node:child_process'
import { chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { end, until, which } from './proc.mjs'

/**
 * Databases of our own, by name: each a function that starts one and gives the address of a database
 * on it, or undefined where it is not installed. They wait for the disk as they do for anybody.
 */
export const DATABASES = { SQLite: sqlite, MariaDB: mariadb, PostgreSQL: postgres }

async function sqlite(ctx) {
  return { url: `sqlite:${join(mkdtempSync(join(ctx.folder, 'sqlite-')), 'app.db')}` }
}

async function mariadb(ctx) {
  const [server, install] = ['mariadbd', 'mariadb-install-db'].map(which)
  if (!server || !install) return undefined
  const folder = mkdtempSync(join(ctx.folder, 'maria-'))
  const socket = join(folder, 'maria.sock')
  const user = process.getuid?.() === 0 ? ['--user=root'] : []
  const common = ['--no-defaults', ...user, `--datadir=${join(folder, 'data')}`]
  const options = ['--auth-root-authentication-method=normal', '--skip-test-db']
  execFileSync(install, [...common, ...options], { stdio: 'ignore', cwd: folder })
  const args = [...common, '--skip-networking', `--socket=${socket}`]
  const child = spawn(server, args, { stdio: 'ignore' })
  ctx.onEnd(() => end(child))
  await until('mariadbd', () => existsSync(socket))
  return { url: `mysql://root@localhost/bench?socketPath=${encodeURIComponent(socket)}` }
}

async function postgres(ctx) {
  const bin = postgresFolder()
  if (!bin) return undefined
  // Not in our folder, which is closed to the user that it must run as.
  const folder = mkdtempSync(join(tmpdir(), 'taskd-bench-pg-'))
  ctx.onEnd(() => rmSync(folder, { recursive: true, force: true }))
  const data = join(folder, 'data')
  mkdirSync(data, { mode: 0o700 })
  const owner = process.getuid?.() === 0 ? idsOf('postgres') : {}
  if (owner.uid !== undefined)
    for (const one of [folder, data]) chownSync(one, owner.uid, owner.gid)
  const install = ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '-N']
  execFileSync(join(bin, 'initdb'), install, { stdio: 'ignore', cwd: folder, ...owner })
  const args = ['-D', data, '-k', folder, '-c', 'listen_addresses=']
  const child = spawn(join(bin, 'postgres'), args, { stdio: 'ignore', cwd: folder, ...owner })
  ctx.onEnd(() => end(child))
  await until('postgres', () => existsSync(join(folder, '.s.PGSQL.5432')))
  return { url: `postgres://postgres@localhost/bench?host=${encodeURIComponent(folder)}` }
}

function postgresFolder() {
  const root = '/usr/lib/postgresql'
  const versions = existsSync(root) ? readdirSync(root).map(Number) : []
  const found = versions.toSorted((a, b) => b - a).map(version => join(root, `${version}`, 'bin'))
  return found.find(folder => existsSync(join(folder, 'initdb')))
}

function idsOf(user) {
  const id = flag => Number(execFileSync('id', [flag, user], { encoding: 'utf8' }))
  return { uid: id('-u'), gid: id('-g') }
}
