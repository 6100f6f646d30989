import { open } from 'node:fs/promises'

/**
 * Whether a file is a compiled program of this kind of machine. Asked before it is started, because
 * execvp(3) has a shell run whatever the kernel does not recognise, such as a program for another machine.
 */
export async function runsHere(file: string): Promise<boolean> {
  try {
    return (await machineOf(file)) === (await machineOf(process.execPath))
  } catch {
    return false
  }
}

/** The parts of a program's head that say what it runs on, see elf(5). */
async function machineOf(file: string): Promise<string> {
  const handle = await open(file)
  try {
    const { buffer } = await handle.read(Buffer.alloc(20), 0, 20, 0)
    return buffer.toString('latin1', 0, 6) + buffer.toString('latin1', 18)
  } finally {
    await handle.close()
  }
}
