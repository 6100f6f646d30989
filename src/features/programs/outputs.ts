import { isDeepStrictEqual } from 'node:util'
import type { Descriptor, Output } from '../../logs/output-port.ts'
import { descriptorsOf } from '../../model/descriptors.ts'
import type { OutputSpec, ProcessSpec } from '../../model/program-spec.ts'
import type { DescriptorBudget } from './descriptor-budget.ts'

type OpenOutput = (spec: OutputSpec) => Output

/** Where the two streams of one program go, from its first start until it is forgotten. */
export class ProgramOutputs {
  readonly #open: OpenOutput
  readonly #budget: DescriptorBudget
  #claimed = 0
  #stdout: { spec: OutputSpec; output: Output } | undefined
  #stderr: { spec: OutputSpec; output: Output } | undefined

  constructor(open: OpenOutput, budget: DescriptorBudget) {
    this.#open = open
    this.#budget = budget
  }

  /** Bytes of output that could not be kept. */
  get dropped(): number {
    return (this.#stdout?.output.dropped ?? 0) + (this.#stderr?.output.dropped ?? 0)
  }

  /**
   * Makes what is kept over all starts: the pipes. Many at once are made together.
   * @throws TaskdError E_NO_DESCRIPTORS, E_NO_PIPE
   */
  async prepare(spec: ProcessSpec): Promise<void> {
    const need = descriptorsOf(spec)
    this.#budget.change(this.#claimed, need)
    this.#claimed = need
    const { stdout, stderr } = this.#outputsFor(spec)
    await Promise.all([stdout.prepare(), stderr?.prepare()])
  }

  #outputsFor({ stdout, stderr }: ProcessSpec) {
    this.#stdout = this.#kept(this.#stdout, stdout)
    if (stderr !== 'stdout') this.#stderr = this.#kept(this.#stderr, stderr)
    return {
      stdout: this.#stdout.output,
      stderr: stderr === 'stdout' ? undefined : this.#stderr?.output,
    }
  }

  /** What a process about to start gets as its standard output and error, once that is prepared. */
  async descriptors(spec: ProcessSpec): Promise<readonly [Descriptor, Descriptor]> {
    const outputs = this.#outputsFor(spec)
    const stdout = await outputs.stdout.descriptor()
    if (!outputs.stderr) return [stdout, { stdio: stdout.stdio, release: () => undefined }]
    try {
      return [stdout, await outputs.stderr.descriptor()]
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
    this.#budget.change(this.#claimed, 0)
    this.#claimed = 0
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
