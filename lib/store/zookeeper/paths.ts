/** How many guards there are; part of the layout, so it never changes. */
export const guardCount = 64;

/**
 * Where a key stands in ZooKeeper, below one root:
 *
 * - `ROOT/k/a/b/=c` holds the key `a/b/c`. What is before the last "/" are directories, the rest is a leaf whose name begins with
 *   "=", so a key may also be the beginning of another (`a/b` is `ROOT/k/a/=b`), and a leased key never has children. Each name is
 *   percent-encoded as by encodeURIComponent; the empty directory is `%`, and `.` and `..` are `%2E` and `%2E%2E`. Directories
 *   are container znodes: ZooKeeper removes them when they have become empty.
 * - `ROOT/g/00` to `ROOT/g/3f` are guards: whoever makes a key sets the guard of its hash, so that a guard whose version is the
 *   same proves that no key of its was made meanwhile. (A znode's own version cannot: it begins with 0 again after each delete.)
 * - `ROOT/g/rev` is set with what only deletes, since only that tells the revision.
 */
export class Paths {
  readonly root: string;
  /** What keys are below. */
  readonly keys: string;
  readonly guards: string;
  readonly revision: string;

  constructor(root: string) {
    this.root = root;
    this.keys = `${root}/k`;
    this.guards = `${root}/g`;
    this.revision = `${root}/g/rev`;
  }

  of(key: string): string {
    const names = key.split("/");
    const leaf = names.pop() ?? "";
    return `${this.directory(names)}/=${encodeURIComponent(leaf)}`;
  }

  directory(names: readonly string[]): string {
    return names.reduce((path, name) => `${path}/${directoryName(name)}`, this.keys);
  }

  /** The key at a path; undefined for directories and for what is not ours. */
  key(path: string): string | undefined {
    if (!path.startsWith(`${this.keys}/`)) return undefined;
    const names = path.slice(this.keys.length + 1).split("/");
    const leaf = leafOf(names.pop() ?? "");
    if (leaf === undefined) return undefined;
    const directories = names.map(directoryOf);
    return directories.every((name) => name !== undefined) ? [...directories, leaf].join("/") : undefined;
  }

  guard(key: string): string {
    let hash = 0x811c9dc5; // FNV-1a
    for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193) >>> 0;
    return this.guardAt(((hash ^ (hash >>> 16)) >>> 0) % guardCount);
  }

  guardAt(index: number): string {
    return `${this.guards}/${index.toString(16).padStart(2, "0")}`;
  }
}

/** What a child's name says, when it is a leaf; undefined when not, or not as we write it. */
export function leafOf(name: string): string | undefined {
  return name.startsWith("=") ? decoded(name.slice(1), encodeURIComponent) : undefined;
}

/** What a child's name says, when it is a directory; undefined when not, or not as we write it. */
export function directoryOf(name: string): string | undefined {
  return name === "%" ? "" : decoded(name, directoryName);
}

function directoryName(name: string): string {
  if (name === "") return "%";
  return name === "." || name === ".." ? name.replaceAll(".", "%2E") : encodeURIComponent(name);
}

function decoded(text: string, encode: (text: string) => string): string | undefined {
  try {
    const plain = decodeURIComponent(text);
    return encode(plain) === text ? plain : undefined;
  } catch {
    return undefined; // a broken escape: another program's znode
  }
}
