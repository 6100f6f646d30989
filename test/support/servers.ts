import { execFile, execFileSync } from 'node:child_process'
import { chownSync, existsSync, mkdirSync, readdirSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { asks, findBinary, startServer, type TestServer } from './server-process.ts'
import { tempDir } from './temp-dir.ts'

export type { TestServer } from './server-process.ts'
export { type TempDir, tempDir } from './temp-dir.ts'

const run = promisify(execFile)

export interface RedisOptions {
  /** A folder of the caller's, who also removes it; a temporary one otherwise. */
  readonly dir?: string
  /** More arguments for redis-server, e.g. `['--appendonly', 'yes']` to keep data over a restart. */
  readonly args?: readonly string[]
}

/** A redis-server that keeps nothing on disk unless `args` say so. */
export async function startRedis({ dir, args = [] }: RedisOptions = {}): Promise<TestServer> {
  const folder = dir === undefined ? tempDir('taskd-redis-') : { path: dir, remove: async () => {} }
  const path = join(folder.path, 'redis.sock')
  const fixed = ['--port', '0', '--unixsocket', path, '--dir', folder.path, '--save', '']
  return startServer({
    name: 'redis-server',
    command: findBinary('redis-server'),
    args: [...fixed, '--appendonly', 'no', ...args],
    url: `unix:${path}`,
    path,
    dir: folder.path,
    ready: socket => asks(socket, Buffer.from('PING\r\n'), data => data.includes('+PONG')),
    cleanUp: () => folder.remove(),
  })
}

/** A server with databases: `url` is of `task_schedule`, which does not exist yet. */
export interface SqlServer extends TestServer {
  /** The address of any other database on it. */
  urlOf(database: string): string
}

/** A mariadbd whose `root` needs no password. */
export async function startMariaDb(args: readonly string[] = []): Promise<SqlServer> {
  const folder = tempDir('taskd-maria-')
  const data = join(folder.path, 'data')
  const path = join(folder.path, 'maria.sock')
  const user = process.getuid?.() === 0 ? ['--user=root'] : []
  const urlOf = (database: string) =>
    `mysql://root@localhost/${database}?socketPath=${encodeURIComponent(path)}`
  // A server clears what it takes for left-over tables of its own, so the folder is no shared one.
  const folders = [`--datadir=${data}`, `--tmpdir=${folder.path}`]
  const common = ['--no-defaults', ...user, ...folders, '--innodb-log-file-size=4M']
  const install = ['--auth-root-authentication-method=normal', '--skip-test-db']
  try {
    await run(findBinary('mariadb-install-db'), [...common, ...install], { cwd: folder.path })
    const server = await startServer({
      name: 'mariadbd',
      command: findBinary('mariadbd'),
      args: [...common, ...MARIADB_FAST, `--socket=${path}`, ...args],
      url: urlOf('task_schedule'),
      path,
      dir: folder.path,
      // It speaks first: protocol version 10 in the fifth byte.
      ready: socket => asks(socket, Buffer.alloc(0), data => data[4] === 10),
      cleanUp: () => folder.remove(),
    })
    return withUrlOf(server, urlOf)
  } catch (error) {
    await folder.remove()
    throw error
  }
}

/**
 * Small, and without waiting for the disk. A KILL loses no commit: only a machine's crash would,
 * and that is not what these tests are about.
 */
const MARIADB_FAST = [
  '--skip-networking',
  '--skip-name-resolve',
  '--innodb-buffer-pool-size=16M',
  '--innodb-flush-log-at-trx-commit=2',
  '--innodb-doublewrite=0',
  '--innodb-fast-shutdown=2',
  '--aria-pagecache-buffer-size=1M',
  '--key-buffer-size=1M',
  '--performance-schema=off',
]

/** A PostgreSQL whose superuser `postgres` needs no password. */
export async function startPostgres(args: readonly string[] = []): Promise<SqlServer> {
  const folder = tempDir('taskd-pg-')
  const data = join(folder.path, 'data')
  const path = join(folder.path, '.s.PGSQL.5432')
  const bin = postgresFolder()
  const owner = process.getuid?.() === 0 ? idsOf('postgres') : undefined
  const urlOf = (database: string) =>
    `postgres://postgres@/${database}?host=${encodeURIComponent(folder.path)}`
  const install = ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '-N']
  try {
    mkdirSync(data, { mode: 0o700 })
    if (owner) for (const one of [folder.path, data]) chownSync(one, owner.uid, owner.gid)
    await run(join(bin, 'initdb'), install, { cwd: folder.path, ...owner })
    const server = await startServer({
      name: 'postgres',
      command: join(bin, 'postgres'),
      args: ['-D', data, '-k', folder.path, ...POSTGRES_FAST.flatMap(one => ['-c', one]), ...args],
      url: urlOf('task_schedule'),
      path,
      dir: folder.path,
      uid: owner?.uid,
      gid: owner?.gid,
      ready: socket => asks(socket, postgresGreeting(), data => data[0] === 0x52),
      // "Fast shutdown"; SIGTERM would wait for the clients to leave.
      stopSignal: 'SIGINT',
      // "Immediate shutdown"; KILL would leave its shared memory segment to the machine.
      removeSignal: 'SIGQUIT',
      cleanUp: () => folder.remove(),
    })
    return withUrlOf(server, urlOf)
  } catch (error) {
    await folder.remove()
    throw error
  }
}

const POSTGRES_FAST = [
  'listen_addresses=',
  'fsync=off',
  // In its folder, which goes with it: in /dev/shm it would stay when the server is KILLed.
  'dynamic_shared_memory_type=mmap',
  'full_page_writes=off',
  'shared_buffers=16MB',
  'max_connections=30',
]

function withUrlOf(server: TestServer, urlOf: SqlServer['urlOf']): SqlServer {
  // Not a spread: `pid` and `process` are getters, and change at a restart.
  return Object.defineProperty(server, 'urlOf', { value: urlOf }) as SqlServer
}

/** initdb and postgres must be of one version, so both come from the folder of one of them. */
function postgresFolder(): string {
  const root = '/usr/lib/postgresql'
  const versions = existsSync(root) ? readdirSync(root).map(Number) : []
  const debian = versions.toSorted((a, b) => b - a).map(version => join(root, `${version}`, 'bin'))
  return dirname(realpathSync(findBinary('initdb', debian)))
}

/** A server answers `R` once it takes connections, and an error while it still starts. */
function postgresGreeting(): Buffer {
  const body = Buffer.from('\0\x03\0\0user\0postgres\0database\0postgres\0\0', 'latin1')
  const length = Buffer.alloc(4)
  length.writeInt32BE(body.length + 4)
  return Buffer.concat([length, body])
}

function idsOf(user: string): { uid: number; gid: number } {
  const id = (flag: string) => Number(execFileSync('id', [flag, user], { encoding: 'utf8' }))
  return { uid: id('-u'), gid: id('-g') }
}
