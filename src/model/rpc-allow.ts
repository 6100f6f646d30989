/** A host that tasks may call over HTTP, by its name or by its network. */
export type AllowedHost =
  /** In small letters, without a port. */
  | { readonly kind: 'name'; readonly name: string }
  /** One address has all its bits: 32, or 128. */
  | {
      readonly kind: 'network'
      readonly address: string
      readonly bits: number
      readonly family: 'ipv4' | 'ipv6'
    }
