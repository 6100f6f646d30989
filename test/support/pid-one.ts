import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** Numbers of prctl; the call itself has no wrapper in perl. */
const PRCTL: Readonly<Record<string, number>> = { x64: 157, arm64: 167, riscv64: 167, ia32: 172 }
const PR_SET_CHILD_SUBREAPER = 36

/** The command as the one that gets the orphans among its descendants, as process 1 does. */
export function asSubreaper(command: readonly string[]): string[] {
  const call = `${PRCTL[process.arch] ?? 167}, ${PR_SET_CHILD_SUBREAPER}, 1, 0, 0, 0`
  return ['perl', '-e', `syscall(${call}) == 0 or die "prctl: $!"; exec @ARGV`, ...command]
}

/** How to run a command as process 1 of namespaces of its own; undefined where nobody lets us. */
export function unshare(): string[] | undefined {
  const user = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user']
  const command = ['unshare', ...user, '--pid', '--fork', '--mount-proc', '--kill-child=KILL']
  const { status } = spawnSync(command[0] ?? '', [...command.slice(1), 'true'])
  return status === 0 ? command : undefined
}

/** Zombies are among them. */
export function childrenOf(pid: number): number[] {
  try {
    const list = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    return list.split(' ').filter(Boolean).map(Number)
  } catch {
    return []
  }
}

export function isZombie(pid: number): boolean {
  try {
    return /\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}

/** Where a program of this machine lies. */
export function whichOf(name: string): string {
  return execFileSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).trim()
}
