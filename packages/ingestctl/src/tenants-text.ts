import { parseTenants, type TenantsFile } from '@weir/tenancy';
import { type Context, UsageError } from './context.ts';

/** The text of tenants.yaml. @throws UsageError where it cannot be read */
export function readText(context: Context, path: string): string {
  try {
    return context.outside.readFile(path);
  } catch {
    throw new UsageError(`${path} cannot be read`);
  }
}

/** Reads tenants.yaml; undefined where it has faults, all of which have been shown then. */
export function readTenantsFile(
  context: Context,
  path: string,
  text = readText(context, path),
): TenantsFile | undefined {
  const parsed = parseTenants(text);
  if (parsed.ok) return parsed.file;
  for (const { line, column, path: where, message } of parsed.faults) {
    context.outside.err(`${path}:${line}:${column}: ${where === '' ? '' : `${where}: `}${message}\n`);
  }
  return undefined;
}
