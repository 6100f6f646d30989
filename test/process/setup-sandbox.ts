import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { tempDir } from '../support/temp-dir.ts'

/** What scripts/setup may use of the real machine; everything else it finds is made up. */
const REAL_TOOLS =
  'sh dirname find head cmp mkdir rm mv cp cat chmod stat mktemp flock sleep touch grep'.split(' ')

/** Programs that a package brings, as Debian has it. */
const PROGRAMS: Readonly<Record<string, string>> = {
  'redis-server': 'redis-server',
  'redis-tools': 'redis-cli',
  'mariadb-server-core': 'mariadbd',
  'mariadb-client-core': 'my_print_defaults',
  postgresql: 'postgres',
  gcc: 'cc',
  'php-cli': 'php',
  python3: 'python3',
  faketime: 'faketime',
  systemd: 'systemd-analyze',
  supervisor: 'supervisord',
  cron: 'cron',
}

const FAKES: Readonly<Record<string, string>> = {
  id: 'echo "$FAKE_UID"',
  node: 'echo "$FAKE_NODE"',
  chown: 'echo "chown $*" >>"$LOG"',
  systemctl: 'echo "systemctl $*" >>"$LOG"',
  npm: `case $1 in
  config) echo "$FAKE_CACHE" ;;
  ci)
    echo "npm $*" >>"$LOG"
    echo "$npm_config_cache" >"$SANDBOX/cache-used"
    [ -z "$FAKE_WAIT" ] || while [ ! -e "$SANDBOX/go" ]; do sleep 0.01; done
    rm -rf node_modules
    [ -z "$FAKE_NPM_FAILS" ] || exit 1
    mkdir -p node_modules/.bin
    touch node_modules/.bin/tsc node_modules/.package-lock.json
    ;;
esac`,
  'apt-get': `case "$*" in *update*) echo 'apt-get update' >>"$LOG"; exit ;; esac
policy=$SETUP_SYSROOT/usr/sbin/policy-rc.d
cp "$policy" "$SANDBOX/policy-copy"
sh "$policy"
echo "service start answered by $?" >>"$LOG"
echo "apt-get $*" >>"$LOG"
[ -z "$FAKE_WAIT" ] || while [ ! -e "$SANDBOX/go" ]; do sleep 0.01; done
[ -z "$FAKE_APT_FAILS" ] || exit 100
for word; do
  case $word in
${Object.entries(PROGRAMS)
  .map(([name, program]) => `    ${name}) program=${program} ;;`)
  .join('\n')}
    *) continue ;;
  esac
  bin=$SANDBOX/bin
  [ "$program" != postgres ] || bin=$SETUP_SYSROOT/usr/lib/postgresql/15/bin
  mkdir -p "$bin"
  printf '#!/bin/sh\\n' >"$bin/$program"
  chmod 755 "$bin/$program"
done`,
}

/** sudo that asks for no password, as root would see it; installed by `withSudo`. */
const SUDO = `[ "$1" = -n ] || exit 1
shift
echo "sudo $*" >>"$LOG"
[ "$1" != true ] || exit 0
FAKE_UID=0 exec "$@"`

/** How the fake npm records the one installation there is. */
export const NPM_CI =
  'npm ci --include=dev --ignore-scripts --no-audit --no-fund --no-update-notifier'

/** Lets scripts/setup think it is root. */
export const ROOT = { FAKE_UID: '0' }

export interface Run {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Sandbox extends AsyncDisposable {
  /** The copied clone, in a path with a space. */
  readonly clone: string
  /** Stands for / in scripts/setup. */
  readonly root: string
  readonly dir: string
  /** Calls that were made of the fakes, in order. */
  calls(): string[]
  /** Lets programs be on the PATH. */
  has(...programs: string[]): void
  lacks(tool: string): void
  withSudo(): void
  begin(purpose: string, env?: NodeJS.ProcessEnv, shell?: string): Running
  setup(purpose: string, env?: NodeJS.ProcessEnv, shell?: string): Promise<Run>
}

export interface Running {
  readonly child: ChildProcess
  readonly ended: Promise<Run>
  /** Standard output so far. */
  said(): string
}

/** A copy of what scripts/setup works on, and a PATH on which every installer is a fake. */
export function setupSandbox(): Sandbox {
  const temp = tempDir('taskd setup ')
  const dir = temp.path
  const [bin, clone, root] = [join(dir, 'bin'), join(dir, 'my clone'), join(dir, 'root')]
  const log = join(dir, 'calls')
  for (const one of [
    'bin',
    'my clone/scripts',
    'my clone/src',
    'root/usr/sbin',
    'root/var/lib/dpkg',
  ])
    mkdirSync(join(dir, one), { recursive: true })
  cpSync('scripts/setup', join(clone, 'scripts/setup'))
  for (const one of [
    'package-lock.json',
    'scripts/bundle.mjs',
    'scripts/esbuild-options.mjs',
    'src/a.ts',
  ])
    writeFileSync(join(clone, one), '')
  program(
    join(clone, 'scripts/build'),
    'echo build >>"$LOG"\nsleep 0.02 # longer than a tick of the file system\n[ -z "$FAKE_BUILD_FAILS" ] || exit 1\nmkdir -p dist/cli dist/workers\ntouch dist/cli/main.js\n[ ! -e "$SANDBOX/bin/cc" ] || touch dist/workers/launcher',
  )
  for (const tool of REAL_TOOLS) symlinkSync(which(tool), join(bin, tool))
  for (const [name, text] of Object.entries(FAKES)) program(join(bin, name), text)

  const begin: Sandbox['begin'] = (purpose, env = {}, shell = 'sh') => {
    const child = spawn(which(shell), [join(clone, 'scripts/setup'), purpose], {
      cwd: dirname(dir),
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: bin,
        SANDBOX: dir,
        LOG: log,
        SETUP_SYSROOT: root,
        FAKE_UID: '1000',
        FAKE_NODE: 'v20.17.0',
        FAKE_CACHE: join(dir, 'npm-cache'),
        ...env,
      },
    })
    const out = { stdout: '', stderr: '' }
    child.stdout.setEncoding('utf8').on('data', text => (out.stdout += text))
    child.stderr.setEncoding('utf8').on('data', text => (out.stderr += text))
    const ended = new Promise<Run>(resolve => {
      child.once('close', code => resolve({ code, ...out }))
    })
    return { child, ended, said: () => out.stdout }
  }
  return {
    clone,
    root,
    dir,
    calls: () => (existsSync(log) ? readFileSync(log, 'utf8').trimEnd().split('\n') : []),
    has: (...programs) => {
      for (const one of programs) program(join(bin, one), '')
    },
    lacks: tool => execFileSync('rm', [join(bin, tool)]),
    withSudo: () => program(join(bin, 'sudo'), SUDO),
    begin,
    setup: (purpose, env, shell) => begin(purpose, env, shell).ended,
    [Symbol.asyncDispose]: () => temp.remove(),
  }
}

function program(path: string, text: string): void {
  writeFileSync(path, `#!/bin/sh\n${text}\n`)
  chmodSync(path, 0o755)
}

function which(tool: string): string {
  return execFileSync('sh', ['-c', 'command -v "$1"', 'sh', tool], { encoding: 'utf8' }).trim()
}
