import { isNode, LineCounter, parseDocument } from 'yaml';
import { z } from 'zod';
import { limitOverrides } from './limits.ts';
import { tenantName, tenantSpec } from './tenant.ts';

const tenantsFile = z.strictObject({
  version: z.literal(1),
  defaults: limitOverrides.optional(),
  tenants: z.record(tenantName, tenantSpec),
});

/** tenants.yaml. */
export type TenantsFile = z.infer<typeof tenantsFile>;

/** One thing that is wrong, and where. Line and column count from 1. */
export interface FileFault {
  readonly line: number;
  readonly column: number;
  /** Where in the document, such as `tenants.acme.keys.0.hash`. */
  readonly path: string;
  readonly message: string;
}

export type ParsedTenants =
  | { readonly ok: true; readonly file: TenantsFile }
  | { readonly ok: false; readonly faults: readonly FileFault[] };

/** Reads tenants.yaml; all faults are reported at once, each with its place in the text. */
export function parseTenants(text: string): ParsedTenants {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true });
  if (document.errors.length > 0) {
    return {
      ok: false,
      faults: document.errors.map((error) => {
        const { line, col } = lines.linePos(error.pos[0]);
        return { line, column: col, path: '', message: error.message.split('\n')[0] ?? 'is not YAML' };
      }),
    };
  }
  const parsed = tenantsFile.safeParse(document.toJS({ maxAliasCount: 100 }));
  if (!parsed.success) return { ok: false, faults: parsed.error.issues.map((issue) => place(issue, document, lines)) };
  const faults = duplicatePrefixes(parsed.data).map((path) =>
    place({ path, message: 'another key has the same prefix' }, document, lines),
  );
  return faults.length > 0 ? { ok: false, faults } : { ok: true, file: parsed.data };
}

function duplicatePrefixes(file: TenantsFile): PropertyKey[][] {
  const seen = new Set<string>();
  const found: PropertyKey[][] = [];
  for (const [name, spec] of Object.entries(file.tenants)) {
    for (const [index, key] of spec.keys.entries()) {
      if (seen.has(key.prefix)) found.push(['tenants', name, 'keys', index, 'prefix']);
      seen.add(key.prefix);
    }
  }
  return found;
}

function place(
  issue: { path: PropertyKey[]; message: string },
  document: ReturnType<typeof parseDocument>,
  lines: LineCounter,
): FileFault {
  // What is missing has no place of its own: its nearest parent has.
  for (let depth = issue.path.length; depth >= 0; depth--) {
    const node = document.getIn(issue.path.slice(0, depth), true);
    if (!isNode(node) || !node.range) continue;
    const { line, col } = lines.linePos(node.range[0]);
    return { line, column: col, path: issue.path.join('.'), message: issue.message };
  }
  return { line: 1, column: 1, path: issue.path.join('.'), message: issue.message };
}
