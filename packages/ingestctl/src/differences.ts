const SHOWN_MAX = 5;

/** What differs between two plain values, leaf by leaf: `limits.items.perSecond: 100 -> 200`. */
export function differences(before: unknown, after: unknown): string[] {
  const old = leaves(before);
  const now = leaves(after);
  const paths = [...new Set([...old.keys(), ...now.keys()])].sort();
  return paths.flatMap((path) => {
    const [was, is] = [old.get(path), now.get(path)];
    if (was === is) return [];
    return [`${path}: ${was ?? 'not set'} -> ${is ?? 'not set'}`];
  });
}

/** The first few differences on one line. */
export function differencesLine(before: unknown, after: unknown): string {
  const all = differences(before, after);
  const rest = all.length - SHOWN_MAX;
  return [...all.slice(0, SHOWN_MAX), ...(rest > 0 ? [`and ${rest} more`] : [])].join('; ');
}

function leaves(value: unknown, path = '', found = new Map<string, string>()): Map<string, string> {
  if (value === undefined) return found;
  if (typeof value !== 'object' || value === null) return found.set(path, JSON.stringify(value));
  for (const [key, inner] of Object.entries(value)) leaves(inner, path === '' ? key : `${path}.${key}`, found);
  return found;
}
