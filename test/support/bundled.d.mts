export function bundled(code: string): Promise<string>
