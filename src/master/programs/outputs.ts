import { isDeepStrictEqual } from 'node:util'
import type { Descriptor, Output } from '../../logs/output-port.ts'
import type { OutputSpec, ProcessSpec } from '../../model/program-spec.ts'

type OpenOutput = (spec: OutputSpec) => Output

/** Where the two streams of one program go, from its first start until it is forgotten. */
export class ProgramOutputs {
  readonly #open: OpenOutput
  #stdout: { spec: OutputSpec; output: Output } | undefined
  #stderr: { spec: OutputSpec; output: Output } | undefined

  constructor(open: OpenOutput) {
    this.#open = open
  }

  /** Bytes of output that could not be kept. */
  get dropped(): number {
    return (this.#stdout?.output.dropped ?? 0) + (this.#stderr?.output.dropped ?? 0)
  }

  /** What a process about to start gets as its standard output and error. */
  async descriptors(spec: ProcessSpec): Promise<readonly [Descriptor, Descriptor]> {
    const { stdout: out, stderr: err } = spec
    this.#stdout = this.#kept(this.#stdout, out)
    const stdout = await this.#stdout.output.descriptor()
    if (err === 'stdout') return [stdout, { stdio: stdout.stdio, release: () => undefined }]
    try {
      this.#stderr = this.#kept(this.#stderr, err)
      return [stdout, await this.#stderr.output.descriptor()]
    } catch (error) {
      stdout.release()
      throw error
    }
  }

  /** Takes over what can be changed under a running process; the rest comes with its next start. */
  retune({ stdout, stderr }: ProcessSpec): void {
    if (this.#stdout && sameKind(this.#stdout.spec, stdout)) {
      this.#stdout.spec = stdout
      this.#stdout.output.retune(stdout)
    }
    if (this.#stderr && stderr !== 'stdout' && sameKind(this.#stderr.spec, stderr)) {
      this.#stderr.spec = stderr
      this.#stderr.output.retune(stderr)
    }
  }

  reopen(): void {
    this.#stdout?.output.reopen()
    this.#stderr?.output.reopen()
  }

  async close(): Promise<void> {
    await Promise.all([this.#stdout?.output.close(), this.#stderr?.output.close()])
  }

  #kept(old: { spec: OutputSpec; output: Output } | undefined, spec: OutputSpec) {
    if (old && sameKind(old.spec, spec)) {
      if (!isDeepStrictEqual(old.spec, spec)) old.output.retune(spec)
      return { spec, output: old.output }
    }
    void old?.output.close()
    return { spec, output: this.#open(spec) }
  }
}

function sameKind(one: OutputSpec, other: OutputSpec): boolean {
  if (one.kind === 'file' && other.kind === 'file') return one.through === other.through
  return isDeepStrictEqual(one, other)
}
